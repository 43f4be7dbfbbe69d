//! What the simulator does with one request, as data and as text (`status=429,retry_after=2`).
//! docs/simulator.md lists the keys.

mod error;
mod item;
mod model;
mod parse;
mod show;
mod value;
mod words;

pub use error::ParseError;
pub use model::{
    Chunks, Content, Counting, DEFAULT_TOKENS, Done, Drip, Encoding, ErrorText, Fault, FaultKind,
    Finish, Framing, Length, Newline, Point, Reading, Role, Script, Shape, Usage,
};

pub(crate) use parse::list;
pub(crate) use words::is_canary;

#[cfg(test)]
mod tests;
