//! Passive health: Closed, Open, HalfOpen, fed by how attempts end.
//!
//! Pure: time comes in as an argument. A [`Ticket`] is taken before an attempt and settled however
//! it ends, so that the one place of a half-open breaker is always given back.

use std::time::{Duration, Instant};

/// The longest cool-down that a provider can ask for.
const LONGEST_COOLING: Duration = Duration::from_mins(10);

/// When a breaker opens and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row until it opens; at least 1.
    pub failures: u32,
    /// How long it is open the first time; each further time in a row twice as long.
    pub open: Duration,
    /// How long it is open at most; at least `open`.
    pub longest: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 3,
            open: Duration::from_secs(30),
            longest: Duration::from_mins(5),
        }
    }
}

/// The passive health of one target or peer.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    state: State,
    /// Failures in a row while closed.
    failures: u32,
    /// How often it has opened since it was last well.
    opened: u32,
    /// The provider asked to be left alone until then.
    cooling: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    Probing,
}

/// What a breaker says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is known against it.
    Free,
    /// It was open for its time: one attempt may probe it.
    Probe,
    /// It was open for its time, and somebody probes it.
    Probed,
    /// It is open, or cooling down.
    Shut {
        /// Until then.
        until: Instant,
    },
}

/// Leave to make one attempt, to be settled with its end.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Ticket {
    /// An attempt like any other.
    Plain,
    /// The one that probes.
    Probe,
    /// An attempt although the breaker advised against it, for there was no other way.
    Resort,
}

/// How an attempt ended, as far as a breaker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It answered.
    Success,
    /// It failed by its own fault.
    Failure,
    /// It says nothing about the target: the client left or was at fault, or a rate limit.
    Neutral,
}

/// A breaker's state by name, for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Attempts pass.
    Closed,
    /// They do not.
    Open,
    /// One at a time does.
    HalfOpen,
}

impl BreakerState {
    /// The name in log, metrics and status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Breaker {
    /// What it says at `now`, without taking anything.
    pub fn admission(&self, now: Instant) -> Admission {
        let cooling = self.cooling.filter(|until| now < *until);
        match (self.state, cooling) {
            (State::Open { until }, _) if now < until => Admission::Shut {
                until: cooling.map_or(until, |cooling| cooling.max(until)),
            },
            (_, Some(until)) => Admission::Shut { until },
            (State::Open { .. }, None) => Admission::Probe,
            (State::Probing, None) => Admission::Probed,
            (State::Closed, None) => Admission::Free,
        }
    }

    /// Leave for an attempt at `now`; `None` when another one probes or it is shut.
    pub fn admit(&mut self, now: Instant) -> Option<Ticket> {
        match self.admission(now) {
            Admission::Free => Some(Ticket::Plain),
            Admission::Probe => {
                self.state = State::Probing;
                Some(Ticket::Probe)
            }
            Admission::Probed | Admission::Shut { .. } => None,
        }
    }

    /// Notes how an attempt ended at `now`.
    pub fn settle(&mut self, ticket: Ticket, end: Settled, now: Instant, policy: &BreakerPolicy) {
        match (ticket, end, self.state) {
            // Whoever got an answer has proved more than any timer.
            (Ticket::Probe | Ticket::Resort, Settled::Success, _)
            | (Ticket::Plain, Settled::Success, State::Closed) => self.recover(),
            (Ticket::Probe, Settled::Failure, _) => self.open(now, policy),
            // The next attempt probes.
            (Ticket::Probe, Settled::Neutral, _) => self.state = State::Open { until: now },
            (Ticket::Plain | Ticket::Resort, Settled::Failure, State::Closed) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= policy.failures {
                    self.open(now, policy);
                }
            }
            // Attempts that began before it opened tell nothing new.
            (Ticket::Plain | Ticket::Resort, _, _) => {}
        }
    }

    /// Leaves the target alone until `until`, ten minutes from `now` at most. Of two wishes the
    /// later end counts.
    pub fn cool(&mut self, until: Instant, now: Instant) {
        let until = until.min(now + LONGEST_COOLING);
        self.cooling = Some(self.cooling.map_or(until, |known| known.max(until)));
    }

    /// Its state at `now`.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.admission(now) {
            Admission::Free => BreakerState::Closed,
            Admission::Probe | Admission::Probed => BreakerState::HalfOpen,
            Admission::Shut { .. } => BreakerState::Open,
        }
    }

    fn recover(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
        self.opened = 0;
    }

    fn open(&mut self, now: Instant, policy: &BreakerPolicy) {
        let doubled = policy
            .open
            .saturating_mul(1_u32.checked_shl(self.opened).unwrap_or(u32::MAX));
        self.opened = self.opened.saturating_add(1);
        self.failures = 0;
        self.state = State::Open {
            until: now + doubled.min(policy.longest),
        };
    }
}
