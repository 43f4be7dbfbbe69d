//! Gathers a body that Pingora does not see (`own`), and gives it to whoever serves the request.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::AsyncReadExt;

use super::own::{Gathered, Own};
use super::{Guard, Phase};

impl Guard {
    /// Keeps the body of a request for the edge if it is one of those; returns how much Pingora
    /// gets to read.
    pub(super) fn keep_body(&mut self, head: usize, length: u64) -> u64 {
        let head = self.inbox.get_mut(..head).unwrap_or_default();
        let own = Own::take_from(head, length);
        let left = if own.is_some() { 0 } else { length };
        *self.own.get_mut() = own;
        left
    }

    /// The length of the body that is to be taken from here, as long as it has not been.
    pub(in crate::edge) fn own_body(&self) -> Option<u64> {
        self.own.lock().as_ref().map(Own::announced)
    }

    /// What has come of it. Waits for nothing and reads nothing: whoever asks whether the client
    /// is still there does.
    pub(in crate::edge) fn gathered(&self) -> Option<Gathered> {
        let mut own = self.own.lock();
        let told = own.as_mut()?.tell();
        if let Some(Gathered::Whole(..)) = told {
            *own = None;
        }
        told
    }

    /// Reads on at a body. Ready only when no more will come: the body itself is not Pingora's.
    pub(super) fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(own) = self.own.get_mut() else {
            return Poll::Pending;
        };
        while !own.is_due() {
            let mut space = own.space();
            if !self.inbox.is_empty() {
                let most = self.inbox.len().min(space.remaining_mut());
                space.put_slice(&self.inbox.split_to(most));
                continue;
            }
            if ready!(pin!(self.connection.read_buf(&mut space)).poll(cx))? == 0 {
                self.phase = Phase::Ended;
                return Poll::Ready(Ok(()));
            }
        }
        // Whoever drives this looks at once at what has come, and comes back for more.
        Poll::Pending
    }
}
