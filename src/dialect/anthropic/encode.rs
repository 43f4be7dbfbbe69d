//! What segue itself says to a client of this format.

use bytes::{Bytes, BytesMut};

use crate::dialect::voices::{Label, Voices};
use crate::exchange::{Answer, Event, Fault};

/// The end mark of a stream.
pub const STOP: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Tells an answer as a stream.
#[derive(Debug)]
pub struct Teller {}

impl Teller {
    /// At the start of an answer.
    pub fn new(_: &Voices<'_>) -> Self {
        Self {}
    }

    /// Writes the frames for the next event.
    pub fn event(&mut self, _: &Event<'_>, _: &mut BytesMut) {}

    /// Writes what ends it well.
    pub fn end(&mut self, _: &mut BytesMut) {}
}

/// A whole answer.
pub fn whole(_: &Answer, _: &Label<'_>) -> Bytes {
    Bytes::new()
}

/// The body of an error status.
pub fn fault(_: &Fault) -> Bytes {
    Bytes::new()
}

/// The event that ends a broken stream.
pub fn fault_event(_: &Fault) -> Bytes {
    Bytes::new()
}

/// The answer to `GET /v1/models`.
pub fn models<'a>(_: impl IntoIterator<Item = &'a str>) -> Bytes {
    Bytes::new()
}

/// The answer to `GET /v1/models/{id}`.
pub fn model(_: &str) -> Bytes {
    Bytes::new()
}
