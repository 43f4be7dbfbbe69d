//! HTTP/2: how a connection begins, that it is no flood, and that its end crosses no request. All else has limits in its
//! own framing.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use log::debug;
use tokio::io::{AsyncRead, ReadBuf};

use super::frames::Flood;
use super::{Guard, Phase, pour};

/// RFC 9113 section 3.4, and the frame header of the SETTINGS that must follow.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PREFACE_AND_SETTINGS: usize = PREFACE.len() + 9;

/// How long an answer to a PING is kept back: for what the client's queue holds, and a scheduler that lets it wait.
const KEPT: Duration = Duration::from_millis(100);

impl Guard {
    /// Waits for an HTTP/2 client's preface and the head of its SETTINGS.
    pub(in crate::edge) async fn expect_http2(&mut self) -> io::Result<()> {
        while self.inbox.len() < PREFACE_AND_SETTINGS {
            if poll_fn(|cx| self.poll_inbox(cx)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if !self.inbox.starts_with(PREFACE) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not an HTTP/2 preface",
            ));
        }
        self.phase = Phase::Http2;
        Ok(())
    }

    /// Passes on what comes. A flood is cut off where it is: whoever sends one reads no GOAWAY.
    pub(super) fn poll_frames(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.frames.pong.is_given() {
            self.pour_pong(buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if !self.inbox.is_empty() {
            pour(&mut self.inbox, buf, usize::MAX);
        } else if let Poll::Ready(read) = Pin::new(&mut self.connection).poll_read(cx, buf) {
            read?;
        } else {
            return self.poll_pong(cx, buf);
        }
        let was_kept = self.frames.pong.is_kept();
        let came = buf.filled_mut().get_mut(before..).unwrap_or_default();
        let seen = self.frames.see(came, Instant::now());
        if !was_kept && self.frames.pong.is_kept() {
            self.patience.set(KEPT);
        }
        if let Err(Flood) = seen {
            debug!("{}: a flood of frames", self.peer);
            self.door.connections.flooded();
            buf.set_filled(before);
            self.abandoned.store(true, Ordering::Relaxed);
            self.phase = Phase::Ended;
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the answer to a PING that was kept back, once it is due. Nothing more has come: it overtakes no request.
    fn poll_pong(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.frames.pong.is_kept() {
            return Poll::Pending;
        }
        ready!(self.patience.poll_passed(cx));
        if !self.frames.is_between() {
            // The rest of the frame wakes us.
            return Poll::Pending;
        }
        self.frames.pong.give();
        self.pour_pong(buf);
        Poll::Ready(Ok(()))
    }

    /// As much as there is room for.
    fn pour_pong(&mut self, buf: &mut ReadBuf<'_>) {
        while buf.remaining() > 0
            && let Some(byte) = self.frames.pong.next()
        {
            buf.put_slice(&[byte]);
        }
    }
}
