//! The way of an answer's bytes to the socket: coded, cut, framed, dripped, and broken off where
//! the script says so by byte.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::sim::encode::Encoder;
use crate::sim::entry::Entry;
use crate::sim::journal::Journal;
use crate::sim::link::{Last, Link, Over};
use crate::sim::pieces::{Cutter, event_end};
use crate::sim::script::{Chunks, Drip, Fault, FaultKind, Point, Script};
use crate::sim::text::GARBAGE;
use crate::sim::wire::later;

/// What is written at once at most, so that an endless answer needs no endless memory.
pub(crate) const FULL: usize = 64 << 10;

/// How the body's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// In HTTP chunks.
    Chunked,
    /// By its length or by the connection's end: the bytes go as they are.
    Plain,
    /// There is none: a HEAD request, 204, 304.
    None,
}

/// One answer on its way out.
pub(crate) struct Outlet<'a, L> {
    link: &'a mut L,
    entry: &'a Entry,
    journal: &'a Journal,
    /// Bytes of the body that are due, plain.
    pub(crate) body: Vec<u8>,
    /// Tokens in `body`.
    pub(crate) tokens: u64,
    /// Framed bytes, the head first, that nobody has sent yet.
    framed: Vec<u8>,
    framing: BodyFraming,
    encoder: Option<Encoder>,
    chunks: Chunks,
    cutter: Cutter,
    drip: Option<Drip>,
    next_drip: Option<Instant>,
    ping: Option<(Duration, &'static [u8])>,
    /// Faults at a byte, the nearest last.
    byte_faults: Vec<Fault>,
    /// Bytes of the body framed so far.
    offset: u64,
}

impl<'a, L: Link> Outlet<'a, L> {
    /// `head` goes out with the first bytes of the body. `ping` only where comments may stand.
    pub(crate) fn new(
        link: &'a mut L,
        entry: &'a Entry,
        journal: &'a Journal,
        script: &Script,
        seed: u64,
        head: Vec<u8>,
        framing: BodyFraming,
    ) -> Self {
        let at_byte = |fault: &&Fault| matches!(fault.at, Point::Byte(_));
        let mut byte_faults: Vec<Fault> = script.faults.iter().filter(at_byte).copied().collect();
        byte_faults.sort_by_key(|fault| match fault.at {
            Point::Byte(byte) => std::cmp::Reverse(byte),
            _ => std::cmp::Reverse(u64::MAX),
        });
        Self {
            link,
            entry,
            journal,
            body: Vec::new(),
            tokens: 0,
            framed: head,
            framing,
            // A coding that cannot start leaves the body plain; only zstd could, out of memory.
            encoder: script
                .encoding
                .and_then(|encoding| Encoder::new(encoding).ok()),
            chunks: script.chunks,
            cutter: Cutter::new(script.chunks, script.drip, seed),
            drip: script.drip,
            next_drip: None,
            ping: None,
            byte_faults,
            offset: 0,
        }
    }

    /// Lets signs of life out while the answer is silent.
    pub(crate) fn ping_every(&mut self, interval: Option<Duration>, ping: &'static [u8]) {
        self.ping = interval.map(|interval| (interval, ping));
    }

    /// The connection, for reading while the answer is on its way.
    pub(crate) fn link(&mut self) -> &mut L {
        self.link
    }

    /// Sends half of the head (all of one that cannot be cut), then lets a fault happen.
    pub(crate) async fn fault_in_head(&mut self, kind: FaultKind) -> Result<(), Over> {
        let rest = self.framed.split_off(self.framed.len() / 2);
        self.send_framed(Last::More).await?;
        self.framed = rest;
        self.break_off(kind).await
    }

    /// Sends all that is due.
    pub(crate) async fn flush(&mut self) -> Result<(), Over> {
        self.flush_as(Last::More).await
    }

    async fn flush_as(&mut self, last: Last) -> Result<(), Over> {
        self.frame_body().await?;
        self.send_framed(last).await?;
        let sent = std::mem::take(&mut self.tokens);
        if sent > 0 {
            self.entry.tokens.fetch_add(sent, Ordering::Relaxed);
            self.journal.ring_bell();
        }
        Ok(())
    }

    /// Sends what is due and the body's end, if it can in the same write.
    pub(crate) async fn finish(mut self) -> Result<(), Over> {
        self.frame_body().await?;
        if let Some(encoder) = self.encoder.take() {
            let tail = encoder.finish().unwrap_or_default();
            self.frame_coded(&tail).await?;
        }
        // A fault at the very end of the body.
        self.frame_coded(&[]).await?;
        if self.framing == BodyFraming::Chunked {
            self.framed.extend_from_slice(b"0\r\n\r\n");
        }
        self.flush_as(Last::End).await
    }

    /// Sends nothing but signs of life until that time; what was due before goes out first.
    pub(crate) async fn wait_until(&mut self, time: Instant) -> Result<(), Over> {
        self.flush().await?;
        while let Some((interval, ping)) = self.ping {
            let next = later(Instant::now(), interval);
            if next >= time {
                break;
            }
            self.link.silence_until(next).await?;
            self.body.extend_from_slice(ping);
            self.flush().await?;
        }
        Ok(self.link.silence_until(time).await?)
    }

    /// Lets a fault happen, after all that is due.
    pub(crate) async fn fault(&mut self, kind: FaultKind) -> Result<(), Over> {
        self.flush().await?;
        match kind {
            FaultKind::Stall(Some(length)) => self.wait_until(later(Instant::now(), length)).await,
            FaultKind::Stall(None) => loop {
                self.wait_until(later(Instant::now(), Duration::MAX))
                    .await?;
            },
            other => self.break_off(other).await,
        }
    }

    /// Frames the body's bytes, sending where each piece is to have its own write.
    async fn frame_body(&mut self) -> Result<(), Over> {
        if self.body.is_empty() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.body);
        let mut rest = body.as_slice();
        while !rest.is_empty() {
            // With a coding, an event is flushed by itself before it is cut.
            let unit = if self.chunks == Chunks::Event {
                event_end(rest)
            } else {
                rest.len()
            };
            let (now, later) = rest.split_at_checked(unit).unwrap_or((rest, &[]));
            rest = later;
            match &mut self.encoder {
                None => self.frame_coded(now).await?,
                Some(encoder) => {
                    let coded = encoder.push(now).unwrap_or_default();
                    self.frame_coded(&coded).await?;
                }
            }
        }
        self.body = body;
        self.body.clear();
        Ok(())
    }

    async fn frame_coded(&mut self, coded: &[u8]) -> Result<(), Over> {
        if self.framing == BodyFraming::None {
            return Ok(());
        }
        let mut rest = coded;
        loop {
            while let Some(kind) = self.byte_fault_here() {
                self.send_framed(Last::More).await?;
                self.break_off(kind).await?;
            }
            if rest.is_empty() {
                return Ok(());
            }
            let length = self.cutter.cut(rest).min(self.bytes_to_fault());
            let (piece, later) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = later;
            if let (Some(drip), false) = (self.drip, piece.is_empty()) {
                self.drip(drip).await?;
            }
            self.frame(piece);
            if !matches!(self.cutter, Cutter::Due) {
                self.send_framed(Last::More).await?;
                // The reader gets its turn, so that it meets the pieces one by one.
                tokio::task::yield_now().await;
            }
        }
    }

    fn frame(&mut self, piece: &[u8]) {
        self.offset = self.offset.saturating_add(piece.len() as u64);
        if self.framing == BodyFraming::Plain {
            self.framed.extend_from_slice(piece);
            return;
        }
        push_hex(piece.len(), &mut self.framed);
        self.framed.extend_from_slice(b"\r\n");
        self.framed.extend_from_slice(piece);
        self.framed.extend_from_slice(b"\r\n");
    }

    /// Waits for a drip's turn. The schedule is kept from the first on: it does not drift.
    async fn drip(&mut self, drip: Drip) -> Result<(), Over> {
        let turn = self.next_drip.unwrap_or_else(Instant::now);
        self.next_drip = Some(later(turn, drip.every));
        self.send_framed(Last::More).await?;
        Ok(self.link.silence_until(turn).await?)
    }

    async fn send_framed(&mut self, last: Last) -> Result<(), Over> {
        let due = !self.framed.is_empty() || self.link.head_is_due();
        if !due && last == Last::More {
            return Ok(());
        }
        let bytes = &self.entry.bytes;
        self.link.send(&self.framed, last, bytes).await?;
        self.framed.clear();
        self.journal.ring_bell();
        Ok(())
    }

    /// Takes a fault that stands exactly here.
    fn byte_fault_here(&mut self) -> Option<FaultKind> {
        let here = Point::Byte(self.offset);
        self.byte_faults
            .pop_if(|fault| fault.at == here)
            .map(|fault| fault.kind)
    }

    /// How many bytes may go before the next fault.
    fn bytes_to_fault(&self) -> usize {
        match self.byte_faults.last().map(|fault| fault.at) {
            Some(Point::Byte(byte)) => {
                usize::try_from(byte.saturating_sub(self.offset)).unwrap_or(usize::MAX)
            }
            _ => usize::MAX,
        }
    }

    /// The faults that need no more of the body.
    async fn break_off(&mut self, kind: FaultKind) -> Result<(), Over> {
        match kind {
            FaultKind::Cut => Err(Over::Cut),
            FaultKind::Reset => Err(Over::Reset),
            FaultKind::Refuse => Err(self.link.refusal()),
            FaultKind::Goaway => Ok(self.link.goaway().await?),
            FaultKind::Stall(None) => Err(self.link.silence().await.into()),
            FaultKind::Stall(Some(length)) => Ok(self
                .link
                .silence_until(later(Instant::now(), length))
                .await?),
            // Bytes that the script did not count: the next fault stands where it stood.
            FaultKind::Garbage | FaultKind::Error | FaultKind::Malformed => {
                let offset = self.offset;
                self.frame(GARBAGE);
                self.offset = offset;
                Ok(())
            }
        }
    }
}

fn push_hex(number: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let nibble = (number >> (digit * 4)) & 0xf;
        out.extend(b"0123456789abcdef".get(nibble));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        for number in [0, 1, 15, 16, 255, 4096, 0xdead_beef] {
            let mut out = Vec::new();
            push_hex(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{number:x}"));
        }
    }
}
