//! `OpenAI` Chat Completions.

pub mod decode;
pub mod encode;
