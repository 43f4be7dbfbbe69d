//! The waist: the neutral words that every room above shares. Pure data, no I/O.

mod answer;
mod class;
mod conversation;
mod event;
mod fault;
mod need;
mod pseudonym;
mod request;
mod usage;

pub use answer::{Answer, Choice, Piece};
pub use class::Class;
pub use conversation::{
    Conversation, Effort, Format, Part, Sampling, Source, Speaker, Tool, ToolChoice, Turn,
};
pub use event::{AsideKind, Event, Failure, Finish, Signed};
pub use fault::{Fault, FaultKind};
pub use need::{Abilities, Need, Needs, Prefill, Sampled, Thinking, Tokenizer};
pub use pseudonym::Pseudonym;
pub use request::{Delivery, Form, Request, Task, UsageWish};
pub use usage::{Bill, Measure, Trust, Usage};

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `OpenAI` Chat Completions, and what goes with it: completions, embeddings.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `generateContent`; providers only.
    Gemini,
}

impl Dialect {
    /// The name used in config, metrics and docs.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}
