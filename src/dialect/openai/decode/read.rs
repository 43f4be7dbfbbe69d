//! Reads a document of an answer in one pass over its JSON.

use super::answer::{Answer, Beside, Choices, Part, What, named};
use crate::dialect::carry::Malformed;
use crate::dialect::failure;
use crate::dialect::leaf::Leaf;
use crate::dialect::name::Name;
use crate::exchange::{AsideKind, Finish};
use crate::json::{Invalid, Walk};

/// Reads the document into an answer that is still empty, if it is an object whose known fields have the types
/// they must have.
///
/// # Errors
/// [`Malformed`], with the place of the first byte that is no JSON.
pub(super) fn read<'a>(document: &'a str, answer: &mut Answer<'a>) -> Result<(), Malformed> {
    let mut walk = Walk::new(document.as_bytes());
    let is_object = walk.peek() == Some(b'{');
    Reader { document, answer }
        .document(&mut walk)
        .and_then(|()| walk.end())
        .map_err(|invalid| Malformed::not_json(document, invalid.offset))?;
    if !is_object || answer.misshapen {
        return Err(Malformed::Shape);
    }
    if answer.overfull {
        return Err(Malformed::TooMany);
    }
    Ok(())
}

/// Fills an answer while the walk goes on. Each part says in the answer what has the wrong type, and leaves it
/// to the walk to pass over it.
struct Reader<'d, 'a> {
    document: &'a str,
    answer: &'d mut Answer<'a>,
}

impl<'a> Reader<'_, 'a> {
    fn leaf(&self, walk: &mut Walk<'a>) -> Result<Leaf<'a>, Invalid> {
        Leaf::next(self.document, walk)
    }

    /// Whether the next value opens with this bracket. The walk passes over any other, and only null is right.
    fn opens(&mut self, bracket: u8, walk: &Walk<'_>) -> bool {
        let next = walk.peek();
        self.answer.misshapen |= ![Some(bracket), Some(b'n')].contains(&next);
        next == Some(bracket)
    }

    fn document(&mut self, walk: &mut Walk<'a>) -> Result<(), Invalid> {
        walk.fields(|walk, name| {
            match Name::of(name) {
                Name::Choices => return self.choices(walk),
                Name::Error => self.answer.errors.document = Some(self.leaf(walk)?),
                Name::Object => self.answer.object = Some(self.leaf(walk)?),
                Name::Usage => {
                    self.answer.beside = self.answer.beside.max(Beside::Usage);
                    self.answer.usages.document = Some(self.leaf(walk)?);
                }
                Name::XGroq => {
                    self.answer.beside = self.answer.beside.max(Beside::Usage);
                    self.leaf(walk)?.fields(|name, value| match name {
                        Name::Error => self.answer.errors.groq = Some(value),
                        Name::Usage => self.answer.usages.groq = Some(value),
                        _ => {}
                    });
                }
                Name::PromptFilterResults | Name::PromptAnnotations | Name::Moderation => {
                    self.answer.beside = Beside::Annotations;
                }
                Name::Other => {}
                name => {
                    let value = self.leaf(walk)?;
                    failure::flat(&mut self.answer.flat, name, value);
                }
            }
            Ok(())
        })
    }

    /// `choices`: null, or a list.
    fn choices(&mut self, walk: &mut Walk<'a>) -> Result<(), Invalid> {
        if !self.opens(b'[', walk) {
            return Ok(());
        }
        // Of a field that comes twice the last one counts, as in Python and JavaScript.
        self.answer.pieces.clear();
        self.answer.choices = Choices::None;
        let mut position = 0;
        walk.items(|walk| {
            self.answer.choices = Choices::Some;
            self.choice(position, walk)?;
            position += 1;
            Ok(())
        })
    }

    /// One choice. Without an index it is known by its position.
    fn choice(&mut self, position: u32, walk: &mut Walk<'a>) -> Result<(), Invalid> {
        if walk.peek() != Some(b'{') {
            self.answer.misshapen = true;
            return Ok(());
        }
        let first = self.answer.pieces.len();
        let mut beside = BesideContent::default();
        walk.fields(|walk, name| {
            match (Name::of(name), self.answer.part) {
                (Name::Index, _) => beside.index = Some(self.leaf(walk)?),
                (Name::Delta, Part::Delta) | (Name::Message, Part::Message) => {
                    beside.parted = true;
                    self.answer.pieces.truncate(first);
                    return self.content(walk);
                }
                (Name::Text, Part::Text | Part::WholeText) => {
                    beside.parted = true;
                    let text = self.leaf(walk)?;
                    self.answer.say(text, What::Text);
                }
                (Name::Logprobs, Part::Delta | Part::Message) => {
                    beside.logprobs = Some(self.leaf(walk)?);
                }
                (Name::FinishReason, _) => beside.reason = Some(self.leaf(walk)?),
                (Name::Error, _) => {
                    let error = self.leaf(walk)?;
                    if error.is_truthy() {
                        self.answer.errors.choice = Some(error);
                    }
                }
                (Name::Usage, _) => self.answer.usages.choice = Some(self.leaf(walk)?),
                _ => {}
            }
            Ok(())
        })?;
        self.close(first, position, &beside);
        Ok(())
    }

    /// What a choice has come to, once all its fields are known.
    fn close(&mut self, first: usize, position: u32, beside: &BesideContent<'a>) {
        let answer = &mut *self.answer;
        let finish = beside.reason.and_then(finish);
        let is_whole = matches!(answer.part, Part::Message | Part::WholeText);
        if is_whole && !beside.parted && finish.is_none() {
            answer.misshapen = true;
        }
        if beside.reason.is_some_and(breaks_off) {
            answer.broken_off = beside.reason;
        }
        if let Some(logprobs) = beside.logprobs {
            logprobs.fields(|name, list| match name {
                Name::Content => answer.aside(AsideKind::LogProbs, list),
                Name::Refusal => answer.aside(AsideKind::RefusalLogProbs, list),
                _ => {}
            });
        }
        answer.push(What::End(finish));
        let index = match beside.index.map(Leaf::json) {
            None | Some("null") => position,
            Some(index) => index.parse().unwrap_or_else(|_| {
                answer.misshapen = true;
                position
            }),
        };
        for piece in answer.pieces.iter_mut().skip(first) {
            piece.choice = index;
        }
    }

    /// A choice's `delta` or `message`: null, or an object.
    fn content(&mut self, walk: &mut Walk<'a>) -> Result<(), Invalid> {
        if !self.opens(b'{', walk) {
            return Ok(());
        }
        let mut reasoned = false;
        walk.fields(|walk, name| {
            let name = Name::of(name);
            if name == Name::Other {
                return Ok(());
            }
            let value = self.leaf(walk)?;
            match name {
                Name::Content => self.answer.content(value),
                // Some servers send the same text under both names.
                Name::Reasoning | Name::ReasoningContent if !reasoned => {
                    reasoned = value.words().is_some();
                    self.answer.say(value, What::Reasoning);
                }
                Name::Refusal => self.answer.say(value, What::Refusal),
                Name::ToolCalls => value.items(|call| self.answer.call(call)),
                Name::FunctionCall if value.is_object() => {
                    let (name, arguments) = named(value);
                    self.answer.push(What::Call {
                        index: Some(0),
                        id: None,
                        name,
                        arguments,
                    });
                }
                Name::Annotations => self.answer.aside(AsideKind::Annotations, value),
                Name::Audio | Name::Images if has_media(value) => self.answer.push(What::Media),
                _ => {}
            }
            Ok(())
        })
    }
}

/// What stands in a choice beside its content.
#[derive(Default)]
struct BesideContent<'a> {
    index: Option<Leaf<'a>>,
    reason: Option<Leaf<'a>>,
    logprobs: Option<Leaf<'a>>,
    parted: bool,
}

/// Whether there is sound in an `audio` (its first and last pieces may hold none), or an image in
/// an `images`.
fn has_media(media: Leaf<'_>) -> bool {
    let mut found = false;
    media.items(|_| found = true);
    media.fields(|name, value| {
        found |= matches!(name, Name::Data | Name::Transcript) && value.words().is_some();
    });
    found
}

/// Whether the reason says that the provider gave up: `error` (`OpenRouter`, Mistral), `abort` (vLLM,
/// `SGLang`), `insufficient_system_resource` (`DeepSeek`). To go on from there is to hand out a short
/// answer as a good one.
fn breaks_off(reason: Leaf<'_>) -> bool {
    let reason = reason.text();
    matches!(
        reason.as_deref(),
        Some("error" | "abort" | "insufficient_system_resource")
    )
}

/// The reason, or `None` for what ends nothing: null, an empty string, another type.
fn finish(reason: Leaf<'_>) -> Option<Finish> {
    Some(match reason.words()?.as_ref() {
        "stop" | "eos" => Finish::Stop,
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        _ => Finish::Other,
    })
}
