//! What a breaker must do, said over the history of all that happened, and a run of the real one
//! beside it. For the property test, and for the fuzz target, which includes this file too.

use std::time::{Duration, Instant};

use crate::upstream::{Admission, Breaker, BreakerPolicy, BreakerState, Settled, Ticket};

/// Steps of one run: what is said over the history costs its length each time.
const STEPS: usize = 200;

/// Something that changed what is known.
#[derive(Clone, Copy)]
enum Change {
    Opened { until: Duration },
    Recovered,
    Failed,
    Cooled { until: Duration },
    Hastened { at: Duration },
}

/// An attempt under way: the real ticket, and how much had happened when it was taken.
struct Attempt {
    ticket: Ticket,
    began: usize,
}

/// The naive one: it keeps everything and looks it all up again.
struct Run {
    policy: BreakerPolicy,
    start: Instant,
    now: Duration,
    history: Vec<Change>,
    attempts: Vec<Attempt>,
    breaker: Breaker,
}

/// Plays a run: two bytes of policy, then two bytes a step.
pub(super) fn check(input: &[u8]) {
    let [failures, open, steps @ ..] = input else {
        return;
    };
    let open = Duration::from_millis(u64::from(*open));
    let mut run = Run {
        policy: BreakerPolicy {
            failures: u32::from(*failures % 5),
            open,
            longest: open * u32::from(1 + *failures / 5),
        },
        start: Instant::now(),
        now: Duration::ZERO,
        history: Vec::new(),
        attempts: Vec::new(),
        breaker: Breaker::default(),
    };
    for step in steps.chunks_exact(2).take(STEPS) {
        if let [what, detail] = step {
            run.step(*what, *detail);
            run.compare();
        }
    }
    while !run.attempts.is_empty() {
        run.settle(0, Settled::Neutral);
        run.compare();
    }
}

/// An [`Admission`] by the history.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Free,
    Probe,
    Probed,
    Shut(Duration),
}

impl Run {
    fn step(&mut self, what: u8, detail: u8) {
        let which = usize::from(what >> 4);
        match what % 8 {
            0 | 1 => self.admit(),
            2 => self.attempts.push(Attempt {
                ticket: if detail.is_multiple_of(4) {
                    self.breaker.unasked()
                } else {
                    self.breaker.resort()
                },
                began: self.history.len(),
            }),
            3 => self.settle(which, Settled::Success),
            4 => self.settle(which, Settled::Failure),
            5 => self.settle(which, Settled::Neutral),
            6 => self.now += Duration::from_millis(u64::from(detail) << (which / 2)),
            _ if which == 0 => {
                self.breaker.hasten(self.start + self.now);
                self.history.push(Change::Hastened { at: self.now });
            }
            _ => self.cool(Duration::from_millis(u64::from(detail) << which)),
        }
    }

    fn admit(&mut self) {
        let ticket = self.breaker.admit(self.start + self.now);
        match (self.expected(), &ticket) {
            (Expected::Free, Some(Ticket::Plain(_)))
            | (Expected::Probe, Some(Ticket::Probe(_)))
            | (Expected::Probed | Expected::Shut(_), None) => {}
            (expected, ticket) => panic!("{expected:?}, but {ticket:?}"),
        }
        let began = self.history.len();
        self.attempts
            .extend(ticket.map(|ticket| Attempt { ticket, began }));
    }

    fn settle(&mut self, which: usize, end: Settled) {
        if self.attempts.is_empty() {
            return;
        }
        let Attempt { ticket, began } = self.attempts.remove(which % self.attempts.len());
        let prober = matches!(ticket, Ticket::Probe(_));
        let now = self.start + self.now;
        if end == Settled::Neutral && self.history.len().is_multiple_of(2) {
            self.breaker.take_back(ticket);
        } else {
            self.breaker.settle(ticket, end, now, &self.policy);
        }
        let ill = self.is_ill();
        // Well or ill, it has been so without a break since the attempt began.
        let counts = self.turns(began) == self.turns(self.history.len());
        match end {
            Settled::Success if counts => self.history.push(Change::Recovered),
            Settled::Failure if counts && !ill => {
                self.history.push(Change::Failed);
                let streak = self.history.iter().rev().map_while(|change| match change {
                    Change::Failed => Some(1),
                    Change::Cooled { .. } | Change::Hastened { .. } => Some(0),
                    Change::Opened { .. } | Change::Recovered => None,
                });
                if streak.sum::<u32>() >= self.policy.failures.max(1) {
                    self.open();
                }
            }
            Settled::Failure if counts && prober => self.open(),
            Settled::Success | Settled::Failure | Settled::Neutral => {}
        }
    }

    fn open(&mut self) {
        let since_well = self.history.iter().rev();
        let times = since_well
            .take_while(|change| !matches!(change, Change::Recovered))
            .filter(|change| matches!(change, Change::Opened { .. }))
            .count();
        let mut time = self.policy.open;
        for _ in 0..times {
            time = (time * 2).min(self.policy.longest);
        }
        let until = self.now + time;
        self.history.push(Change::Opened { until });
    }

    fn cool(&mut self, wish: Duration) {
        let now = self.start + self.now;
        self.breaker.cool(now + wish, now);
        let until = self.now + wish.min(Duration::from_mins(10));
        self.history.push(Change::Cooled { until });
    }

    /// How often it had changed between well and ill when so much had happened: it is ill after an
    /// odd number.
    fn turns(&self, at: usize) -> usize {
        let mut turns = 0;
        for change in self.history.iter().take(at) {
            let ill = turns % 2 == 1;
            match change {
                Change::Opened { .. } if !ill => turns += 1,
                Change::Recovered if ill => turns += 1,
                _ => {}
            }
        }
        turns
    }

    fn is_ill(&self) -> bool {
        self.turns(self.history.len()) % 2 == 1
    }

    fn open_until(&self) -> Option<Duration> {
        if !self.is_ill() {
            return None;
        }
        let opened = |change: &Change| matches!(change, Change::Opened { .. });
        let last = self.history.iter().rposition(opened)?;
        let until = self.history.iter().skip(last).filter_map(|change| {
            let (Change::Opened { until: at } | Change::Hastened { at }) = change else {
                return None;
            };
            Some(*at)
        });
        until.min()
    }

    fn expected(&self) -> Expected {
        let cooled = self.history.iter().filter_map(|change| match change {
            Change::Cooled { until } => Some(*until),
            _ => None,
        });
        let shut = cooled.chain(self.open_until()).max();
        if let Some(until) = shut.filter(|until| self.now < *until) {
            return Expected::Shut(until);
        }
        match (self.open_until(), self.probes()) {
            (None, _) => Expected::Free,
            (Some(_), 0) => Expected::Probe,
            (Some(_), _) => Expected::Probed,
        }
    }

    fn probes(&self) -> usize {
        let probe = |attempt: &&Attempt| matches!(attempt.ticket, Ticket::Probe(_));
        self.attempts.iter().filter(probe).count()
    }

    fn compare(&self) {
        assert!(self.probes() <= 1, "two probes at once");
        let now = self.start + self.now;
        let (found, state) = match self.breaker.admission(now) {
            Admission::Free => (Expected::Free, BreakerState::Closed),
            Admission::Probe => (Expected::Probe, BreakerState::HalfOpen),
            Admission::Probed => (Expected::Probed, BreakerState::HalfOpen),
            Admission::Shut { until } => (Expected::Shut(until - self.start), BreakerState::Open),
        };
        assert_eq!(found, self.expected());
        assert_eq!(self.breaker.state(now), state);
    }
}
