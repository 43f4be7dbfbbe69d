//! The content of messages, in neutral words.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::anthropic::input::compact;
use crate::dialect::anthropic::text::Text;
use crate::dialect::ask::Unfit;
use crate::exchange::{Need, Part, Source};

/// The fields of all blocks that other formats have something for.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    title: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use_id: Option<Text<'a>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    is_error: Option<bool>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct SourceField<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    media_type: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// A block of which only the text is looked at.
#[derive(Deserialize)]
pub(super) struct Words<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

impl<'a> Words<'a> {
    /// The text of a text block.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        self.text
            .filter(|_| self.kind.is("text"))
            .map(|text| text.0)
    }
}

/// Where in the request a block is, for whoever must find it.
#[derive(Clone, Copy)]
struct Place {
    message: usize,
    block: usize,
}

impl Place {
    fn wrong(self, rule: &'static str) -> Unfit {
        let Self { message, block } = self;
        Unfit::unreadable(format!("messages.{message}.content.{block}"), rule)
    }
}

/// The parts of the message at this place.
pub(super) fn parts(content: &RawValue, message: usize) -> Result<Vec<Part<'_>>, Unfit> {
    let content = content.get();
    if !content.starts_with('[') {
        let wrong = |_| {
            let param = format!("messages.{message}.content");
            Unfit::unreadable(param, "must be text or a list of blocks")
        };
        let text: Text<'_> = serde_json::from_str(content).map_err(wrong)?;
        return Ok(vec![Part::Text(text.0)]);
    }
    let wrong = |_| {
        let param = format!("messages.{message}.content");
        Unfit::unreadable(param, "must be a list of this API's blocks")
    };
    let blocks: Vec<Block<'_>> = serde_json::from_str(content).map_err(wrong)?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (block, of) in blocks.into_iter().enumerate() {
        parts.extend(part(of, Place { message, block })?);
    }
    Ok(parts)
}

/// The block as a part; `None` for what only Anthropic can read and nobody misses.
fn part(block: Block<'_>, place: Place) -> Result<Option<Part<'_>>, Unfit> {
    let incomplete = || place.wrong("lacks a field that its type must have");
    let kind = &*block.kind.0;
    Ok(Some(match kind {
        "text" | "image" | "document" => return shown(block, place).map(Some),
        "thinking" => Part::Reasoning {
            text: block.thinking.map(|text| text.0).unwrap_or_default(),
            signature: block
                .signature
                .map(|seal| seal.0)
                .filter(|seal| !seal.is_empty()),
        },
        "redacted_thinking" => return Ok(None),
        "tool_use" => Part::ToolCall {
            id: block.id.ok_or_else(incomplete)?.0,
            name: block.name.ok_or_else(incomplete)?.0,
            arguments: block
                .input
                .map(|input| compact(input.get()))
                .unwrap_or_default(),
            signature: None,
        },
        "tool_result" => Part::ToolResult {
            id: block.tool_use_id.ok_or_else(incomplete)?.0,
            parts: block
                .content
                .map_or(Ok(Vec::new()), |content| result(content, place))?,
            is_error: block.is_error.unwrap_or_default(),
        },
        // Server tools, search results, containers, and whatever comes next.
        _ => return Err(Unfit::Lacks(Need::Native)),
    }))
}

/// The content of a tool's result: text, or blocks that can be shown.
fn result(content: &RawValue, place: Place) -> Result<Vec<Part<'_>>, Unfit> {
    let content = content.get();
    if content.starts_with('[') {
        let blocks: Vec<Block<'_>> = serde_json::from_str(content)
            .map_err(|_| place.wrong("must have a list of this API's blocks for content"))?;
        return blocks
            .into_iter()
            .map(|block| shown(block, place))
            .collect();
    }
    let text: Text<'_> = serde_json::from_str(content)
        .map_err(|_| place.wrong("must have text or a list of blocks for content"))?;
    Ok(vec![Part::Text(text.0)])
}

/// A text, an image or a document.
fn shown(block: Block<'_>, place: Place) -> Result<Part<'_>, Unfit> {
    let incomplete = || place.wrong("lacks a field that its type must have");
    match &*block.kind.0 {
        "text" => Ok(Part::Text(block.text.ok_or_else(incomplete)?.0)),
        "image" => Ok(Part::Image {
            source: source(block.source.ok_or_else(incomplete)?, place)?,
            detail: None,
        }),
        "document" => Ok(Part::Document {
            source: source(block.source.ok_or_else(incomplete)?, place)?,
            name: block
                .title
                .and_then(|title| serde_json::from_str::<Text<'_>>(title.get()).ok())
                .map(|title| title.0),
        }),
        _ => Err(Unfit::Lacks(Need::Native)),
    }
}

fn source(json: &RawValue, place: Place) -> Result<Source<'_>, Unfit> {
    let source: SourceField<'_> = serde_json::from_str(json.get())
        .map_err(|_| place.wrong("must have a source of this API's shape"))?;
    let incomplete = || place.wrong("has a source that lacks a field");
    match &*source.kind.0 {
        "base64" => Ok(Source::Inline {
            media_type: source.media_type.ok_or_else(incomplete)?.0,
            data: source.data.ok_or_else(incomplete)?.0,
        }),
        "url" => Ok(Source::Url(source.url.ok_or_else(incomplete)?.0)),
        "text" => Ok(Source::Text(source.data.ok_or_else(incomplete)?.0)),
        "content" => joined(source.content.ok_or_else(incomplete)?),
        // A file that Anthropic keeps.
        _ => Err(Unfit::Lacks(Need::Native)),
    }
}

/// A document that is given as text, or in pieces of text.
fn joined(content: &RawValue) -> Result<Source<'_>, Unfit> {
    if let Ok(text) = serde_json::from_str::<Text<'_>>(content.get()) {
        return Ok(Source::Text(text.0));
    }
    let pieces = serde_json::from_str::<Vec<Words<'_>>>(content.get())
        .ok()
        .and_then(|pieces| {
            pieces
                .into_iter()
                .map(Words::text)
                .collect::<Option<Vec<_>>>()
        });
    match pieces {
        Some(pieces) => Ok(Source::Text(Cow::Owned(pieces.join("\n\n")))),
        None => Err(Unfit::Lacks(Need::Native)),
    }
}
