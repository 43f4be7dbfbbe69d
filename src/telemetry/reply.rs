//! What came of one attempt's answer, as far as a sample tells it: what type, how much, and the
//! head of it where bodies are kept.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of one body that are kept.
pub(super) const HEAD_LIMIT: usize = 64 << 10;

/// Bytes that all heads together may take, those included that wait to be written.
const ROOM: usize = 64 << 20;

/// Types that are told by name. Another one could say anything.
const MEDIA: [&str; 6] = [
    "text/event-stream",
    "application/json",
    "application/problem+json",
    "text/html",
    "text/plain",
    "application/octet-stream",
];

/// The bytes that all heads together take.
#[derive(Debug, Default)]
pub struct Room(AtomicUsize);

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let taken = self.0.fetch_add(bytes, Ordering::Relaxed);
        let fits = taken.saturating_add(bytes) <= ROOM;
        if !fits {
            self.give(bytes);
        }
        fits
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The first bytes of a body.
pub(super) struct Head {
    bytes: Vec<u8>,
    /// Whether more came than is kept.
    cut: bool,
    room: Arc<Room>,
}

impl Head {
    /// Nothing yet.
    pub(super) fn new(room: &Arc<Room>) -> Self {
        Self {
            bytes: Vec::new(),
            cut: false,
            room: Arc::clone(room),
        }
    }

    /// Takes what came, as far as there is room.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.cut {
            return;
        }
        let free = HEAD_LIMIT.saturating_sub(self.bytes.len());
        let taken = bytes.get(..free).unwrap_or(bytes);
        self.cut = taken.len() < bytes.len();
        if self.room.take(taken.len()) {
            self.bytes.extend_from_slice(taken);
        } else {
            self.cut = true;
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.room.give(self.bytes.len());
    }
}

/// Its length only: what it says is nobody's to print.
impl fmt::Debug for Head {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Head({} bytes)", self.bytes.len())
    }
}

/// What came of one attempt's answer.
#[derive(Debug, Default)]
pub struct Reply {
    media: Option<&'static str>,
    length: u64,
    // Boxed: as a rule there is none.
    head: Option<Box<Head>>,
}

impl Reply {
    /// One whose head is kept, if there is room to keep it in.
    pub fn kept_in(room: Option<&Arc<Room>>) -> Self {
        Self {
            head: room.map(|room| Box::new(Head::new(room))),
            ..Self::default()
        }
    }

    /// Notes the type, without its parameters.
    pub fn is_of(&mut self, media: &str) {
        let known = MEDIA.iter().find(|known| known.eq_ignore_ascii_case(media));
        self.media = Some(known.copied().unwrap_or("other"));
    }

    /// Notes the next bytes of the body.
    pub fn came(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.length = self.length.saturating_add(length);
        if let Some(head) = &mut self.head {
            head.push(bytes);
        }
    }

    /// The head, which is kept here no longer.
    pub(super) fn take_head(&mut self) -> Option<Box<Head>> {
        self.head.take()
    }

    pub(super) fn media(&self) -> Option<&'static str> {
        self.media
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

/// The head stays with the first: its bytes are kept once.
impl Clone for Reply {
    fn clone(&self) -> Self {
        Self {
            media: self.media,
            length: self.length,
            head: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_bounded_and_gives_its_room_back() {
        let room = Arc::default();
        let mut reply = Reply::kept_in(Some(&room));
        reply.came(&vec![b'a'; HEAD_LIMIT - 1]);
        reply.came(b"bc");
        reply.came(b"d");
        assert_eq!(reply.length(), HEAD_LIMIT as u64 + 2);
        assert!(reply.clone().take_head().is_none());
        let head = reply.take_head().unwrap();
        assert_eq!(head.bytes().len(), HEAD_LIMIT);
        assert!(head.is_cut() && head.bytes().ends_with(b"ab"));
        assert_eq!(format!("{head:?}"), "Head(65536 bytes)");
        drop(head);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn all_heads_together_are_bounded() {
        let room = Arc::default();
        let many = (0..2 * ROOM / HEAD_LIMIT).map(|_| {
            let mut head = Head::new(&room);
            head.push(&vec![0; HEAD_LIMIT]);
            head
        });
        let many: Vec<Head> = many.collect();
        assert_eq!(room.0.load(Ordering::Relaxed), ROOM);
        assert!(many.last().unwrap().is_cut());
        drop(many);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_type_is_one_that_we_know_or_another() {
        for (media, told) in [
            ("Text/HTML", "text/html"),
            ("x/secret", "other"),
            ("", "other"),
        ] {
            let mut reply = Reply::default();
            reply.is_of(media);
            assert_eq!(reply.media(), Some(told));
        }
    }
}
