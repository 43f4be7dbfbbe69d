//! `OpenAI` Chat Completions.

pub mod build;
pub mod decode;
pub mod encode;
pub mod parse;
pub mod promise;

/// The endpoint's path below a provider's base URL, which ends in `/v1`.
pub const PATH: &str = "/chat/completions";

#[cfg(test)]
mod tests;
