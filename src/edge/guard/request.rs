//! From a client to Pingora: a judged head, then its body, then nothing until the next.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

use super::body::Body;
use super::{Guard, Phase, pour, scan};
use crate::edge::head::{Framing, Head, HeadScan, Refusal};

impl Guard {
    /// Waits until the next request's head has come and passed, or the connection is to end. Reading says which.
    pub(in crate::edge) async fn next_head(&mut self) {
        if matches!(self.phase, Phase::Request { head: 0, body } if body.is_done()) {
            self.turn();
        }
        poll_fn(|cx| match self.phase {
            Phase::Head(scan) => self.poll_head(cx, scan),
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Turns from a request that has ended to the next.
    pub(super) fn turn(&mut self) {
        *self.next.get_mut() = false;
        if self.own.get_mut().is_some() {
            // What comes next is a body that nobody took, and no head.
            self.phase = Phase::Ended;
        } else {
            self.begin_head();
        }
    }

    /// Collects and judges a head. Ready when the phase has changed.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>, mut scan: HeadScan) -> Poll<()> {
        // An answer that nobody flushed would leave both sides waiting.
        if !self.outbox.is_empty() && ready!(self.poll_send(cx)).is_err() {
            self.phase = Phase::Ended;
            return Poll::Ready(());
        }
        loop {
            match scan.scan(&self.inbox) {
                Ok(None) => self.phase = Phase::Head(scan),
                Ok(Some(Head { length, framing })) => {
                    self.patience.clear();
                    let framing = match framing {
                        Framing::Length(body) => Framing::Length(self.keep_body(length, body)),
                        Framing::Chunked => Framing::Chunked,
                    };
                    self.phase = Phase::Request {
                        head: length,
                        body: Body::new(framing),
                    };
                    return Poll::Ready(());
                }
                Err(refusal) => {
                    self.refuse(refusal);
                    return Poll::Ready(());
                }
            }
            let first = self.inbox.is_empty();
            match self.poll_inbox(cx) {
                Poll::Ready(Ok(1..)) if first => {
                    self.patience.set(self.door.limits.load().head_time);
                }
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.phase = Phase::Ended;
                    return Poll::Ready(());
                }
                Poll::Pending => return self.poll_patience(cx),
            }
        }
    }

    /// Waits no longer than is right for the next byte of a head.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let late = self.patience.poll_passed(cx).is_ready();
        if !self.inbox.is_empty() {
            if !late {
                return Poll::Pending;
            }
            self.refuse(Refusal::TimedOut);
            return Poll::Ready(());
        }
        self.inbox = BytesMut::new();
        self.outbox.release();
        let stop = self.stop.get_or_insert_with(|| {
            let mut stop = self.door.hang_up.clone();
            // A sender that is gone is a process that ends.
            Box::pin(async move { drop(stop.wait_for(|stop| *stop).await) })
        });
        if !late && stop.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // Nothing is owed to the client but a proper end.
        self.begin_farewell(0);
        Poll::Ready(())
    }

    /// Makes ready for the next request on this connection.
    fn begin_head(&mut self) {
        let limits = self.door.limits.load();
        self.patience.set(if self.inbox.is_empty() {
            limits.idle
        } else {
            limits.head_time
        });
        self.phase = Phase::Head(scan(&limits));
        self.uncork();
    }

    /// Passes bytes of the body, and those alone.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut body: Body,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let taken = if self.inbox.is_empty() {
            ready!(Pin::new(&mut self.connection).poll_read(cx, buf))?;
            let came = buf.filled().get(before..).unwrap_or_default();
            let taken = body.take(came);
            let own = taken.unwrap_or_default();
            self.inbox
                .extend_from_slice(came.get(own..).unwrap_or_default());
            buf.set_filled(before + own);
            taken
        } else {
            let fits = self.inbox.len().min(buf.remaining());
            let taken = body.take(self.inbox.get(..fits).unwrap_or_default());
            pour(&mut self.inbox, buf, taken.unwrap_or_default());
            taken
        };
        if let Err(rule) = taken {
            self.door.connections.refused(Refusal::Malformed(rule));
            self.body_refusal = Some(rule);
            self.phase = Phase::Ended;
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, rule)));
        }
        self.phase = Phase::Request { head: 0, body };
        Poll::Ready(Ok(()))
    }

    /// Ready only when the client has gone; what it sends meanwhile is kept for later.
    pub(super) fn poll_probe(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.inbox.is_empty() || self.inbox.len() < self.door.limits.load().head.as_len() {
            if ready!(self.poll_inbox(cx))? == 0 {
                self.phase = Phase::Ended;
                return Poll::Ready(Ok(()));
            }
        }
        // The rest waits in the kernel, and the client with it, until the next head is read.
        Poll::Pending
    }
}
