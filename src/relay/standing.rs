//! What the process knows of its targets: breaker, load, speed, last failure. It outlives reloads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::route::{Condition, Latency, Standing};
use crate::upstream::{Admission, Breaker, BreakerPolicy, BreakerState, Settled, Ticket};

/// All targets of the process, by name.
#[derive(Debug, Default)]
pub struct Standings(Mutex<BTreeMap<Arc<str>, Arc<TargetState>>>);

impl Standings {
    /// The state of each of `names`, kept where it was known. All others are forgotten here; who
    /// still holds one goes on with it.
    pub fn keep<'a>(
        &self,
        names: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> BTreeMap<Arc<str>, Arc<TargetState>> {
        let mut known = self.0.lock();
        let kept: BTreeMap<_, _> = names
            .into_iter()
            .map(|name| {
                let state = known.get(name).cloned().unwrap_or_default();
                (Arc::clone(name), state)
            })
            .collect();
        known.clone_from(&kept);
        kept
    }
}

/// What is known of one target.
#[derive(Debug, Default)]
pub struct TargetState {
    in_flight: AtomicU32,
    judged: Mutex<Judged>,
}

#[derive(Debug, Default)]
struct Judged {
    breaker: Breaker,
    latency: Latency,
    last_failure: Option<LastFailure>,
}

/// The last thing that went wrong at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// Its reason: a name from a set that the code bounds.
    pub reason: &'static str,
    /// When.
    pub at: SystemTime,
}

/// What a status page shows of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetStatus {
    /// Its breaker.
    pub breaker: BreakerState,
    /// For how long it is left alone.
    pub shut_for: Option<Duration>,
    /// Attempts under way.
    pub in_flight: u32,
    /// The expected time to its first token.
    pub first_token: Option<Duration>,
    /// The last failure of any kind.
    pub last_failure: Option<LastFailure>,
}

impl TargetState {
    /// What a plan needs to know.
    pub(super) fn condition(&self, breaker: Option<&BreakerPolicy>, now: Instant) -> Condition {
        let judged = self.judged.lock();
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        Condition {
            standing: Standing::Known(match breaker {
                Some(_) => judged.breaker.admission(now),
                None => Admission::Free,
            }),
            in_flight,
            latency: judged.latency.estimate(now, in_flight),
        }
    }

    /// Leave for an attempt, or `None` when the breaker is shut or another attempt probes it.
    pub(super) fn admit(
        self: &Arc<Self>,
        breaker: Option<&BreakerPolicy>,
        now: Instant,
    ) -> Option<Pass> {
        let ticket = match breaker {
            Some(_) => self.judged.lock().breaker.admit(now)?,
            None => Ticket::Plain,
        };
        Some(self.pass(ticket, breaker))
    }

    /// Leave for an attempt whatever the breaker says: there is no other way.
    pub(super) fn resort(self: &Arc<Self>, breaker: Option<&BreakerPolicy>, now: Instant) -> Pass {
        self.admit(breaker, now)
            .unwrap_or_else(|| self.pass(Ticket::Resort, breaker))
    }

    fn pass(self: &Arc<Self>, ticket: Ticket, breaker: Option<&BreakerPolicy>) -> Pass {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Pass {
            state: Arc::clone(self),
            ticket: Some(ticket),
            breaker: breaker.cloned(),
        }
    }

    /// A first token came after `wait`.
    pub(super) fn note_first_token(&self, wait: Duration, now: Instant) {
        self.judged.lock().latency.observe(wait, now);
    }

    /// Leaves the target alone for `wait`.
    pub(super) fn cool(&self, wait: Duration, now: Instant) {
        if let Some(until) = now.checked_add(wait) {
            self.judged.lock().breaker.cool(until, now);
        }
    }

    /// The silence after which an attempt at it is unusual, once enough is known.
    pub(super) fn p95(&self) -> Option<Duration> {
        self.judged.lock().latency.p95()
    }

    /// For a status page.
    pub fn status(&self, now: Instant) -> TargetStatus {
        let judged = self.judged.lock();
        let shut_for = match judged.breaker.admission(now) {
            Admission::Shut { until } => Some(until.saturating_duration_since(now)),
            Admission::Free | Admission::Probe | Admission::Probed => None,
        };
        TargetStatus {
            breaker: judged.breaker.state(now),
            shut_for,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            first_token: judged.latency.estimate(now, 0),
            last_failure: judged.last_failure,
        }
    }
}

/// Leave for one attempt. However the attempt ends, dropped included, its place is given back.
#[derive(Debug)]
pub(super) struct Pass {
    state: Arc<TargetState>,
    ticket: Option<Ticket>,
    breaker: Option<BreakerPolicy>,
}

impl Pass {
    /// The head of its answer has passed the gate: a probe has proved what it was made for, however
    /// long the rest takes.
    pub(super) fn committed(&mut self, now: Instant) {
        if matches!(self.ticket, Some(Ticket::Probe | Ticket::Resort)) {
            self.settle(Settled::Success, now);
            self.ticket = Some(Ticket::Plain);
        }
    }

    /// The attempt ended.
    pub(super) fn settle(&mut self, end: Settled, now: Instant) {
        if let (Some(ticket), Some(policy)) = (self.ticket.take(), &self.breaker) {
            let mut judged = self.state.judged.lock();
            judged.breaker.settle(ticket, end, now, policy);
        }
    }

    /// The attempt failed, for people to see.
    pub(super) fn failed(&self, reason: &'static str) {
        self.state.judged.lock().last_failure = Some(LastFailure {
            reason,
            at: SystemTime::now(),
        });
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.settle(Settled::Neutral, Instant::now());
        self.state.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
