//! Server-sent events: bytes to frames and back. Knows no JSON and does no I/O.
//!
//! The grammar is that of the WHATWG HTML standard, section 9.2.6 ("Interpreting an event
//! stream"), on bytes: what the standard decodes with replacement characters passes through
//! unchanged, and a line ends at LF, CR or CRLF and nowhere else (never at U+2028).

mod decode;
mod encode;
mod frame;
mod lines;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

pub use decode::{Decoder, TooLong};
pub use encode::{comment, encode};
pub use frame::Frame;

const CR: u8 = b'\r';
const LF: u8 = b'\n';
