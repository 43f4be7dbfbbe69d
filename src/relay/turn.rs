//! The state of one attempt, and the wait in which everything that may happen is watched at once.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::Sleep;

use crate::dialect;
use crate::relay::client::{Client, ClientGone};
use crate::relay::clocks::Clocks;
use crate::relay::job::{Job, Report};
use crate::relay::verdict::{End, Why};
use crate::route::Target;
use crate::telemetry::Attempt;

/// What came first.
pub(super) enum Raced<T> {
    /// The work was done.
    Done(T),
    /// The client left.
    Left,
    /// A clock ran out, or the process is stopping.
    Short(Why),
}

/// What a provider's bytes say about its being alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    /// Nothing, or comments only.
    #[default]
    None,
    /// Frames without content.
    Progress,
    /// Content.
    Content,
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
            Life::Progress | Life::Content => self.clocks.progressed(now),
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
