//! Token counts of one answer, and what they come to.

use crate::units::{MicroUsd, Tokens};

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
    /// Whether the counts can be what they say.
    pub trust: Trust,
}

/// Whether a provider's counts can be what they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Nothing is wrong with them.
    #[default]
    Sound,
    /// A part was larger than its total, or something was no whole number: it was cut or left out.
    Mended,
    /// A total was negative or beyond all bounds: no bill can be made of it.
    Absurd,
}

/// How a usage came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The provider said it.
    Reported,
    /// The provider did not come to say it: it is made of what was sent and what came.
    Estimated,
}

impl Measure {
    /// The name in log and store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
        }
    }
}

/// What one attempt took, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its tokens.
    pub usage: Usage,
    /// How they came to be known.
    pub measure: Measure,
    /// Their price; `None` where the target has none.
    pub cost: Option<MicroUsd>,
}
