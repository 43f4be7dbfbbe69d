//! Wire formats: a folder each, with the same four files: parse, build, decode, encode.

mod carry;
pub mod openai;

pub use carry::{Carry, Malformed};
