//! One frame: its raw bytes and the fields they hold.

use std::time::Duration;

use bytes::Bytes;
use memchr::memchr;

use super::{LF, lines::lines};

/// One block of lines up to its closing blank line: an event, or comments and unknown fields only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The bytes as they came, with the closing blank line: what may be forwarded unchanged.
    pub raw: Bytes,
    /// The event's name; `None` when absent or empty, which the standard treats alike.
    pub event: Option<Bytes>,
    /// The data lines joined by LF; `None` when there was no data field at all.
    pub data: Option<Bytes>,
    /// The last event id, which may be empty (that resets it); one with a NUL is ignored.
    pub id: Option<Bytes>,
    /// The reconnection time, sent in milliseconds; anything but ASCII digits is ignored.
    pub retry: Option<Duration>,
}

impl Frame {
    /// Whether there is nothing in the frame but one data line, as in nearly all.
    pub fn is_data_alone(&self) -> bool {
        let after = |name: &[u8]| {
            let rest = self.raw.strip_prefix(name)?;
            rest.get(self.data.as_deref()?.len()..)
        };
        let tail = after(b"data: ").or_else(|| after(b"data:"));
        tail.is_some_and(|tail| tail.iter().all(|byte| matches!(byte, b'\r' | b'\n')))
    }

    /// Reads the fields of a whole frame. A single data line is a slice of `raw`.
    pub(super) fn parse(raw: Bytes) -> Self {
        let mut event: &[u8] = b"";
        let mut id = None;
        let mut retry = None;
        let mut data = Data::default();
        for line in lines(&raw) {
            let (name, value) = field(line);
            match name {
                b"data" => data.push(value, raw.len()),
                b"event" => event = value,
                b"id" if memchr(0, value).is_none() => id = Some(value),
                b"retry" => retry = milliseconds(value).or(retry),
                _ => {}
            }
        }
        Self {
            event: (!event.is_empty()).then(|| raw.slice_ref(event)),
            data: data.join(&raw),
            id: id.map(|id| raw.slice_ref(id)),
            retry,
            raw,
        }
    }
}

/// The data lines met so far: joined only when there is more than one.
#[derive(Default)]
struct Data<'a> {
    first: Option<&'a [u8]>,
    joined: Vec<u8>,
}

impl<'a> Data<'a> {
    /// Adds a line; all lines together have fewer than `most` bytes.
    fn push(&mut self, line: &'a [u8], most: usize) {
        let Some(first) = self.first else {
            self.first = Some(line);
            return;
        };
        if self.joined.is_empty() {
            self.joined.reserve_exact(most);
            self.joined.extend_from_slice(first);
        }
        self.joined.push(LF);
        self.joined.extend_from_slice(line);
    }

    fn join(self, raw: &Bytes) -> Option<Bytes> {
        let first = self.first?;
        if self.joined.is_empty() {
            return Some(raw.slice_ref(first));
        }
        Some(self.joined.into())
    }
}

/// A line's field name and value. A comment has the empty name, which no field has.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = memchr(b':', line).and_then(|colon| line.split_at_checked(colon));
    match colon {
        Some((name, [_, b' ', value @ ..] | [_, value @ ..])) => (name, value),
        _ => (line, b""),
    }
}

/// The value of a retry field, saturating; `None` unless it is all digits.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if value.is_empty() {
        return None;
    }
    let mut sum = 0_u64;
    for byte in value {
        let digit = char::from(*byte).to_digit(10)?;
        sum = sum.saturating_mul(10).saturating_add(digit.into());
    }
    Some(Duration::from_millis(sum))
}
