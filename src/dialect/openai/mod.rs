//! `OpenAI` Chat Completions.

pub mod build;
pub mod decode;
pub mod encode;
pub mod parse;

#[cfg(test)]
mod tests;
