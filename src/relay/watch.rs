//! The wait of an attempt: some work, and the clocks that may run out over it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use tokio::time::Sleep;

use crate::relay::clocks::{Clocks, Expired};

/// What came first.
#[derive(Debug)]
pub(super) enum Raced<T, O> {
    /// The work was done.
    Done(T),
    /// What was watched beside it happened.
    Outside(O),
    /// The gate's time has come.
    Gate,
    /// A clock ran out.
    Expired(Expired),
}

/// An attempt's clocks, with the one timer that they need.
pub(super) struct Watch {
    pub(super) clocks: Clocks,
    timer: Pin<Box<Sleep>>,
}

impl Watch {
    pub(super) fn new(clocks: Clocks) -> Self {
        let timer = Box::pin(tokio::time::sleep_until(clocks.due().into()));
        Self { clocks, timer }
    }

    /// Waits for `work`, for `outside`, for the `gate`'s time, or until a clock runs out. `now` is
    /// when the caller last looked: work that is always done at once would keep the timer from
    /// ever being asked.
    pub(super) async fn race<T, O>(
        &mut self,
        now: Instant,
        gate: Option<Instant>,
        work: impl Future<Output = T> + Send,
        outside: impl Future<Output = O> + Send,
    ) -> Raced<T, O> {
        if let Some(expired) = self.clocks.expired(now) {
            return Raced::Expired(expired);
        }
        self.aim(gate);
        let (mut work, mut outside) = (pin!(work), pin!(outside));
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Raced::Done(done));
            }
            if let Poll::Ready(happened) = outside.as_mut().poll(context) {
                return Poll::Ready(Raced::Outside(happened));
            }
            while self.timer.as_mut().poll(context).is_ready() {
                let now = Instant::now();
                if let Some(expired) = self.clocks.expired(now) {
                    return Poll::Ready(Raced::Expired(expired));
                }
                if gate.is_some_and(|gate| now >= gate) {
                    return Poll::Ready(Raced::Gate);
                }
                self.reset(gate);
            }
            Poll::Pending
        })
        .await
    }

    /// Sees to it that the timer fires in time. One that fires early is set anew then, so that
    /// progress, which only moves clocks on, costs no timer operation.
    fn aim(&mut self, gate: Option<Instant>) {
        if self.timer.deadline().into_std() > self.due(gate) {
            self.reset(gate);
        }
    }

    fn reset(&mut self, gate: Option<Instant>) {
        let due = self.due(gate);
        self.timer.as_mut().reset(due.into());
    }

    fn due(&self, gate: Option<Instant>) -> Instant {
        let due = self.clocks.due();
        gate.map_or(due, |gate| gate.min(due))
    }
}
