//! The state of one attempt, and the wait in which everything that may happen is watched at once.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Sleep, timeout_at};

use crate::dialect;
use crate::relay::client::{AnswerHead, Client, ClientGone};
use crate::relay::clocks::Clocks;
use crate::relay::job::{Job, Report};
use crate::relay::pump::Life;
use crate::relay::verdict::{End, Why};
use crate::route::Target;
use crate::telemetry::Attempt;
use crate::units::Tokens;

/// What came first.
pub(super) enum Raced<T> {
    /// The work was done.
    Done(T),
    /// The client left.
    Left,
    /// A clock ran out, or the process is stopping.
    Short(Why),
}

/// The state of one attempt: who is waiting, for how long, and what is known so far.
pub(super) struct Turn<'a, 'j, C: Client> {
    pub(super) client: &'a mut C,
    pub(super) job: &'a Job<'j>,
    pub(super) target: &'a Target,
    pub(super) report: &'a mut Report,
    pub(super) clocks: Clocks,
    pub(super) timer: Pin<&'a mut Sleep>,
    pub(super) stop: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
    pub(super) attempt: Attempt,
    pub(super) begun: Instant,
}

impl<C: Client> Turn<'_, '_, C> {
    /// Waits for `work`, as long as the client stays and no clock runs out.
    pub(super) async fn race<T>(&mut self, work: impl Future<Output = T> + Send) -> Raced<T> {
        // Work that is always done at once would keep the timer from ever being asked.
        if let Some(why) = self.over() {
            return Raced::Short(why);
        }
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Raced::Done(done),
                () = self.client.left() => return Raced::Left,
                () = self.stop.as_mut() => return Raced::Short(Why::Stopping),
                () = self.timer.as_mut() => {}
            }
            if let Some(expired) = self.clocks.expired(Instant::now()) {
                return Raced::Short(Why::Expired(expired));
            }
            self.timer.as_mut().reset(self.clocks.due().into());
        }
    }

    fn over(&self) -> Option<Why> {
        if *self.job.stop.borrow() {
            return Some(Why::Stopping);
        }
        self.clocks.expired(Instant::now()).map(Why::Expired)
    }

    /// Sends frames, with the head before the first of them. The attempt's end is the client's
    /// too; the wait for it is not the provider's silence.
    pub(super) async fn deliver(
        &mut self,
        head: &mut Option<AnswerHead>,
        frames: Bytes,
    ) -> Result<(), ClientGone> {
        let (begun, end) = (Instant::now(), self.clocks.end().into());
        let sent = match head.take() {
            Some(head) => timeout_at(end, self.client.begin(head, frames)).await,
            None => timeout_at(end, self.client.send(frames)).await,
        };
        self.clocks.paused(begun.elapsed());
        sent.unwrap_or(Err(ClientGone))
    }

    /// Notes a sign of life that came at `now`.
    pub(super) fn saw(&mut self, life: Life, now: Instant) {
        match life {
            Life::None => {}
            Life::Content if self.attempt.first_token.is_none() => {
                self.attempt.first_token = Some(now.saturating_duration_since(self.begun));
                self.report.first_token = Some(now);
                self.clocks.begun(now);
                self.timer.as_mut().reset(self.clocks.due().into());
            }
            Life::Progress | Life::Content => self.clocks.progressed(now, Tokens(0)),
        }
    }

    /// Ends a stream that has begun: an error event, and no success mark after it.
    pub(super) async fn broken(&mut self, why: Why) -> End {
        let fault = why.fault(&self.job.route.name);
        let event = dialect::fault_event(self.job.request.dialect, &fault);
        match self.client.end(event).await {
            Ok(()) => End::Broken(why),
            Err(ClientGone) => End::Aborted,
        }
    }
}

/// Resolves when running exchanges have to end.
pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // The sender is gone only when the process ends: nobody is left to say so.
        std::future::pending::<()>().await;
    }
}
