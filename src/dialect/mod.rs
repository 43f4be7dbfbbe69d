//! Wire formats: a folder each, with the same four files: parse, build, decode, encode.

mod carry;
mod dispatch;
pub mod openai;
mod promise;

pub use carry::{Carry, Malformed, Segments, Sink};
pub use dispatch::{
    Stream, build, end, failure, fault, fault_event, model, models, parse, path, promise, whole,
};
pub use promise::{Offered, Promise, PromisedText, ToolInput};
