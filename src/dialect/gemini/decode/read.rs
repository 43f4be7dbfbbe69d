//! The JSON of an answer, a chunk or a whole one, in one pass: the fields that are looked at.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::usage::Counts;
use crate::dialect::carry::Malformed;
use crate::dialect::leaf::Leaf;

/// The most elements that a list may have: hundreds of calls in one chunk. Without it a frame of
/// many empty parts would take many times its size in memory.
const MOST: usize = 2048;

/// One `GenerateContentResponse`, or an error in its place.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<Few<Candidate<'a>>>,
    #[serde(borrow)]
    pub(super) prompt_feedback: Option<Feedback<'a>>,
    #[serde(borrow)]
    pub(super) usage_metadata: Option<Counts<'a>>,
    #[serde(borrow)]
    pub(super) response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model_version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// What was wrong with the prompt.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Feedback<'a> {
    #[serde(borrow)]
    pub(super) block_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) block_reason_message: Option<&'a RawValue>,
}

/// One of the answers, or a piece of it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Candidate<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) finish_message: Option<&'a RawValue>,
    pub(super) index: Option<u32>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    pub(super) parts: Option<Few<Part<'a>>>,
}

/// A part has one of these, and what stands beside it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    pub(super) thought: Option<bool>,
    #[serde(borrow)]
    pub(super) thought_signature: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) function_call: Option<Call<'a>>,
    pub(super) inline_data: Option<IgnoredAny>,
}

/// A call: whole as a rule, in pieces where `partialArgs` were asked for.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) partial_args: Option<&'a RawValue>,
    pub(super) will_continue: Option<bool>,
}

/// A list that is read only as far as [`MOST`].
#[derive(Debug)]
pub(super) struct Few<T> {
    pub(super) items: SmallVec<[T; 1]>,
    overfull: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(List(PhantomData))
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Few<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few<T>, A::Error> {
        let mut items = SmallVec::new();
        while items.len() < MOST {
            let Some(item) = seq.next_element()? else {
                return Ok(Few {
                    items,
                    overfull: false,
                });
            };
            items.push(item);
        }
        let mut overfull = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            overfull = true;
        }
        Ok(Few { items, overfull })
    }
}

/// Reads a document: one chunk, or a list of them, as the API sends them where it was not asked
/// for events (`[{…},{…}]`), and errors too at times.
pub(super) fn read<'a>(document: &'a str, into: &mut Vec<Chunk<'a>>) -> Result<(), Malformed> {
    if document.trim_ascii_start().starts_with('[') {
        let list: Few<Chunk<'a>> = serde_json::from_str(document).map_err(|e| malformed(&e))?;
        if list.overfull || list.items.is_empty() {
            return Err(if list.overfull {
                Malformed::TooMany
            } else {
                Malformed::Shape
            });
        }
        into.extend(list.items);
    } else {
        // A list is no object, and a derived reader would take one for it.
        into.push(serde_json::from_str(document).map_err(|e| malformed(&e))?);
    }
    into.iter().try_for_each(check)
}

/// Whether the chunk is one, and has no more than an answer can have.
fn check(chunk: &Chunk<'_>) -> Result<(), Malformed> {
    let empty = chunk.candidates.is_none()
        && chunk.prompt_feedback.is_none()
        && chunk.usage_metadata.is_none()
        && chunk.response_id.is_none()
        && chunk.model_version.is_none()
        && chunk.error().is_none();
    if empty {
        return Err(Malformed::Shape);
    }
    let Some(candidates) = &chunk.candidates else {
        return Ok(());
    };
    let overfull = |candidate: &Candidate<'_>| {
        let content = candidate.content.as_ref();
        let parts = content.and_then(|content| content.parts.as_ref());
        parts.is_some_and(|parts| parts.overfull)
    };
    if candidates.overfull || candidates.items.iter().any(overfull) {
        return Err(Malformed::TooMany);
    }
    Ok(())
}

impl<'a> Chunk<'a> {
    /// The candidates with their indexes. One without an index is known by its position.
    pub(super) fn candidates(&self) -> impl Iterator<Item = (u32, &Candidate<'a>)> {
        let items = self.candidates.iter().flat_map(|list| &list.items);
        (0..).zip(items).map(|(position, candidate)| {
            let index = candidate.index.unwrap_or(position);
            (index, candidate)
        })
    }

    /// The error in the answer's place.
    pub(super) fn error(&self) -> Option<Leaf<'a>> {
        self.error.map(Leaf::from).filter(|error| error.is_truthy())
    }
}

impl<'a> Candidate<'a> {
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        let content = self.content.as_ref();
        let parts = content.and_then(|content| content.parts.as_ref());
        parts.into_iter().flat_map(|parts| &parts.items)
    }
}

impl Part<'_> {
    /// Whether the part is a piece of the answer.
    pub(super) fn says_something(&self) -> bool {
        let text = self.text.map(Leaf::from).and_then(Leaf::words);
        text.is_some() || self.function_call.is_some() || self.inline_data.is_some()
    }
}

/// Keeps the place and drops the text: `serde_json` quotes values in its messages.
fn malformed(error: &serde_json::Error) -> Malformed {
    match error.classify() {
        Category::Data => Malformed::Shape,
        Category::Io | Category::Syntax | Category::Eof => Malformed::NotJson {
            line: error.line(),
            column: error.column(),
        },
    }
}
