//! The breaker itself: Closed, Open, `HalfOpen`, fed by how attempts end.
//!
//! ```text
//!              failures in a row                  its time is over
//!   Closed ───────────────────────▶ Open ─────────────────────────▶ HalfOpen
//!     ▲                              │ ▲        the probe fails        │ one probe at a time
//!     │          a resort succeeds   │ └──────── twice as long ────────┤
//!     └──────────────────────────────┴───── the probe succeeds ────────┘
//! ```
//!
//! Pure: time comes in as an argument. A [`Ticket`] is taken before an attempt and settled however
//! it ends, so that the one place of a half-open breaker is always given back. It remembers between
//! which two changes of health it was taken: an attempt that began before the last one tells
//! nothing of now, neither well nor ill.

use std::time::{Duration, Instant};

/// The longest cool-down that a provider can ask for.
const LONGEST_COOLING: Duration = Duration::from_mins(10);
/// The longest time that any policy keeps a breaker open.
const LONGEST_OPEN: Duration = Duration::from_hours(24);

/// When a breaker opens and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row until it opens; at least 1.
    pub failures: u32,
    /// How long it is open the first time; each further time in a row twice as long.
    pub open: Duration,
    /// How long it is open at most; at least `open`, and a day whatever it says.
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
    /// How often it has opened since an attempt last succeeded.
    opened: u32,
    spell: Spell,
    slot: Slot,
    /// The provider asked to be left alone until then.
    cooling: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        /// In a row.
        failures: u32,
    },
    /// Half open once its time is over.
    Open { until: Instant },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// The place of the one that probes. No part of the state: a resort may close the breaker and
/// others open it again while a probe is still under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    Free,
    Taken,
}

/// The time from one change between well and ill to the next, as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spell(u64);

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

/// Why a target is left alone, and until when: what other processes may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// Its breaker is open: then it is probed.
    Open {
        /// Until then.
        until: Instant,
    },
    /// Its provider asked for it: then it is free.
    Cooling {
        /// Until then.
        until: Instant,
    },
}

impl Ailment {
    /// When it is over.
    pub fn until(self) -> Instant {
        match self {
            Self::Open { until } | Self::Cooling { until } => until,
        }
    }
}

/// Leave to make one attempt, to be settled with its end by the breaker that gave it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Ticket {
    /// An attempt like any other.
    Plain(Spell),
    /// The one that probes.
    Probe(Spell),
    /// An attempt although the breaker advised against it, for there was no other way.
    Resort(Spell),
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

/// How a breaker stands, without the clock of a process: for a successor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakerRecord {
    /// Failures in a row while it is closed.
    pub failures: u32,
    /// How often it has opened since an attempt last succeeded.
    pub opened: u32,
    /// For how long it is open, zero where one may probe; `None` if it is closed.
    pub open_for: Option<Duration>,
    /// For how long the provider asked to be left alone.
    pub cooling_for: Option<Duration>,
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
        let open = match self.state {
            State::Closed { .. } => None,
            State::Open { until } => Some(until),
        };
        if let Some(until) = open.max(self.cooling).filter(|until| now < *until) {
            return Admission::Shut { until };
        }
        match (self.state, self.slot) {
            (State::Closed { .. }, _) => Admission::Free,
            (State::Open { .. }, Slot::Free) => Admission::Probe,
            (State::Open { .. }, Slot::Taken) => Admission::Probed,
        }
    }

    /// Leave for an attempt at `now`; `None` when another one probes or it is shut.
    pub fn admit(&mut self, now: Instant) -> Option<Ticket> {
        match self.admission(now) {
            Admission::Free => Some(Ticket::Plain(self.spell)),
            Admission::Probe => {
                self.slot = Slot::Taken;
                Some(Ticket::Probe(self.spell))
            }
            Admission::Probed | Admission::Shut { .. } => None,
        }
    }

    /// Leave for an attempt against its advice.
    pub fn resort(&self) -> Ticket {
        Ticket::Resort(self.spell)
    }

    /// Leave for what goes on whatever it says: an attempt that has just been settled as a success,
    /// and may still break.
    pub fn unasked(&self) -> Ticket {
        Ticket::Plain(self.spell)
    }

    /// Notes how an attempt ended at `now`.
    ///
    /// A success closes it, whoever had it: an answer has proved more than any timer. A failure
    /// counts while it is closed, and sends a probe's breaker back for twice as long; that of a
    /// resort does not prolong what everybody knew. What began before it last opened or closed
    /// counts for nothing. A cool-down stays in any case: it is the provider's word.
    pub fn settle(&mut self, ticket: Ticket, end: Settled, now: Instant, policy: &BreakerPolicy) {
        let prober = matches!(ticket, Ticket::Probe(_));
        let (Ticket::Plain(spell) | Ticket::Probe(spell) | Ticket::Resort(spell)) = ticket;
        self.take_back(ticket);
        if spell != self.spell {
            return;
        }
        match (end, self.state) {
            (Settled::Success, _) => self.recover(),
            (Settled::Failure, State::Closed { failures }) => {
                let failures = failures.saturating_add(1);
                self.state = State::Closed { failures };
                if failures >= policy.failures {
                    self.turn();
                    self.open(now, policy);
                }
            }
            (Settled::Failure, State::Open { .. }) if prober => self.open(now, policy),
            (Settled::Failure, State::Open { .. }) | (Settled::Neutral, _) => {}
        }
    }

    /// Takes a ticket back of which nothing was learnt: `settle` with [`Settled::Neutral`], for
    /// those who have no clock at hand.
    #[expect(clippy::needless_pass_by_value, reason = "nobody can use it again")]
    pub fn take_back(&mut self, ticket: Ticket) {
        if matches!(ticket, Ticket::Probe(_)) {
            self.slot = Slot::Free;
        }
    }

    /// Leaves the target alone until `until`, ten minutes from `now` at most. Of two wishes the
    /// later end counts. When it is over the target is free again without a probe, unless the
    /// breaker is open besides.
    pub fn cool(&mut self, until: Instant, now: Instant) {
        let longest = now.checked_add(LONGEST_COOLING).unwrap_or(until);
        self.cooling = self.cooling.max(Some(until.min(longest)));
    }

    /// Why it is left alone at `now`; of two reasons the one that lasts.
    pub fn ailment(&self, now: Instant) -> Option<Ailment> {
        let open = match self.state {
            State::Open { until } => Some(until),
            State::Closed { .. } => None,
        };
        let open = open.filter(|until| now < *until);
        let cooling = self.cooling.filter(|until| now < *until);
        match (open, cooling) {
            (Some(until), cooling) if Some(until) >= cooling => Some(Ailment::Open { until }),
            (_, Some(until)) => Some(Ailment::Cooling { until }),
            (_, None) => None,
        }
    }

    /// Opens it until `until`, as another process did that has seen the same target fail.
    pub fn join(&mut self, until: Instant, now: Instant) {
        let longest = now.checked_add(LONGEST_OPEN).unwrap_or(until);
        let until = until.min(longest);
        if let State::Open { until: own } = &mut self.state {
            *own = until.max(*own);
            return;
        }
        self.turn();
        self.opened = self.opened.saturating_add(1);
        self.state = State::Open { until };
    }

    /// Ends its open time at `now`: somebody knows that a probe is worth its while.
    pub fn hasten(&mut self, now: Instant) {
        if let State::Open { until } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// How it stands at `now`. Attempts under way are no part of it: they are known to who made them.
    pub fn record(&self, now: Instant) -> BreakerRecord {
        let left = |until: Instant| until.saturating_duration_since(now);
        let (failures, open_for) = match self.state {
            State::Closed { failures } => (failures, None),
            State::Open { until } => (0, Some(left(until))),
        };
        BreakerRecord {
            failures,
            opened: self.opened,
            open_for,
            cooling_for: self.cooling.map(left).filter(|left| !left.is_zero()),
        }
    }

    /// A breaker that stands so at `now`. Times are bounded as if it had learnt them itself.
    pub fn inherited(record: BreakerRecord, now: Instant) -> Self {
        let mut breaker = Self {
            opened: record.opened,
            ..Self::default()
        };
        breaker.state = match record.open_for {
            None => State::Closed {
                failures: record.failures,
            },
            Some(left) => State::Open {
                until: now.checked_add(left.min(LONGEST_OPEN)).unwrap_or(now),
            },
        };
        if let Some(until) = record.cooling_for.and_then(|left| now.checked_add(left)) {
            breaker.cool(until, now);
        }
        breaker
    }

    /// Its state at `now`. A cool-down counts as open.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.admission(now) {
            Admission::Free => BreakerState::Closed,
            Admission::Probe | Admission::Probed => BreakerState::HalfOpen,
            Admission::Shut { .. } => BreakerState::Open,
        }
    }

    fn recover(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.turn();
        }
        self.state = State::Closed { failures: 0 };
        self.opened = 0;
    }

    fn open(&mut self, now: Instant, policy: &BreakerPolicy) {
        let doubled = policy
            .open
            .saturating_mul(1_u32.checked_shl(self.opened).unwrap_or(u32::MAX));
        self.opened = self.opened.saturating_add(1);
        let time = doubled.min(policy.longest).min(LONGEST_OPEN);
        self.state = State::Open {
            until: now.checked_add(time).unwrap_or(now),
        };
    }

    /// From well to ill or back: whoever began before has no say any more.
    fn turn(&mut self) {
        self.spell = Spell(self.spell.0.wrapping_add(1));
    }
}
