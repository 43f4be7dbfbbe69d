//! Wire formats: a folder each, with the same four files: parse, build, decode, encode.

mod carry;
mod classify;
mod dispatch;
pub mod openai;
mod promise;

#[cfg(test)]
mod tests;

pub use carry::{Carry, Malformed, Segments, Sink};
pub use classify::classify;
pub use dispatch::{
    Stream, build, end, failure, fault, fault_event, model, models, parse, path, promise, whole,
};
pub use promise::{Offered, Promise, PromisedText, ToolInput};
