//! A whole answer as one document.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::frames::{Calls, Counts, Ending, Refused};
use crate::dialect::anthropic::{id, input};
use crate::dialect::voices::Label;
use crate::exchange::{Answer, Choice, Piece};

#[derive(Serialize)]
struct Message<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    #[serde(flatten)]
    ending: Ending,
    usage: Counts,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
    },
}

/// A whole answer. The format has one: of several side by side, the first.
pub fn whole(answer: &Answer, label: &Label<'_>) -> Bytes {
    let choice = answer.choices.iter().min_by_key(|choice| choice.index);
    let pieces = choice.map_or(&[][..], |choice| &choice.pieces);
    let content = pieces.iter().enumerate();
    let message = Message {
        id: format!("msg_{}", label.id),
        r#type: "message",
        role: "assistant",
        model: label.model,
        content: content
            .filter_map(|(at, piece)| block(piece, at, label))
            .collect(),
        ending: ending(choice),
        usage: answer.usage.into(),
    };
    super::json(&message)
}

fn ending(choice: Option<&Choice>) -> Ending {
    let pieces = choice.map_or(&[][..], |choice| &choice.pieces);
    let has = |wanted: fn(&Piece) -> bool| pieces.iter().any(wanted);
    let calls = if has(|piece| matches!(piece, Piece::Call { .. })) {
        Calls::Some
    } else {
        Calls::None
    };
    let refused = if has(|piece| matches!(piece, Piece::Refusal(text) if !text.is_empty())) {
        Refused::Yes
    } else {
        Refused::No
    };
    Ending::new(choice.and_then(|choice| choice.finish), calls, refused)
}

fn block<'a>(piece: &'a Piece, at: usize, label: &Label<'_>) -> Option<Block<'a>> {
    match piece {
        Piece::Text(text) | Piece::Refusal(text) if text.is_empty() => None,
        Piece::Text(text) | Piece::Refusal(text) => Some(Block::Text { text }),
        Piece::Reasoning { text, signature } => Some(Block::Thinking {
            thinking: text,
            signature,
        }),
        Piece::Call {
            id,
            name,
            arguments,
            ..
        } => Some(Block::ToolUse {
            id: match &**id {
                "" => id::made_up(label.id, u32::try_from(at).unwrap_or(u32::MAX)).into(),
                id => id::fit(id),
            },
            name,
            input: input::object(arguments),
        }),
    }
}
