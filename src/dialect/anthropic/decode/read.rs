//! The documents of an answer, as far as they are looked at. A value whose type depends on another
//! field stays JSON until that is known.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::anthropic::input::compact;
use crate::dialect::anthropic::text::Text;
use crate::exchange::Finish;

/// The document of a frame, or of a whole answer.
#[derive(Deserialize)]
pub(super) struct Document<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// A number; of another type, none: events that we do not know may have anything there.
fn lenient<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Option<u32>, D::Error> {
    let value: &RawValue = Deserialize::deserialize(json)?;
    Ok(value.get().parse().ok())
}

impl Document<'_> {
    /// Whether it reports an error, by its type or, as some gateways do, without one.
    pub(super) fn is_error(&self) -> bool {
        let said = self.error.is_some_and(|error| {
            error.get().starts_with(['{', '['])
                || error.get().starts_with('"') && error.get() != "\"\""
        });
        match &self.kind {
            Some(kind) => kind.is("error"),
            None => said,
        }
    }
}

/// What a document of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    MessageStart,
    BlockStart,
    BlockDelta,
    BlockStop,
    MessageDelta,
    MessageStop,
    Ping,
    Unknown,
}

impl Top {
    /// By its own type, else by the name of its event; without both it is nothing.
    pub(super) fn of(document: &Document<'_>, event: Option<&str>) -> Option<Self> {
        let own = document.kind.as_ref().map(|kind| &*kind.0);
        Some(match own.or(event)? {
            "message_start" => Self::MessageStart,
            "content_block_start" => Self::BlockStart,
            "content_block_delta" => Self::BlockDelta,
            "content_block_stop" => Self::BlockStop,
            "message_delta" => Self::MessageDelta,
            "message_stop" => Self::MessageStop,
            "ping" => Self::Ping,
            _ => Self::Unknown,
        })
    }
}

/// A message, or the `delta` of one.
#[derive(Default, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

impl Message<'_> {
    /// Why it ended, if it did.
    pub(super) fn finish(&self) -> Option<Finish> {
        Some(match &*self.stop_reason.as_ref()?.0 {
            "" => return None,
            "end_turn" | "stop_sequence" | "pause_turn" => Finish::Stop,
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" => Finish::ToolCalls,
            "refusal" => Finish::ContentFilter,
            _ => Finish::Other,
        })
    }
}

/// A block of content.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// What a block is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Text,
    Thinking,
    ToolUse,
    /// A piece of the answer that is no text: what the provider's own tools did.
    Media,
    Other,
}

impl<'a> Block<'a> {
    pub(super) fn kind(&self) -> BlockKind {
        match &*self.kind.0 {
            "text" => BlockKind::Text,
            "thinking" => BlockKind::Thinking,
            "tool_use" => BlockKind::ToolUse,
            "image" | "document" | "container_upload" => BlockKind::Media,
            kind if kind.ends_with("_tool_use") || kind.ends_with("_tool_result") => {
                BlockKind::Media
            }
            _ => BlockKind::Other,
        }
    }

    /// The input's JSON; an empty object where there is none.
    pub(super) fn input_text(&self) -> Cow<'a, str> {
        match self.input {
            Some(input) if input.get().starts_with('{') => compact(input.get()),
            _ => Cow::Borrowed("{}"),
        }
    }
}

/// A piece of a block.
#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) partial_json: Option<Text<'a>>,
}
