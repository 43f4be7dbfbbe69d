//! Bodies that the edge takes itself, past Pingora, which would copy them twice in pieces.
//!
//! Of such a request Pingora sees a head that announces no body: the guard has judged the head,
//! puts zeros in place of the length's digits, and gathers the body into one buffer whenever
//! Pingora asks whether the client is still there. The connection takes no other request before
//! the body is here; whoever answers without it closes the connection.

use std::ops::Range;

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};

/// How the requests begin whose body the edge takes itself.
pub(in crate::edge) const ENDPOINTS: [&str; 5] = [
    "POST /v1/chat/completions ",
    "POST /v1/messages ",
    "POST /v1/completions ",
    "POST /v1/embeddings ",
    "POST /v1/messages/count_tokens ",
];

/// Room made for a body before any of it has come.
const FIRST_ROOM: u64 = 1 << 20;

/// Room made at once for a body of which so much has come: for all of most, so that it is moved but
/// once. What has not come takes no memory yet, and was counted before the body was asked for.
const MORE_ROOM: u64 = 64 << 20;

/// Read before whoever waits for the body is asked whether there may be more.
const STRIDE: usize = 256 << 10;

/// A body on its way.
#[derive(Debug, Default)]
pub(super) struct Own {
    announced: u64,
    gathered: BytesMut,
    /// What the taker knows of.
    told: usize,
}

/// What has come of a body since it was asked for last.
pub(in crate::edge) enum Gathered {
    /// So many bytes more, and they are not all.
    More(usize),
    /// The last so many bytes, and the body.
    Whole(usize, Bytes),
}

impl Own {
    /// Takes the body of this length from a judged head, if it is one of those.
    pub(super) fn take_from(head: &mut [u8], length: u64) -> Option<Self> {
        let begins = |begin: &str| head.starts_with(begin.as_bytes());
        if length == 0 || !ENDPOINTS.into_iter().any(begins) {
            return None;
        }
        let digits = content_length(head)?;
        head.get_mut(digits)?.fill(b'0');
        Some(Self {
            announced: length,
            ..Self::default()
        })
    }

    /// How long it will be.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// How much is still to come.
    pub(super) fn left(&self) -> u64 {
        self.announced.saturating_sub(self.gathered.len() as u64)
    }

    /// Whether there is so much that its taker is to be asked before there is more.
    pub(super) fn is_due(&self) -> bool {
        self.left() == 0 || self.gathered.len() >= self.told.saturating_add(STRIDE)
    }

    /// Where the next bytes go; it takes none but those of the body.
    pub(super) fn space(&mut self) -> Limit<&mut BytesMut> {
        if self.gathered.capacity() == self.gathered.len() {
            let most = if self.gathered.is_empty() {
                FIRST_ROOM
            } else {
                MORE_ROOM
            };
            let room = usize::try_from(self.left().min(most)).unwrap_or(STRIDE);
            self.gathered.reserve(room);
        }
        let most = usize::try_from(self.left()).unwrap_or(STRIDE).min(STRIDE);
        (&mut self.gathered).limit(most)
    }

    /// What has come since this was asked last.
    pub(super) fn tell(&mut self) -> Option<Gathered> {
        let came = self.gathered.len().saturating_sub(self.told);
        self.told = self.gathered.len();
        if self.left() == 0 {
            let whole = std::mem::take(&mut self.gathered).freeze();
            return Some(Gathered::Whole(came, whole));
        }
        (came > 0).then_some(Gathered::More(came))
    }
}

/// Where the digits of a judged head's `content-length` stand.
fn content_length(head: &[u8]) -> Option<Range<usize>> {
    const NAME: &[u8] = b"content-length:";
    let mut begin = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let is_named = line
            .get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME));
        if is_named {
            let from = line.iter().position(u8::is_ascii_digit)?;
            let digits = line.iter().skip(from).take_while(|it| it.is_ascii_digit());
            let to = from + digits.count();
            return Some(begin + from..begin + to);
        }
        begin += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_the_length_are_found_however_the_field_is_written() {
        for (head, digits) in [
            ("POST / HTTP/1.1\r\ncontent-length: 12\r\n\r\n", Some("12")),
            (
                "POST / HTTP/1.1\r\nHost: 3\r\nContent-LENGTH:7 \t\r\n\r\n",
                Some("7"),
            ),
            (
                "POST / HTTP/1.1\r\ncontent-length:\t 0040\r\nx: 1\r\n\r\n",
                Some("0040"),
            ),
            ("POST / HTTP/1.1\r\nx-content-length: 1\r\n\r\n", None),
            ("POST /content-length:1 HTTP/1.1\r\nhost: x\r\n\r\n", None),
        ] {
            let range = content_length(head.as_bytes());
            let found = range.and_then(|range| head.get(range));
            assert_eq!(found, digits, "{head}");
        }
    }

    #[test]
    fn a_body_gets_no_more_room_than_its_length_and_little_at_once() {
        let own = |announced, has: usize| Own {
            announced,
            gathered: BytesMut::from(&vec![0; has][..]),
            told: 0,
        };
        let mut small = own(1_000, 0);
        assert_eq!(small.space().remaining_mut(), 1_000);
        assert!(small.gathered.capacity() < 2_000);
        let mut huge = own(u64::MAX, 0);
        assert_eq!(huge.space().remaining_mut(), STRIDE);
        assert!(huge.gathered.capacity() < 2 << 20);
        let mut last = own(5_000, 4_990);
        assert_eq!(last.space().remaining_mut(), 10);
    }

    #[test]
    fn a_taker_is_told_of_each_byte_once_and_of_the_whole_body_at_the_end() {
        let mut head = *b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 005\r\n\r\n";
        let mut own = Own::take_from(&mut head, 5).unwrap();
        assert!(head.ends_with(b": 000\r\n\r\n"));
        assert!(own.tell().is_none() && !own.is_due());
        own.space().put_slice(b"abc");
        assert!(matches!(own.tell(), Some(Gathered::More(3))));
        assert!(own.tell().is_none());
        own.space().put_slice(b"de");
        assert!(own.is_due());
        let Some(Gathered::Whole(2, whole)) = own.tell() else {
            panic!("not whole");
        };
        assert_eq!(whole, "abcde");
    }

    #[test]
    fn no_other_requests_body_is_taken() {
        for (head, length) in [
            (
                "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
                0,
            ),
            (
                "POST /v1/chat/completions?a HTTP/1.1\r\ncontent-length: 1\r\n\r\n",
                1,
            ),
            ("POST /v1/files HTTP/1.1\r\ncontent-length: 1\r\n\r\n", 1),
            (
                "GET /v1/chat/completions HTTP/1.1\r\ncontent-length: 1\r\n\r\n",
                1,
            ),
        ] {
            let mut bytes = head.as_bytes().to_vec();
            assert!(Own::take_from(&mut bytes, length).is_none());
            assert_eq!(bytes, head.as_bytes());
        }
    }
}
