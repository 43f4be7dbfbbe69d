//! The documents of an answer, as they are written.

use bytes::{BufMut as _, BytesMut};
use serde::Serialize;

use crate::exchange::{Finish, Usage};

/// A document of a stream.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Frame<'a> {
    MessageStart {
        message: Start<'a>,
    },
    ContentBlockStart {
        index: u32,
        content_block: &'a Opening<'a>,
    },
    ContentBlockDelta {
        index: u32,
        delta: Delta<'a>,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: Ending,
        usage: Counts,
    },
    MessageStop,
    Ping,
}

impl Frame<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Ping => "ping",
        }
    }

    /// Writes the frame. The document is one line, for JSON has no line ends but in escapes.
    pub(super) fn put(&self, out: &mut BytesMut) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(self.name().as_bytes());
        out.extend_from_slice(b"\ndata: ");
        // Memory takes whatever is written, and strings and numbers always serialise.
        let _ = serde_json::to_writer((&mut *out).writer(), self);
        out.extend_from_slice(b"\n\n");
    }
}

/// The message that a stream begins with.
#[derive(Serialize)]
pub(super) struct Start<'a> {
    pub(super) id: &'a str,
    pub(super) r#type: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: [(); 0],
    pub(super) stop_reason: Option<&'static str>,
    pub(super) stop_sequence: Option<&'static str>,
    pub(super) usage: Counts,
}

/// The block that a `content_block_start` opens.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Opening<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Nothing,
    },
}

/// `{}`.
#[derive(Serialize)]
pub(super) struct Nothing {}

#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
}

/// Why an answer ended, as a stream and a whole answer say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Ending {
    #[serde(rename = "stop_reason")]
    reason: &'static str,
    /// Other formats do not say which.
    #[serde(rename = "stop_sequence")]
    sequence: Option<&'static str>,
    #[serde(rename = "stop_details", skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Details {
    r#type: &'static str,
    category: Option<&'static str>,
    explanation: Option<&'static str>,
}

impl Ending {
    /// The reason, given what the answer had. Only a good end becomes a call, or a refusal.
    pub(super) fn new(finish: Option<Finish>, has_calls: Calls, refused: Refused) -> Self {
        let reason = match (finish, has_calls, refused) {
            (Some(Finish::Length), ..) => "max_tokens",
            (Some(Finish::ContentFilter), ..) | (_, _, Refused::Yes) => "refusal",
            (_, Calls::Some, _) => "tool_use",
            (Some(Finish::Stop | Finish::ToolCalls | Finish::Other) | None, ..) => "end_turn",
        };
        Self {
            reason,
            sequence: None,
            details: (reason == "refusal").then_some(Details {
                r#type: "refusal",
                category: None,
                explanation: None,
            }),
        }
    }
}

/// Whether an answer has calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    None,
    Some,
}

/// Whether an answer has a text that its provider marks as a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Refused {
    #[default]
    No,
    Yes,
}

/// What an answer took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct OutputDetails {
    thinking_tokens: u64,
}

impl From<Option<Usage>> for Counts {
    /// The input without its cached parts; zeros where nothing is known, for the SDKs want numbers.
    fn from(usage: Option<Usage>) -> Self {
        let usage = usage.unwrap_or_default();
        let cached = usage.cached.0.saturating_add(usage.cache_write.0);
        Self {
            input_tokens: usage.input.0.saturating_sub(cached),
            cache_creation_input_tokens: usage.cache_write.0,
            cache_read_input_tokens: usage.cached.0,
            output_tokens: usage.output.0,
            output_tokens_details: (usage.reasoning.0 > 0).then_some(OutputDetails {
                thinking_tokens: usage.reasoning.0,
            }),
        }
    }
}
