//! Bytes to frames: finds where each frame ends, the same for every cut of the input.
//!
//! Each byte is looked at once here, however the input is cut, and once more in `frame`.

use std::{collections::VecDeque, mem};

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use super::{CR, Frame, LF};
use crate::units::ByteSize;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A frame grew past the decoder's limit. The decoder says so from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event is longer than {} bytes", .limit.0)]
pub struct TooLong {
    /// The most bytes a frame may have.
    pub limit: ByteSize,
}

/// Cuts a stream of bytes into frames: push a chunk, then take frames until there is none.
///
/// Frames and their raw bytes are the same however the stream is cut into chunks. Where a frame
/// lies in one chunk it is a slice of it; where not, it is gathered once. Blank lines between
/// frames and a byte-order mark at the start belong to no frame and are dropped.
///
/// One case needs care, as frames are forwarded raw: the closing blank line begins with CR, and
/// its LF may be still to come.
/// * After a line that ended in LF or CRLF an LF is likely: the frame waits for the next byte
///   (or for [`finish`](Self::finish)), and an LF belongs to it.
/// * After a line that ended in a lone CR the stream uses CR alone, and to wait would be to hold
///   each event until the next: the frame is given out at once. Should an LF follow after all,
///   it is dropped, also when it was there to be seen.
///
/// Bounded: of an unfinished frame no more than `limit` is kept, and the chunk it ends in.
/// Chunks that were pushed and not yet asked for are kept whole, so ask after each push.
#[derive(Debug)]
pub struct Decoder {
    limit: ByteSize,
    place: Place,
    /// The unfinished frame's bytes from chunks before `chunk`.
    held: BytesMut,
    /// Begins where the frame or what was held of it goes on; its first `scanned` bytes are
    /// accounted for in `place`.
    chunk: Bytes,
    scanned: usize,
    queue: VecDeque<Bytes>,
}

/// Where in the stream the next byte stands.
///
/// ```text
/// Start ─▶ Between ─▶ Line ─▶ Ended ─▶ (frame) ─▶ Between
///                      ▲       │  └──▶ BlankCr ─▶ (frame)
///                      └───────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the start of the stream, after so many bytes of a byte-order mark.
    Start(usize),
    /// Between frames, where line ends mean nothing.
    Between,
    /// In a line of a frame.
    Line,
    /// After a line of a frame.
    Ended(Ending),
    /// After the CR that begins the closing blank line of a stream that also uses LF.
    BlankCr,
    /// Past the limit, for good.
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// CR, and whether an LF follows is not known yet.
    Cr,
    /// LF or CRLF.
    Lf,
}

impl Decoder {
    /// A decoder at the start of a stream whose frames have at most `limit` bytes each, counted
    /// raw, with line ends and the closing blank line.
    pub fn new(limit: ByteSize) -> Self {
        Self {
            limit,
            place: Place::Start(0),
            held: BytesMut::new(),
            chunk: Bytes::new(),
            scanned: 0,
            queue: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the stream; after [`TooLong`] they are dropped.
    pub fn push(&mut self, chunk: Bytes) {
        if self.place != Place::TooLong && !chunk.is_empty() {
            self.queue.push_back(chunk);
        }
    }

    /// The next frame that is complete, or `None` until more is pushed.
    ///
    /// # Errors
    /// [`TooLong`] as soon as a frame has grown past the limit, and on each call after that.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, TooLong> {
        loop {
            if let Some(end) = self.scan() {
                return self.take(end).map(Some);
            }
            // What may be a byte-order mark is no frame yet.
            if !matches!(self.place, Place::Start(_)) {
                self.check(self.chunk.len())?;
            }
            let Some(next) = self.queue.pop_front() else {
                return Ok(None);
            };
            self.held.extend_from_slice(&self.chunk);
            self.chunk = next;
            self.scanned = 0;
        }
    }

    /// The next frame, now that the body has ended: what is complete first, then the tail that
    /// lacks its blank line (and perhaps its last line end), then `None`.
    ///
    /// The standard drops such a tail; whether its data is whole is for the caller to judge.
    ///
    /// # Errors
    /// [`TooLong`] as for [`next_frame`](Self::next_frame).
    pub fn finish(&mut self) -> Result<Option<Frame>, TooLong> {
        if let Some(frame) = self.next_frame()? {
            return Ok(Some(frame));
        }
        if self.pending() == 0 {
            return Ok(None);
        }
        self.take(self.chunk.len()).map(Some)
    }

    /// How many bytes are held and not given out yet: of an unfinished frame, once
    /// [`next_frame`](Self::next_frame) has said `None`.
    pub fn pending(&self) -> usize {
        let queued: usize = self.queue.iter().map(Bytes::len).sum();
        self.held.len() + self.chunk.len() + queued
    }

    /// Goes on over the chunk, up to the frame's end in it.
    fn scan(&mut self) -> Option<usize> {
        loop {
            let rest = self.chunk.get(self.scanned..)?;
            match self.place {
                Place::Start(matched) => {
                    let &byte = rest.first()?;
                    self.start(matched, byte);
                }
                Place::Between => {
                    let blank = rest.iter().take_while(|&&byte| byte == CR || byte == LF);
                    self.skip(blank.count());
                    self.chunk.first()?;
                    self.place = Place::Line;
                }
                Place::Line => {
                    let Some(at) = memchr2(CR, LF, rest) else {
                        self.scanned = self.chunk.len();
                        return None;
                    };
                    let ending = match rest.get(at) {
                        Some(&LF) => Ending::Lf,
                        _ => Ending::Cr,
                    };
                    self.place = Place::Ended(ending);
                    self.scanned += at + 1;
                }
                Place::Ended(ending) => match (ending, *rest.first()?) {
                    (Ending::Lf, LF) | (Ending::Cr, CR) => return Some(self.scanned + 1),
                    (Ending::Cr, LF) => self.pass(Place::Ended(Ending::Lf)),
                    (Ending::Lf, CR) => self.pass(Place::BlankCr),
                    _ => self.place = Place::Line,
                },
                Place::BlankCr => {
                    let line_feed = usize::from(*rest.first()? == LF);
                    return Some(self.scanned + line_feed);
                }
                Place::TooLong => return None,
            }
        }
    }

    /// Takes a byte at the start of the stream for the mark's next one, or for a line's.
    fn start(&mut self, matched: usize, byte: u8) {
        let known = matched + 1;
        if BYTE_ORDER_MARK.get(matched) != Some(&byte) {
            self.place = if matched == 0 {
                Place::Between
            } else {
                Place::Line
            };
        } else if known < BYTE_ORDER_MARK.len() {
            self.pass(Place::Start(known));
        } else {
            self.held.clear();
            self.skip(self.scanned + 1);
            self.place = Place::Between;
        }
    }

    /// Accounts for one byte.
    fn pass(&mut self, place: Place) {
        self.place = place;
        self.scanned += 1;
    }

    /// Drops the chunk's first bytes, and with the last of them the hold on its memory.
    fn skip(&mut self, count: usize) {
        self.chunk.advance(count);
        self.scanned = 0;
        if self.chunk.is_empty() {
            self.chunk = Bytes::new();
        }
    }

    /// Gives out what is held with the chunk up to `end` as a frame.
    fn take(&mut self, end: usize) -> Result<Frame, TooLong> {
        self.check(end)?;
        let last = self.chunk.split_to(end);
        self.scanned = 0;
        self.place = Place::Between;
        if self.held.is_empty() {
            return Ok(Frame::parse(last));
        }
        self.held.extend_from_slice(&last);
        Ok(Frame::parse(mem::take(&mut self.held).freeze()))
    }

    /// Fails for good when the frame with `more` bytes of the chunk is past the limit.
    fn check(&mut self, more: usize) -> Result<(), TooLong> {
        let length = self.held.len().saturating_add(more);
        if self.place != Place::TooLong && length <= self.limit.as_len() {
            return Ok(());
        }
        self.place = Place::TooLong;
        self.held = BytesMut::new();
        self.chunk = Bytes::new();
        self.scanned = 0;
        self.queue = VecDeque::new();
        Err(TooLong { limit: self.limit })
    }
}
