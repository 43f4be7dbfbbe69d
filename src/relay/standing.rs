//! What the process knows of its targets: breaker, load, rates, speed, last failure. It outlives reloads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::relay::rates::{Rates, Toll};
use crate::route::{Condition, Latency, Standing, TargetLimits};
use crate::units::Tokens;
use crate::upstream::{
    Admission, Ailment, BreakerPolicy, BreakerRecord, BreakerState, Permit, Settled, SharedBreaker,
};

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

    /// All that are known.
    pub fn all(&self) -> Vec<(Arc<str>, Arc<TargetState>)> {
        let known = self.0.lock();
        let pair =
            |(name, state): (&Arc<str>, &Arc<TargetState>)| (Arc::clone(name), Arc::clone(state));
        known.iter().map(pair).collect()
    }

    /// How all targets stand, for a successor.
    pub fn records(&self, now: Instant) -> Vec<TargetRecord> {
        let record = |(name, state): (&Arc<str>, &Arc<TargetState>)| TargetRecord {
            name: Arc::clone(name),
            breaker: state.breaker.record(now),
            rates: state.rates.lock().handed(now),
        };
        self.0.lock().iter().map(record).collect()
    }

    /// Takes over how a target stood, if there is one of that name.
    pub fn inherit(&self, record: &TargetRecord, now: Instant) {
        if let Some(state) = self.0.lock().get(&record.name) {
            state.breaker.inherit(record.breaker, now);
            *state.rates.lock() = Rates::inherited(record.rates, now);
        }
    }

    /// Leaves a target alone, if there is one of that name: a predecessor's attempt was told so.
    pub fn cool(&self, name: &str, wait: Duration, now: Instant) {
        if let Some(state) = self.0.lock().get(name) {
            state.cool(wait, now);
        }
    }
}

/// How a target stands, without the clock of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRecord {
    /// `provider/model`.
    pub name: Arc<str>,
    /// Its breaker, and its cool-down.
    pub breaker: BreakerRecord,
    /// What was taken of its own limits: requests, tokens.
    pub rates: [(u128, Duration); 2],
}

/// What is known of one target.
#[derive(Debug, Default)]
pub struct TargetState {
    in_flight: AtomicU32,
    breaker: Arc<SharedBreaker>,
    rates: Mutex<Rates>,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
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
    /// What a plan needs to know. A route without a breaker does not ask this one.
    pub(super) fn condition(
        &self,
        policy: Option<&BreakerPolicy>,
        limits: TargetLimits,
        now: Instant,
    ) -> Condition {
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        let admission = match policy {
            Some(_) => self.breaker.admission(now),
            None => Admission::Free,
        };
        let full = match admission {
            Admission::Free | Admission::Probe => self.full_until(limits, now),
            Admission::Probed | Admission::Shut { .. } => None,
        };
        Condition {
            standing: match full {
                Some(until) => Standing::Full { until },
                None => Standing::Known(admission),
            },
            in_flight,
            latency: self.heard.lock().latency.estimate(now, in_flight),
        }
    }

    /// Until when no attempt at all is within its limits.
    fn full_until(&self, limits: TargetLimits, now: Instant) -> Option<Instant> {
        if limits == TargetLimits::default() {
            return None;
        }
        let wait = self.rates.lock().wait(Toll::least(limits), now);
        (!wait.is_zero()).then(|| now.checked_add(wait).unwrap_or(now))
    }

    /// Leave for an attempt, or `None` when the breaker is shut, another attempt probes it, or the
    /// attempt is not within its limits.
    pub(super) fn admit(
        self: &Arc<Self>,
        policy: Option<&BreakerPolicy>,
        toll: Toll,
        now: Instant,
    ) -> Option<Pass> {
        let permit = match policy {
            Some(_) => Some(self.breaker.admit(now)?),
            None => None,
        };
        let within = toll.is_free() || self.rates.lock().pay(toll, now);
        within.then(|| self.pass(permit, toll))
    }

    /// Leave for an attempt whatever the breaker and the limits say: there is no other way.
    pub(super) fn resort(
        self: &Arc<Self>,
        policy: Option<&BreakerPolicy>,
        toll: Toll,
        now: Instant,
    ) -> Pass {
        let permit = policy.map(|_| {
            let permit = self.breaker.admit(now);
            permit.unwrap_or_else(|| self.breaker.resort())
        });
        if !toll.is_free() {
            self.rates.lock().owe(toll, now);
        }
        self.pass(permit, toll)
    }

    fn pass(self: &Arc<Self>, permit: Option<Permit>, toll: Toll) -> Pass {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Pass {
            state: Arc::clone(self),
            permit,
            toll,
        }
    }

    /// A first token came after `wait`, or was given up after it.
    pub(super) fn note_first_token(&self, wait: Duration, now: Instant) {
        self.heard.lock().latency.observe(wait, now);
    }

    /// Leaves the target alone for `wait`.
    pub(super) fn cool(&self, wait: Duration, now: Instant) {
        if let Some(until) = now.checked_add(wait) {
            self.breaker.cool(until, now);
        }
    }

    /// Why it is left alone.
    pub(super) fn ailment(&self, now: Instant) -> Option<Ailment> {
        self.breaker.ailment(now)
    }

    /// Leaves it alone as another process does.
    pub(super) fn join(&self, ailment: Ailment, now: Instant) {
        match ailment {
            Ailment::Open { until } => self.breaker.join(until, now),
            Ailment::Cooling { until } => self.breaker.cool(until, now),
        }
    }

    /// Somebody has seen it answer: if it was left alone, it is probed now.
    pub(super) fn hasten(&self, now: Instant) {
        self.breaker.hasten(now);
    }

    /// The silence after which an attempt at it is unusual, once enough is known.
    pub(super) fn p95(&self) -> Option<Duration> {
        self.heard.lock().latency.p95()
    }

    /// For a status page.
    pub fn status(&self, now: Instant) -> TargetStatus {
        let shut_for = match self.breaker.admission(now) {
            Admission::Shut { until } => Some(until.saturating_duration_since(now)),
            Admission::Free | Admission::Probe | Admission::Probed => None,
        };
        let heard = self.heard.lock();
        TargetStatus {
            breaker: self.breaker.state(now),
            shut_for,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            first_token: heard.latency.estimate(now, 0),
            last_failure: heard.last_failure,
        }
    }
}

/// Leave for one attempt. However the attempt ends, dropped included, its place is given back, and
/// so are the tokens that it is not known to have taken.
#[derive(Debug)]
pub(super) struct Pass {
    state: Arc<TargetState>,
    permit: Option<Permit>,
    /// What it has paid and not yet settled.
    toll: Toll,
}

impl Pass {
    /// The head of its answer has passed the gate. A target that was shut has proved what was to
    /// be proved, however long the rest takes; should that fail, it counts like any other.
    pub(super) fn committed(&mut self, policy: Option<&BreakerPolicy>, now: Instant) {
        if self
            .permit
            .as_ref()
            .is_some_and(|permit| !permit.is_plain())
        {
            self.settle(Settled::Success, policy, now);
            self.permit = self.state.breaker.admit(now);
        }
    }

    /// The attempt ended.
    pub(super) fn settle(&mut self, end: Settled, policy: Option<&BreakerPolicy>, now: Instant) {
        if let (Some(permit), Some(policy)) = (self.permit.take(), policy) {
            permit.settle(end, now, policy);
        }
    }

    /// The attempt took so many tokens.
    pub(super) fn used(&mut self, tokens: Tokens, now: Instant) {
        let toll = std::mem::take(&mut self.toll);
        if !toll.is_free() {
            self.state.rates.lock().settle(toll, tokens, now);
        }
    }

    /// The attempt failed, for people to see.
    pub(super) fn failed(&self, reason: &'static str) {
        self.state.heard.lock().last_failure = Some(LastFailure {
            reason,
            at: SystemTime::now(),
        });
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.used(Tokens(0), Instant::now());
        self.state.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 1,
        open: Duration::from_secs(30),
        longest: Duration::from_mins(5),
    };
    const LIMITS: TargetLimits = TargetLimits {
        rpm: Some(2),
        tpm: Some(Tokens(600)),
    };

    fn toll(tokens: u64) -> Toll {
        Toll::new(LIMITS, Tokens(tokens))
    }

    fn standing(state: &Arc<TargetState>, now: Instant) -> Standing {
        state.condition(Some(&POLICY), LIMITS, now).standing
    }

    #[test]
    fn a_target_at_its_limits_is_full_until_an_attempt_is_within_them() {
        let (state, now) = (Arc::<TargetState>::default(), Instant::now());
        let free = Standing::Known(Admission::Free);
        let one = state.admit(Some(&POLICY), toll(1), now);
        assert_eq!(standing(&state, now), free);
        let two = state.admit(Some(&POLICY), toll(1), now);
        assert!(one.is_some() && two.is_some());
        let until = now + 30 * SECOND;
        assert_eq!(standing(&state, now), Standing::Full { until });
        assert!(state.admit(Some(&POLICY), toll(1), now).is_none());
        assert_eq!(standing(&state, until), free);
        let unlimited = TargetLimits::default();
        assert_eq!(state.condition(None, unlimited, now).standing, free);
    }

    #[test]
    fn an_attempt_that_is_not_within_the_limits_leaves_no_trace() {
        let (state, now) = (Arc::<TargetState>::default(), Instant::now());
        assert!(state.admit(Some(&POLICY), toll(601), now).is_none());
        assert_eq!(state.status(now).in_flight, 0);
        assert!(state.admit(Some(&POLICY), toll(600), now).is_some());
    }

    #[test]
    fn tokens_that_an_attempt_did_not_take_are_given_back_and_its_request_is_not() {
        let (state, now) = (Arc::<TargetState>::default(), Instant::now());
        let mut pass = state.admit(None, toll(600), now).unwrap();
        let until = now + SECOND / 10;
        assert_eq!(standing(&state, now), Standing::Full { until });
        pass.used(Tokens(100), now);
        drop(pass);
        let pass = state.admit(None, toll(500), now).unwrap();
        drop(pass);
        let until = now + 30 * SECOND;
        assert_eq!(standing(&state, now), Standing::Full { until }, "requests");
        assert!(state.admit(None, toll(500), until).is_some());
    }

    #[test]
    fn a_last_resort_goes_whatever_the_limits_say_and_is_counted() {
        let (state, now) = (Arc::<TargetState>::default(), Instant::now());
        for _ in 0..3 {
            let mut pass = state.resort(Some(&POLICY), toll(1), now);
            pass.settle(Settled::Success, Some(&POLICY), now);
        }
        let until = now + 60 * SECOND;
        assert_eq!(standing(&state, now), Standing::Full { until });
        assert_eq!(state.status(now).breaker, BreakerState::Closed);
    }

    #[test]
    fn a_shut_breaker_is_worse_than_limits_that_are_reached() {
        let (state, now) = (Arc::<TargetState>::default(), Instant::now());
        for _ in 0..2 {
            let mut pass = state.resort(Some(&POLICY), toll(1), now);
            pass.settle(Settled::Failure, Some(&POLICY), now);
        }
        let shut = Standing::Known(Admission::Shut {
            until: now + POLICY.open,
        });
        assert_eq!(standing(&state, now), shut);
    }
}
