//! A deadline that a poll function can look at.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A time by which something must have happened. The timer behind it is made at the first wait.
/// A deadline that moves on leaves the timer as it is: only one that fires looks at the deadline,
/// so a busy connection sets no timer for each request.
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
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moved_on_passes_when_it_says_and_not_before() {
        let mut deadline = Deadline::default();
        let start = Instant::now();
        deadline.set(SECOND);
        let first = tokio::time::timeout(SECOND / 2, poll_fn(|cx| deadline.poll_passed(cx))).await;
        assert!(first.is_err());
        deadline.set(3 * SECOND);
        poll_fn(|cx| deadline.poll_passed(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moved_nearer_passes_at_its_new_time() {
        let mut deadline = Deadline::default();
        deadline.set(60 * SECOND);
        let start = Instant::now();
        let wait = tokio::time::timeout(SECOND, poll_fn(|cx| deadline.poll_passed(cx)));
        assert!(wait.await.is_err());
        deadline.set(SECOND);
        poll_fn(|cx| deadline.poll_passed(cx)).await;
        assert!(start.elapsed() < 3 * SECOND);
    }
}
