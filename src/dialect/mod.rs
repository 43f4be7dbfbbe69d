//! Wire formats: a folder each, with the same files: parse and encode for what clients speak, build
//! and decode for what providers speak. Between two formats a request goes by way of
//! `exchange::Conversation`, an answer by way of its events.

mod about;
pub mod anthropic;
mod ask;
mod carry;
mod classify;
mod counted;
mod dispatch;
mod failure;
mod fate;
mod field;
mod fit;
pub mod gemini;
mod hear;
mod leaf;
mod name;
mod needs;
pub mod openai;
mod profile;
mod promise;
mod prompt;
mod tokens;
mod voices;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod needs_tests;
#[cfg(test)]
mod tests;

pub use about::{About, about};
pub use ask::{Ask, Recipient, Unfit};
pub use carry::{Carry, Malformed, Segments, Sink};
pub use classify::classify;
pub use dispatch::{
    build, conversation, count, failure, fault, fault_event, model, models, parse, path, promise,
};
pub use fit::lowered;
pub use hear::{Stream, Told, whole};
pub use needs::{Length, Wants, Watched, asked_json, input, lost, prompt, wants};
pub use profile::{Auth, Change, OwnChange, Paths, Profile};
pub use promise::{Offered, Promise, PromisedText, ToolInput};
pub use prompt::Asked;
pub use tokens::{load as load_tokenizer, tokens};
pub use voices::{Label, Voices};
