//! Anthropic Messages.

pub mod build;
pub mod decode;
pub mod encode;
mod id;
mod input;
pub mod needs;
pub mod parse;
pub mod promise;
mod text;

#[cfg(test)]
mod grammar;
#[cfg(test)]
mod tests;
