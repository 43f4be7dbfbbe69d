//! Wire formats: a folder each, with the same four files: parse, build, decode, encode.

pub mod openai;
