//! Anthropic Messages.

pub mod build;
pub mod decode;
pub mod encode;
pub mod needs;
pub mod parse;
pub mod promise;
