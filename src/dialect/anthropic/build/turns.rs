//! The turns as messages: what neighbours of one role say in one message, results of calls first.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::media::{self, Source};
use crate::dialect::anthropic::{id, input};
use crate::dialect::ask::Unfit;
use crate::exchange::{Conversation, Need, Part, Speaker, Turn};

/// Stands before an assistant's turn that would be the first.
const OPENING: &str = ".";
/// Stands after an assistant's turn that is not to be gone on with in place.
const GO_ON: &str = "Continue.";

/// An element of `messages`.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    role: Role,
    content: Vec<Block<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Assistant,
}

/// Whose turn may be the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// The user's: an assistant's would be refused, or not gone on with.
    User,
    /// An assistant's too: the model goes on with it.
    Either,
}

/// An element of a message's content.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Content<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    },
}

/// The content of a result.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Blocks(Vec<Block<'a>>),
}

/// The messages, the first of which is the user's.
pub(super) fn messages<'a>(
    conversation: &'a Conversation<'a>,
    last: Last,
) -> Result<Vec<Message<'a>>, Unfit> {
    let mut messages: Vec<Message<'a>> = Vec::with_capacity(conversation.turns.len() + 1);
    let mut ids = Ids::default();
    for turn in &conversation.turns {
        for part in &turn.parts {
            let role = role(turn, part);
            let Some(block) = block(part, role, &mut ids)? else {
                continue;
            };
            match messages.last_mut() {
                Some(message) if message.role == role => message.content.push(block),
                _ => messages.push(Message {
                    role,
                    content: vec![block],
                }),
            }
        }
    }
    for message in &mut messages {
        // Results come first, calls last; the sort is stable.
        message.content.sort_by_key(Block::rank);
    }
    trim_end(&mut messages);
    let opens = messages.first().map(|message| message.role);
    if opens != Some(Role::User) {
        messages.insert(0, says(Role::User, OPENING));
    }
    if messages.last().map(|message| message.role) == Some(Role::Assistant) && last == Last::User {
        messages.push(says(Role::User, GO_ON));
    }
    Ok(messages)
}

fn says(role: Role, text: &str) -> Message<'_> {
    Message {
        role,
        content: vec![Block::Text { text }],
    }
}

/// A final text of the assistant that ends in white space is refused.
fn trim_end(messages: &mut Vec<Message<'_>>) {
    let Some(last) = messages.last_mut() else {
        return;
    };
    if last.role == Role::Assistant
        && let Some(Block::Text { text }) = last.content.last_mut()
    {
        // Never to nothing: blank texts are not blocks.
        *text = text.trim_end();
    }
}

fn role(turn: &Turn<'_>, part: &Part<'_>) -> Role {
    match part {
        Part::ToolCall { .. } => return Role::Assistant,
        Part::ToolResult { .. } => return Role::User,
        _ => {}
    }
    match turn.speaker {
        Speaker::Assistant => Role::Assistant,
        // Few models take instructions between the turns.
        Speaker::User | Speaker::System => Role::User,
    }
}

impl Block<'_> {
    fn rank(&self) -> u8 {
        match self {
            Self::ToolResult { .. } => 0,
            Self::Text { .. } | Self::Image { .. } | Self::Document { .. } => 1,
            Self::ToolUse { .. } => 2,
        }
    }
}

/// The part as a block; `None` for what is left out.
fn block<'a>(
    part: &'a Part<'a>,
    role: Role,
    ids: &mut Ids<'a>,
) -> Result<Option<Block<'a>>, Unfit> {
    match part {
        // Thoughts are only good for the vendor that had them.
        Part::Reasoning { .. } => Ok(None),
        Part::ToolCall {
            id,
            name,
            arguments,
            ..
        } => Ok(Some(Block::ToolUse {
            id: ids.call(id),
            name,
            input: input::object(arguments),
        })),
        Part::ToolResult {
            id,
            parts,
            is_error,
        } => Ok(Some(Block::ToolResult {
            tool_use_id: ids.result(id),
            content: content(parts)?,
            is_error: is_error.then_some(true),
        })),
        Part::Image { .. } if role == Role::Assistant => Err(Unfit::Lacks(Need::Images)),
        Part::Document { .. } if role == Role::Assistant => Err(Unfit::Lacks(Need::Documents)),
        shown => self::shown(shown),
    }
}

/// What a message and a result alike may hold.
fn shown<'a>(part: &'a Part<'a>) -> Result<Option<Block<'a>>, Unfit> {
    Ok(Some(match part {
        // Blank ones are refused.
        Part::Text(text) if text.trim().is_empty() => return Ok(None),
        Part::Text(text) => Block::Text { text },
        Part::Image { source, .. } => Block::Image {
            source: media::image(source)?,
        },
        Part::Document { source, name } => Block::Document {
            source: media::document(source)?,
            title: name.as_deref().filter(|name| !name.is_empty()),
        },
        Part::Audio { .. } => return Err(Unfit::Lacks(Need::AudioIn)),
        Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => {
            return Ok(None);
        }
    }))
}

fn content<'a>(parts: &'a [Part<'a>]) -> Result<Content<'a>, Unfit> {
    match parts {
        [] => Ok(Content::Text("")),
        [Part::Text(text)] => Ok(Content::Text(text)),
        parts => {
            let blocks = parts.iter().filter_map(|part| shown(part).transpose());
            Ok(Content::Blocks(blocks.collect::<Result<_, _>>()?))
        }
    }
}

/// The ids of calls and results. Some providers begin anew with each answer, or have none; here
/// each call of the conversation must have its own.
#[derive(Default)]
struct Ids<'a> {
    /// How many calls there were of each id.
    calls: HashMap<&'a str, u32>,
    /// How many results without an id there were.
    nameless: u32,
}

impl<'a> Ids<'a> {
    fn call(&mut self, id: &'a str) -> Cow<'a, str> {
        let nth = self.calls.entry(id).or_default();
        *nth += 1;
        numbered(id, *nth)
    }

    fn result(&mut self, id: &'a str) -> Cow<'a, str> {
        if id.is_empty() {
            self.nameless += 1;
            return numbered(id, self.nameless);
        }
        numbered(id, self.calls.get(id).copied().unwrap_or(1))
    }
}

fn numbered(id: &str, nth: u32) -> Cow<'_, str> {
    match (id, nth) {
        ("", nth) => Cow::Owned(format!("call_{nth}")),
        (id, 0 | 1) => id::fit(id),
        (id, nth) => id::fit(&format!("{id}:{nth}")).into_owned().into(),
    }
}
