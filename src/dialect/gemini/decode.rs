//! A provider's answer to events.

use crate::dialect::carry::{Carry, Malformed, Sink};
use crate::sse::Frame;

/// Reads one attempt's stream.
#[derive(Debug, Default)]
pub struct Stream {}

impl Stream {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the sink what the frame says.
    pub fn frame(&mut self, _: &Frame, _: &mut Sink<'_>) -> Result<Carry, Malformed> {
        Err(Malformed::Shape)
    }

    /// Whether the answer has come to its own good end.
    pub fn finished(&self) -> bool {
        false
    }
}

/// Reads a whole answer.
pub fn whole(_: &[u8], _: &mut Sink<'_>) -> Result<(), Malformed> {
    Err(Malformed::Shape)
}
