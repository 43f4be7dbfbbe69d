//! In whose words a request is put and an answer given.

use crate::sim::script::Newline;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// `OpenAI` Chat Completions.
    OpenAi,
    /// `OpenAI`'s older completions of a text.
    Completions,
    /// Chat Completions as Azure has them.
    Azure,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
}

impl Voice {
    /// Whether a delay is told by the header `retry-after`; else the error's body has it.
    pub(crate) fn tells_delay_in_header(self, delay: &str) -> bool {
        self != Self::Gemini || delay.parse::<f64>().is_err()
    }

    /// A sign of life.
    pub(crate) fn ping(self) -> &'static [u8] {
        match self {
            Self::OpenAi | Self::Completions | Self::Azure | Self::Gemini => b": ping\n\n",
            Self::Anthropic => b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
        }
    }
}

/// The line that ends an event.
pub(crate) fn blank(newline: Newline) -> &'static [u8] {
    match newline {
        Newline::Lf => b"\n\n",
        Newline::CrLf => b"\r\n\r\n",
    }
}
