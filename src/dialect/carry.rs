//! What goes in and out of a wire format, whichever it is.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::exchange::Event;

/// A body in pieces to be sent one after the other.
pub type Segments = SmallVec<[Bytes; 8]>;

/// Where the events of an answer go.
pub type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// What to do with the frame that was decoded, beside its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carry {
    /// A part of the answer: the client may have it as it is.
    Forward,
    /// Nothing but the usage: for a client that did not ask for it, it is left out.
    UsageOnly,
    /// The format's own end mark. It proves nothing: ask [`Stream::finished`](super::Stream::finished).
    End,
    /// No data, only a comment or the like: a sign of life that may be dropped.
    Comment,
    /// An error in the provider's words. It is never forwarded as it is, and no event but the
    /// usage and the failure is told of it, although it may hold a piece of the answer.
    Failure,
}

/// Bytes that are no answer in this wire format. Never quotes them: they may hold a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// Bytes that are not text.
    #[error("the answer is not UTF-8")]
    NotUtf8,
    /// Text that is not one JSON document.
    #[error("the answer is not JSON (line {line}, column {column})")]
    NotJson {
        /// Counted from 1; the line end inside is the document's own.
        line: usize,
        /// In bytes, counted from 1.
        column: usize,
    },
    /// JSON, but neither a part of an answer nor an error nor a known extension.
    #[error("the answer is JSON of an unknown shape")]
    Shape,
    /// More choices or more pieces than an answer can have.
    #[error("the answer has too many parts")]
    TooMany,
}

impl Malformed {
    /// Names the place of a byte in a document, and nothing of what stands there.
    pub(super) fn not_json(document: &str, offset: usize) -> Self {
        let before = document.as_bytes().get(..offset).unwrap_or_default();
        let lines = before.iter().filter(|byte| **byte == b'\n');
        let column = before.iter().rev().take_while(|byte| **byte != b'\n');
        Self::NotJson {
            line: lines.count() + 1,
            column: column.count() + 1,
        }
    }
}
