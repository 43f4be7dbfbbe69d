//! A deadline that a poll function can look at.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A time by which something must have happened. The timer behind it is made at the first wait and
/// used again for later deadlines.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Sets the deadline to `after` from now, in place of an earlier one.
    pub(super) fn set(&mut self, after: Duration) {
        // A span beyond the clock's range is no deadline at all.
        self.at = Instant::now().checked_add(after);
    }

    /// Sets the deadline unless one is running.
    pub(super) fn start(&mut self, after: Duration) {
        if self.at.is_none() {
            self.set(after);
        }
    }

    /// Lifts the deadline.
    pub(super) fn clear(&mut self) {
        self.at = None;
    }

    /// Ready once the deadline has passed; pending for ever without one.
    pub(super) fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}
