//! The commit gate: holds the head of a stream until the answer has really begun.
//!
//! Pure: no sockets, no clock. Until the first content comes, everything can still become a
//! proper HTTP status; what is held until then is bounded by [`HELD_LIMIT`], at which the gate
//! commits.

use bytes::{Bytes, BytesMut};

/// Frames held before the commit, at most (bytes). Role and usage frames are a few hundred.
const HELD_LIMIT: usize = 1 << 20;

/// What a frame means to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Text, reasoning, a refusal or a piece of a tool call.
    Content,
    /// A role, an empty delta, usage: neither content nor an end.
    Preamble,
    /// The answer's good end.
    End,
}

/// The gate's state.
#[derive(Debug, Default)]
pub(super) enum Gate {
    /// Nothing has reached the client: the attempt may still be abandoned.
    #[default]
    Empty,
    /// As `Empty`, with frames that wait.
    Holding(BytesMut),
    /// Bytes are on the client's wire: the answer must be finished.
    Committed,
}

impl Gate {
    /// Whether bytes have been let through.
    pub(super) fn is_committed(&self) -> bool {
        matches!(self, Self::Committed)
    }

    /// Takes frames in order; returns the next state and what may go out now.
    pub(super) fn push(self, frames: Bytes, sign: Sign) -> (Self, Option<Bytes>) {
        match (self, sign) {
            (Self::Committed, _) | (Self::Empty, Sign::Content | Sign::End) => {
                (Self::Committed, Some(frames))
            }
            (Self::Empty, Sign::Preamble) => Self::hold(BytesMut::from(frames)),
            (Self::Holding(mut held), Sign::Preamble) => {
                held.extend_from_slice(&frames);
                Self::hold(held)
            }
            (Self::Holding(mut held), Sign::Content | Sign::End) => {
                held.extend_from_slice(&frames);
                (Self::Committed, Some(held.freeze()))
            }
        }
    }

    fn hold(held: BytesMut) -> (Self, Option<Bytes>) {
        if held.len() > HELD_LIMIT {
            return (Self::Committed, Some(held.freeze()));
        }
        (Self::Holding(held), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_out_before_the_first_content_and_then_all_of_it_in_order() {
        let (gate, out) = Gate::default().push(Bytes::from_static(b"role"), Sign::Preamble);
        assert_eq!(out, None);
        let (gate, out) = gate.push(Bytes::from_static(b"|empty"), Sign::Preamble);
        assert!(out.is_none() && !gate.is_committed());
        let (gate, out) = gate.push(Bytes::from_static(b"|text"), Sign::Content);
        assert_eq!(out.unwrap(), "role|empty|text");
        let (gate, out) = gate.push(Bytes::from_static(b"|usage"), Sign::Preamble);
        assert!(out.unwrap() == "|usage" && gate.is_committed());
    }

    #[test]
    fn an_answer_that_ends_well_without_content_is_let_through() {
        let (gate, _) = Gate::default().push(Bytes::from_static(b"role"), Sign::Preamble);
        let (gate, out) = gate.push(Bytes::from_static(b"done"), Sign::End);
        assert!(out.unwrap() == "roledone" && gate.is_committed());
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (gate, out) = Gate::default().push(Bytes::from(vec![b'x'; HELD_LIMIT]), Sign::Preamble);
        assert_eq!(out, None);
        let (gate, out) = gate.push(Bytes::from_static(b"x"), Sign::Preamble);
        assert!(out.unwrap().len() == HELD_LIMIT + 1 && gate.is_committed());
    }

    #[test]
    fn content_at_once_is_not_copied() {
        let frames = Bytes::from(vec![b'x'; 10]);
        let (_, out) = Gate::default().push(frames.clone(), Sign::Content);
        assert_eq!(out.unwrap().as_ptr(), frames.as_ptr());
    }
}
