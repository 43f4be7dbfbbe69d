//! What goes out: gathers small writes, so that what belongs together leaves in one segment.
//!
//! Pingora writes a head, then a body, then flushes; a chunk's size, data and end are three slices.
//! Here they become one write. The bound is `CAPACITY`: beyond it, writes go straight through.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// Bytes gathered and not yet written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    gathered: Vec<u8>,
    /// How much of `gathered` has left already.
    sent: usize,
}

impl Outbox {
    /// The most that is gathered: also the most that one TLS record carries.
    pub(super) const CAPACITY: usize = 16 << 10;
    /// What an empty outbox may keep of its memory.
    const KEPT: usize = 4 << 10;
    /// The most slices of one write, with the gathered bytes.
    const SLICES: usize = 8;

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.gathered.is_empty()
    }

    /// How many bytes wait.
    pub(super) fn unsent(&self) -> usize {
        self.gathered.len().saturating_sub(self.sent)
    }

    /// Whether a flush cannot be put off any longer.
    pub(super) fn is_full(&self) -> bool {
        self.gathered.len() >= Self::CAPACITY
    }

    /// Gives the memory back.
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.gathered = Vec::new();
        }
    }

    /// Takes `bytes` whatever their length: for what we say ourselves.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
    }

    /// Takes `slices`, or writes them through together with what was gathered before; returns how
    /// many of their bytes were taken. Zero only when there are none.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.gathered.len().saturating_add(length) <= Self::CAPACITY {
            for slice in slices {
                self.gathered.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(length));
        }
        loop {
            let pending = self.gathered.get(self.sent..).unwrap_or_default();
            let mut all = [IoSlice::new(pending); Self::SLICES];
            let mut used = usize::from(!pending.is_empty());
            let filled = slices.iter().filter(|slice| !slice.is_empty());
            for (place, slice) in all.iter_mut().skip(used).zip(filled) {
                *place = *slice;
                used += 1;
            }
            let all = all.get(..used).unwrap_or_default();
            let written = ready!(Pin::new(&mut *to).poll_write_vectored(cx, all))?;
            let of_slices = written.saturating_sub(pending.len());
            self.forget(written)?;
            if of_slices > 0 {
                return Poll::Ready(Ok(of_slices));
            }
        }
    }

    /// Sends what was gathered and flushes `to`.
    pub(super) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(pending) = self.gathered.get(self.sent..).filter(|it| !it.is_empty()) {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, pending))?;
            self.forget(written)?;
        }
        Pin::new(to).poll_flush(cx)
    }

    /// Drops the first `written` of the bytes not yet sent; more than those were not gathered here.
    fn forget(&mut self, written: usize) -> io::Result<()> {
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.sent = self.sent.saturating_add(written);
        if self.sent >= self.gathered.len() {
            self.gathered.clear();
            self.gathered.shrink_to(Self::KEPT);
            self.sent = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Takes `room` bytes a write, and nothing at every other call when it `stutters`.
    #[derive(Default)]
    struct Wire {
        writes: Vec<Vec<u8>>,
        room: usize,
        stutters: Option<u32>,
    }

    impl Wire {
        fn new(room: usize) -> Self {
            Self {
                room,
                ..Self::default()
            }
        }

        fn all(&self) -> Vec<u8> {
            self.writes.concat()
        }
    }

    impl AsyncWrite for Wire {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(buf)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            if let Some(calls) = &mut self.stutters {
                *calls += 1;
                if *calls % 2 == 1 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            let all = slices.iter().flat_map(|it| it.iter().copied());
            let bytes = all.take(self.room).collect::<Vec<u8>>();
            let length = bytes.len();
            self.writes.push(bytes);
            Poll::Ready(Ok(length))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn write(outbox: &mut Outbox, wire: &mut Wire, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let slices = [IoSlice::new(rest)];
            let taken = poll_fn(|cx| outbox.poll_write(wire, cx, &slices))
                .await
                .unwrap();
            rest = &rest[taken..];
        }
    }

    async fn flush(outbox: &mut Outbox, wire: &mut Wire) {
        poll_fn(|cx| outbox.poll_flush(wire, cx)).await.unwrap();
    }

    #[tokio::test]
    async fn a_head_and_a_small_body_leave_in_one_write() {
        let (mut outbox, mut wire) = (Outbox::default(), Wire::new(usize::MAX));
        write(&mut outbox, &mut wire, b"head ").await;
        write(&mut outbox, &mut wire, b"body").await;
        assert_eq!(wire.writes.len(), 0);
        flush(&mut outbox, &mut wire).await;
        assert_eq!(wire.writes, [b"head body"]);
    }

    #[tokio::test]
    async fn a_head_and_a_large_body_leave_in_one_write() {
        let (mut outbox, mut wire) = (Outbox::default(), Wire::new(usize::MAX));
        let body = vec![b'b'; Outbox::CAPACITY];
        write(&mut outbox, &mut wire, b"head ").await;
        write(&mut outbox, &mut wire, &body).await;
        assert_eq!(wire.writes, [[&b"head "[..], &body].concat()]);
        assert!(outbox.is_empty());
    }

    #[tokio::test]
    async fn nothing_is_lost_or_doubled_when_the_wire_takes_little() {
        for room in [1, 3, 1_000, 16_384, 20_000] {
            let (mut outbox, mut wire) = (Outbox::default(), Wire::new(room));
            wire.stutters = Some(0);
            let mut sent = Vec::new();
            for length in [10, 16_380, 1, 5_000, 40_000, 16_384, 2, 16_383] {
                let bytes = (0..=250).cycle().take(length).collect::<Vec<u8>>();
                write(&mut outbox, &mut wire, &bytes).await;
                sent.extend(bytes);
                if length == 1 {
                    flush(&mut outbox, &mut wire).await;
                }
            }
            flush(&mut outbox, &mut wire).await;
            assert!(wire.all() == sent, "room {room}");
        }
    }

    #[tokio::test]
    async fn more_slices_than_one_write_takes_all_arrive() {
        let (mut outbox, mut wire) = (Outbox::default(), Wire::new(usize::MAX));
        write(&mut outbox, &mut wire, b"head ").await;
        let parts = (b'a'..=b't')
            .map(|byte| vec![byte; 2_000])
            .collect::<Vec<_>>();
        let mut slices = parts
            .iter()
            .map(|part| IoSlice::new(part))
            .collect::<Vec<_>>();
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            let taken = poll_fn(|cx| outbox.poll_write(&mut wire, cx, rest))
                .await
                .unwrap();
            IoSlice::advance_slices(&mut rest, taken);
        }
        flush(&mut outbox, &mut wire).await;
        assert!(wire.all() == [&b"head "[..], &parts.concat()].concat());
    }

    #[tokio::test]
    async fn an_empty_outbox_keeps_little_memory() {
        let (mut outbox, mut wire) = (Outbox::default(), Wire::new(usize::MAX));
        write(&mut outbox, &mut wire, &[b'x'; Outbox::CAPACITY]).await;
        assert!(outbox.is_full());
        flush(&mut outbox, &mut wire).await;
        assert!(outbox.gathered.capacity() <= Outbox::KEPT);
        outbox.release();
        assert_eq!(outbox.gathered.capacity(), 0);
    }

    #[tokio::test]
    async fn a_wire_that_takes_nothing_is_an_error_not_a_loop() {
        let (mut outbox, mut wire) = (Outbox::default(), Wire::new(0));
        write(&mut outbox, &mut wire, b"head").await;
        let error = poll_fn(|cx| outbox.poll_flush(&mut wire, cx))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
