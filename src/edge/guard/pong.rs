//! Keeps a client's answer to a PING back for a moment, so that no request crosses the end of its connection.
//!
//! Pure: bytes come in and go out. To end a connection well, a server says GOAWAY without naming a stream, waits for
//! a round trip, and only then names the last stream that it serves (RFC 9113 section 6.8). The h2 crate takes the
//! answer to a PING for that round trip. Clients answer a PING before they send what waits, though, and so a request
//! that was on its way comes right behind the answer, when it is too late. Spoilt, the answer says nothing to h2; the
//! true one is given a little later.

/// The frame: a head (section 4.1) and a payload of eight bytes (section 6.7).
const HEAD: [u8; 9] = [0, 0, 8, 6, 1, 0, 0, 0, 0];
const PAYLOAD: usize = 8;

/// A client's answer to a PING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pong {
    #[default]
    None,
    /// So much of its payload has come.
    Coming([u8; PAYLOAD], usize),
    /// It has come, and is kept back.
    Kept([u8; PAYLOAD]),
    /// So much of the frame has been given. Nothing else may be given before the rest.
    Given([u8; PAYLOAD], usize),
}

impl Pong {
    /// Looks at the head of a frame. One answer is kept at a time.
    pub(super) fn head(&mut self, head: [u8; HEAD.len()]) {
        if head == HEAD && *self == Self::None {
            *self = Self::Coming([0; PAYLOAD], 0);
        }
    }

    /// Looks at what a frame carries, and spoils it if it is an answer's.
    pub(super) fn payload(&mut self, bytes: &mut [u8]) {
        let Self::Coming(payload, come) = self else {
            return;
        };
        for (place, byte) in payload.iter_mut().skip(*come).zip(&mut *bytes) {
            *place = *byte;
            *byte = !*byte;
        }
        *come += bytes.len();
        if *come >= PAYLOAD {
            *self = Self::Kept(*payload);
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    pub(super) fn is_given(&self) -> bool {
        matches!(self, Self::Given(..))
    }

    /// Begins to give the frame that was kept.
    pub(super) fn give(&mut self) {
        if let Self::Kept(payload) = *self {
            *self = Self::Given(payload, 0);
        }
    }

    /// The next byte of the frame that is given.
    pub(super) fn next(&mut self) -> Option<u8> {
        let Self::Given(payload, given) = self else {
            return None;
        };
        let byte = HEAD.iter().chain(&*payload).nth(*given).copied();
        *given += 1;
        if *given == HEAD.len() + PAYLOAD {
            *self = Self::None;
        }
        byte
    }
}
