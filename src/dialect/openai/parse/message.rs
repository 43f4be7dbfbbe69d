//! `messages` in neutral words.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::Place;
use super::source;
use super::text::Text;
use crate::dialect::ask::Unfit;
use crate::exchange::{Conversation, Need, Part, Source, Speaker, Turn};

const MESSAGES: &str = "messages";

/// An element of `messages`.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow)]
    function_call: Option<Function<'a>>,
    #[serde(borrow)]
    tool_call_id: Option<Text<'a>>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
}

/// An element of `tool_calls`.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
    #[serde(borrow)]
    extra_content: Option<Extra<'a>>,
}

/// A call's name and arguments.
#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// Where Gemini's compatible endpoint keeps the seal of a call (its documentation, "Thought
/// signatures").
#[derive(Deserialize)]
struct Extra<'a> {
    #[serde(borrow)]
    google: Option<Google<'a>>,
}

#[derive(Deserialize)]
struct Google<'a> {
    #[serde(borrow)]
    thought_signature: Option<Text<'a>>,
}

/// A part of a message's content.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow)]
    input_audio: Option<Sound<'a>>,
    #[serde(borrow)]
    file: Option<Attached<'a>>,
}

#[derive(Deserialize)]
struct Image<'a> {
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    detail: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Sound<'a> {
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow)]
    format: Text<'a>,
}

#[derive(Deserialize)]
struct Attached<'a> {
    #[serde(borrow)]
    #[serde(rename = "file_data")]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    #[serde(rename = "file_id")]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    filename: Option<Text<'a>>,
}

/// Reads the messages into the conversation.
pub(super) fn read<'a>(json: &'a str, into: &mut Conversation<'a>) -> Result<(), Unfit> {
    let messages = Place::list::<Message<'a>>(MESSAGES, json)?;
    into.turns.reserve(messages.len());
    // Functions, which came before tools, have no ids: the results follow their calls.
    let mut functions = 0_u32;
    for (index, message) in messages.into_iter().enumerate() {
        let at = Place::Inside(MESSAGES, index, "content");
        match &*message.role.0 {
            "system" | "developer" => system(message.content, at, into)?,
            "user" => into.turns.push(Turn {
                speaker: Speaker::User,
                parts: parts(message.content, at)?,
            }),
            "assistant" => {
                functions += u32::from(message.function_call.is_some());
                let parts = assistant(message, index, functions)?;
                into.turns.push(Turn {
                    speaker: Speaker::Assistant,
                    parts,
                });
            }
            "tool" => {
                let Some(Text(id)) = message.tool_call_id else {
                    let at = Place::Inside(MESSAGES, index, "tool_call_id");
                    return Err(at.refuse("is missing"));
                };
                into.turns.push(result(id, parts(message.content, at)?));
            }
            "function" => {
                let id = Cow::Owned(function_id(functions));
                into.turns.push(result(id, parts(message.content, at)?));
            }
            _ => {
                let at = Place::Inside(MESSAGES, index, "role");
                return Err(at.refuse("is none that other formats know"));
            }
        }
    }
    Ok(())
}

fn function_id(count: u32) -> String {
    format!("call_function_{count}")
}

fn result<'a>(id: Cow<'a, str>, parts: Vec<Part<'a>>) -> Turn<'a> {
    Turn {
        speaker: Speaker::User,
        parts: vec![Part::ToolResult {
            id,
            parts,
            is_error: false,
        }],
    }
}

/// Before the first turn it is the conversation's, later a turn of its own.
fn system<'a>(
    content: Option<&'a RawValue>,
    at: Place,
    into: &mut Conversation<'a>,
) -> Result<(), Unfit> {
    let parts = parts(content, at)?;
    if !into.turns.is_empty() {
        into.turns.push(Turn {
            speaker: Speaker::System,
            parts,
        });
        return Ok(());
    }
    for part in parts {
        let Part::Text(text) = part else {
            return Err(at.refuse("must be text"));
        };
        into.system.push(text);
    }
    Ok(())
}

fn assistant(message: Message<'_>, index: usize, functions: u32) -> Result<Vec<Part<'_>>, Unfit> {
    if message.audio.is_some() {
        // The sound of an earlier answer, which its vendor keeps.
        return Err(Unfit::Lacks(Need::Native));
    }
    let mut said = Vec::new();
    let thoughts = message.reasoning_content.or(message.reasoning);
    if let Some(text) = thoughts.and_then(words) {
        said.push(Part::Reasoning {
            text,
            signature: None,
        });
    }
    said.extend(parts(
        message.content,
        Place::Inside(MESSAGES, index, "content"),
    )?);
    said.extend(message.refusal.and_then(Text::filled).map(Part::Text));
    for call in message.tool_calls.unwrap_or_default() {
        let Some(function) = call.function else {
            return Err(Unfit::Lacks(Need::NativeTools));
        };
        let signature = call.extra_content.and_then(|extra| extra.google);
        said.push(Part::ToolCall {
            id: call.id.map(|Text(id)| id).unwrap_or_default(),
            name: function.name.0,
            arguments: arguments(function.arguments),
            signature: signature
                .and_then(|google| google.thought_signature)
                .and_then(Text::filled),
        });
    }
    if let Some(function) = message.function_call {
        said.push(Part::ToolCall {
            id: Cow::Owned(function_id(functions)),
            name: function.name.0,
            arguments: arguments(function.arguments),
            signature: None,
        });
    }
    Ok(said)
}

/// As a rule a string of JSON; an object where it came from an older Mistral.
fn arguments(value: Option<&RawValue>) -> Cow<'_, str> {
    let Some(value) = value else {
        return Cow::Borrowed("");
    };
    match serde_json::from_str::<Text<'_>>(value.get()) {
        Ok(Text(text)) => text,
        Err(_) => Cow::Borrowed(value.get()),
    }
}

/// A text that is not empty; none of another type.
fn words(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get())
        .ok()
        .and_then(Text::filled)
}

/// A string, a list of parts, or nothing. Empty texts are left out.
fn parts(content: Option<&RawValue>, at: Place) -> Result<Vec<Part<'_>>, Unfit> {
    let Some(content) = content else {
        return Ok(Vec::new());
    };
    if content.get().starts_with('[') {
        let pieces: Vec<Piece<'_>> = at.read(content.get())?;
        let parts = pieces.into_iter().map(|piece| part(piece, at));
        return parts.filter_map(Result::transpose).collect();
    }
    let text: Text<'_> = at.read(content.get())?;
    Ok(text.filled().map(Part::Text).into_iter().collect())
}

/// One part; none for an empty text.
fn part(piece: Piece<'_>, at: Place) -> Result<Option<Part<'_>>, Unfit> {
    let missing = || at.refuse("has a part without what its type names");
    let kind = piece.kind.as_ref().map(|kind| &*kind.0);
    Ok(Some(match kind {
        Some("text") | None => {
            let text = piece.text.ok_or_else(missing)?;
            return Ok(text.filled().map(Part::Text));
        }
        Some("refusal") => {
            let text = piece.refusal.ok_or_else(missing)?;
            return Ok(text.filled().map(Part::Text));
        }
        // Mistral's own.
        Some("thinking") => Part::Reasoning {
            text: piece.thinking.and_then(words).unwrap_or_default(),
            signature: None,
        },
        Some("image_url") => image(piece.image_url.ok_or_else(missing)?, at)?,
        Some("input_audio") => {
            let sound = piece.input_audio.ok_or_else(missing)?;
            Part::Audio {
                media_type: Cow::Owned(format!("audio/{}", sound.format.0)),
                data: sound.data.0,
            }
        }
        Some("file") => file(piece.file.ok_or_else(missing)?, at)?,
        // Parts of one vendor's making: to leave one out would change what is asked.
        Some(_) => return Err(Unfit::Lacks(Need::Native)),
    }))
}

/// An object, or the URL alone (Mistral).
fn image(value: &RawValue, at: Place) -> Result<Part<'_>, Unfit> {
    let image = if value.get().starts_with('"') {
        Image {
            url: at.read(value.get())?,
            detail: None,
        }
    } else {
        at.read(value.get())?
    };
    let source = source::source(image.url.0);
    Ok(match source {
        Some(source @ (Source::Inline { .. } | Source::Url(_))) => Part::Image {
            source,
            detail: image.detail.and_then(Text::filled),
        },
        Some(Source::Text(_)) | None => {
            return Err(at.refuse("has an image that is no base64"));
        }
    })
}

fn file(file: Attached<'_>, at: Place) -> Result<Part<'_>, Unfit> {
    let Some(Text(data)) = file.data else {
        // A file that the vendor keeps, or nothing at all.
        return Err(match file.id {
            Some(_) => Unfit::Lacks(Need::Native),
            None => at.refuse("has a file without data"),
        });
    };
    let is_url = data.contains(':');
    let source = if is_url {
        source::source(data)
    } else {
        Some(source::bare(data))
    };
    Ok(Part::Document {
        source: source.ok_or_else(|| at.refuse("has a file that is no base64"))?,
        name: file.filename.and_then(Text::filled),
    })
}
