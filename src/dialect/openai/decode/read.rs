//! Reads a document of an answer in one pass over its JSON.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::answer::{Answer, Beside, Choices, Part, What, named};
use crate::dialect::carry::Malformed;
use crate::dialect::failure;
use crate::dialect::leaf::Leaf;
use crate::dialect::name::Name;
use crate::exchange::{AsideKind, Finish};

/// Reads the document into an answer that is still empty, if it is an object whose known fields have the types
/// they must have.
pub(super) fn read<'a>(document: &'a str, answer: &mut Answer<'a>) -> Result<(), Malformed> {
    let mut json = serde_json::Deserializer::from_str(document);
    json.deserialize_map(Document(answer))
        .and_then(|()| json.end())
        .map_err(|error| malformed(&error))?;
    if answer.overfull {
        Err(Malformed::TooMany)
    } else {
        Ok(())
    }
}

fn leaf<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Leaf<'de>, A::Error> {
    Ok(map.next_value::<&RawValue>()?.into())
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// The document: an object.
struct Document<'d, 'a>(&'d mut Answer<'a>);

impl<'de> Visitor<'de> for Document<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a part of an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let answer = self.0;
        while let Some(name) = map.next_key::<Name>()? {
            match name {
                Name::Choices => map.next_value_seed(ChoiceList(answer))?,
                Name::Error => answer.errors.document = Some(leaf(&mut map)?),
                Name::Object => answer.object = Some(leaf(&mut map)?),
                Name::Usage => {
                    answer.beside = answer.beside.max(Beside::Usage);
                    answer.usages.document = Some(leaf(&mut map)?);
                }
                Name::XGroq => {
                    answer.beside = answer.beside.max(Beside::Usage);
                    leaf(&mut map)?.fields(|name, value| match name {
                        Name::Error => answer.errors.groq = Some(value),
                        Name::Usage => answer.usages.groq = Some(value),
                        _ => {}
                    });
                }
                Name::PromptFilterResults | Name::PromptAnnotations | Name::Moderation => {
                    answer.beside = Beside::Annotations;
                    skip(&mut map)?;
                }
                Name::Other => skip(&mut map)?,
                name => failure::flat(&mut answer.flat, name, leaf(&mut map)?),
            }
        }
        Ok(())
    }
}

/// `choices`: null, or a list.
struct ChoiceList<'d, 'a>(&'d mut Answer<'a>);

impl<'de> DeserializeSeed<'de> for ChoiceList<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ChoiceList<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of choices")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let answer = self.0;
        // Of a field that comes twice the last one counts, as in Python and JavaScript.
        answer.pieces.clear();
        answer.choices = Choices::None;
        let mut position = 0;
        while seq
            .next_element_seed(Choice { answer, position })?
            .is_some()
        {
            answer.choices = Choices::Some;
            position += 1;
        }
        Ok(())
    }
}

/// One choice. Without an index it is known by its position.
struct Choice<'d, 'a> {
    answer: &'d mut Answer<'a>,
    position: u32,
}

impl<'de> DeserializeSeed<'de> for Choice<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Choice<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a choice with an index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { answer, position } = self;
        let first = answer.pieces.len();
        let (mut index, mut reason, mut parted, mut logprobs) = (position, None, false, None);
        while let Some(name) = map.next_key::<Name>()? {
            match (name, answer.part) {
                (Name::Index, _) => {
                    index = map.next_value::<Option<u32>>()?.unwrap_or(position);
                }
                (Name::Delta, Part::Delta) | (Name::Message, Part::Message) => {
                    parted = true;
                    answer.pieces.truncate(first);
                    map.next_value_seed(Content(answer))?;
                }
                (Name::Text, Part::Text | Part::WholeText) => {
                    parted = true;
                    answer.say(leaf(&mut map)?, What::Text);
                }
                (Name::Logprobs, Part::Delta | Part::Message) => logprobs = Some(leaf(&mut map)?),
                (Name::FinishReason, _) => reason = Some(leaf(&mut map)?),
                (Name::Error, _) => {
                    let error = leaf(&mut map)?;
                    if error.is_truthy() {
                        answer.errors.choice = Some(error);
                    }
                }
                (Name::Usage, _) => answer.usages.choice = Some(leaf(&mut map)?),
                _ => skip(&mut map)?,
            }
        }
        let finish = reason.and_then(finish);
        let is_whole = matches!(answer.part, Part::Message | Part::WholeText);
        if is_whole && !parted && finish.is_none() {
            return Err(A::Error::custom("a choice without a message"));
        }
        if reason.is_some_and(breaks_off) {
            answer.broken_off = reason;
        }
        if let Some(logprobs) = logprobs {
            logprobs.fields(|name, list| match name {
                Name::Content => answer.aside(AsideKind::LogProbs, list),
                Name::Refusal => answer.aside(AsideKind::RefusalLogProbs, list),
                _ => {}
            });
        }
        answer.push(What::End(finish));
        for piece in answer.pieces.iter_mut().skip(first) {
            piece.choice = index;
        }
        Ok(())
    }
}

/// A choice's `delta` or `message`: null, or an object.
struct Content<'d, 'a>(&'d mut Answer<'a>);

impl<'de> DeserializeSeed<'de> for Content<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Content<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a message or a piece of one")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let answer = self.0;
        let mut reasoned = false;
        while let Some(name) = map.next_key::<Name>()? {
            match name {
                Name::Content => answer.content(leaf(&mut map)?),
                // Some servers send the same text under both names.
                Name::Reasoning | Name::ReasoningContent => {
                    let text = leaf(&mut map)?;
                    if !reasoned {
                        reasoned = text.words().is_some();
                        answer.say(text, What::Reasoning);
                    }
                }
                Name::Refusal => answer.say(leaf(&mut map)?, What::Refusal),
                Name::ToolCalls => leaf(&mut map)?.items(|call| answer.call(call)),
                Name::FunctionCall => {
                    let call = leaf(&mut map)?;
                    if call.is_object() {
                        let (name, arguments) = named(call);
                        answer.push(What::Call {
                            index: Some(0),
                            id: None,
                            name,
                            arguments,
                        });
                    }
                }
                Name::Annotations => answer.aside(AsideKind::Annotations, leaf(&mut map)?),
                Name::Audio | Name::Images => {
                    if has_media(leaf(&mut map)?) {
                        answer.push(What::Media);
                    }
                }
                _ => skip(&mut map)?,
            }
        }
        Ok(())
    }
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
