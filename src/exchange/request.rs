//! What a client asks for, as far as routing, limits and the gate need to know it.

use bytes::Bytes;

use crate::exchange::Dialect;
use crate::json::Fields;
use crate::units::Tokens;

/// A parsed request. What the wire format says beyond these fields stays in `body`, untouched.
#[derive(Clone, Debug)]
pub struct Request {
    /// The format the client speaks.
    pub dialect: Dialect,
    /// What it asks for.
    pub task: Task,
    /// The model name asked for, decoded: the name of a route.
    pub model: String,
    /// Whole or streamed.
    pub delivery: Delivery,
    /// The caller's own bound on the answer, if it set one.
    pub max_output: Option<Tokens>,
    /// How many answers are wanted side by side (`n`), at least 1.
    pub choices: u32,
    /// The body as it came.
    pub body: Bytes,
    /// Where the top-level fields lie in `body`.
    pub fields: Fields,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// The next turn of a conversation.
    Chat,
    /// A text to go on with (`POST /v1/completions`).
    Completion,
    /// Vectors (`POST /v1/embeddings`).
    Embedding,
    /// The length of a prompt (`POST /v1/messages/count_tokens`).
    Count,
}

/// In what form an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// One JSON document.
    Whole,
    /// Server-sent events.
    Stream,
}

/// How the answer is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON document.
    Whole,
    /// Server-sent events.
    Stream(UsageWish),
}

impl Delivery {
    /// The form of the answer.
    pub fn form(self) -> Form {
        match self {
            Self::Whole => Form::Whole,
            Self::Stream(_) => Form::Stream,
        }
    }
}

/// Whether a streaming client asked to be told the usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageWish {
    /// `stream_options.include_usage` was true.
    Asked,
    /// It was not: a usage frame that we forced is stripped again.
    NotAsked,
}
