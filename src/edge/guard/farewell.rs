//! How a connection ends: refused with an answer, or closed with the last answer delivered.

use std::io;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use log::debug;

use super::{Guard, Phase};
use crate::edge::head::Refusal;

/// How long a client may take to fetch its last answer while it still sends, and how much it may
/// send. Closing with bytes unread would reset the connection, and the answer might be lost.
pub(in crate::edge) const LINGER: Duration = Duration::from_secs(2);
pub(in crate::edge) const LINGER_BYTES: usize = 64 << 20;

impl Guard {
    /// Sends what is left and closes our side. When the client is still sending, reads on for a
    /// moment, so that it gets its answer rather than a reset.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sending = match self.phase {
            _ if self.abandoned.load(Ordering::Relaxed) => false,
            Phase::Request { body, .. } => {
                !body.is_done() || self.own.get_mut().is_some() || self.poll_pipelined(cx)
            }
            Phase::Ended => self.body_refusal.is_some(),
            Phase::Head(_) | Phase::Http2 => false,
            Phase::Farewell { .. } => {
                ready!(self.poll_farewell(cx));
                // The refused body has had its farewell.
                self.body_refusal = None;
                return Poll::Ready(Ok(()));
            }
        };
        if sending {
            self.begin_farewell(LINGER_BYTES);
            return self.poll_close(cx);
        }
        self.poll_finish(cx)
    }

    /// Whether bytes have come that belong to no request under way.
    fn poll_pipelined(&mut self, cx: &mut Context<'_>) -> bool {
        !self.inbox.is_empty() || matches!(self.poll_inbox(cx), Poll::Ready(Ok(1..)))
    }

    /// Gives the answer to a request that must not pass.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        debug!("{}: {refusal}", self.peer);
        self.door.connections.refused(refusal);
        self.outbox.push(&(self.door.refuse)(&refusal));
        self.begin_farewell(LINGER_BYTES);
    }

    pub(super) fn begin_farewell(&mut self, allowance: usize) {
        self.patience.set(LINGER);
        self.phase = Phase::Farewell {
            closed: false,
            allowance,
        };
    }

    /// Sends, closes our side, and reads until the client closes its own.
    pub(super) fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The clock first: a client that never pauses must not outlast it.
        if self.patience.poll_passed(cx).is_pending() {
            ready!(self.poll_parting(cx));
        }
        self.phase = Phase::Ended;
        Poll::Ready(())
    }

    /// Ready when there is nothing left to do for the client.
    fn poll_parting(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Farewell {
            mut closed,
            mut allowance,
        } = self.phase
        else {
            return Poll::Ready(());
        };
        if !closed {
            if ready!(self.poll_finish(cx)).is_err() {
                return Poll::Ready(());
            }
            closed = true;
        }
        while allowance > 0 {
            self.inbox.clear();
            self.phase = Phase::Farewell { closed, allowance };
            match ready!(self.poll_inbox(cx)) {
                Ok(read @ 1..) => allowance = allowance.saturating_sub(read),
                Ok(0) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}
