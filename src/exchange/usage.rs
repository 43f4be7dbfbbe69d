//! Token counts of one answer.

use crate::units::Tokens;

/// What a provider says an answer took. Parts are contained in their totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input, cached or not.
    pub input: Tokens,
    /// The part of `input` that was read from a prompt cache.
    pub cached: Tokens,
    /// The part of `input` that was written to a prompt cache.
    pub cache_write: Tokens,
    /// All output, reasoning included.
    pub output: Tokens,
    /// The part of `output` that was reasoning.
    pub reasoning: Tokens,
    /// The part of input and output that was audio.
    pub audio: Tokens,
}
