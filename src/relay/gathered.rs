//! A body that comes in pieces and is to be whole.

use bytes::{Bytes, BytesMut};

/// A body in the making. One that comes in one piece is never copied.
#[derive(Default)]
pub(super) struct Gathered {
    first: Bytes,
    rest: BytesMut,
}

impl Gathered {
    /// Its bytes so far.
    pub(super) fn len(&self) -> usize {
        if self.rest.is_empty() {
            self.first.len()
        } else {
            self.rest.len()
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = bytes;
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
        }
        self.rest.extend_from_slice(&bytes);
    }

    /// What there is of it.
    pub(super) fn whole(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            self.rest.freeze()
        }
    }
}
