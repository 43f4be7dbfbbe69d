//! Of all who come to a half-open breaker at once, one probes; and its place is never lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use loom::sync::atomic::AtomicUsize;
use loom::thread;
use segue_models::breaker::{Admission, BreakerPolicy, BreakerState, Settled, SharedBreaker};

const POLICY: BreakerPolicy = BreakerPolicy {
    failures: 1,
    open: Duration::from_secs(30),
    longest: Duration::from_secs(300),
};

/// What one caller does with what it gets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Caller {
    /// Asks for leave and settles.
    Settles(Settled),
    /// Asks for leave and is cancelled.
    Leaves,
    /// Goes without leave and settles.
    Resorts(Settled),
}

const CALLERS: [Caller; 6] = [
    Caller::Settles(Settled::Success),
    Caller::Settles(Settled::Failure),
    Caller::Settles(Settled::Neutral),
    Caller::Leaves,
    Caller::Resorts(Settled::Success),
    Caller::Resorts(Settled::Failure),
];

/// One that was open for its time at the instant given.
fn half_open() -> (Arc<SharedBreaker>, Instant) {
    let (breaker, start) = (Arc::new(SharedBreaker::default()), Instant::now());
    let permit = breaker.admit(start).unwrap();
    permit.settle(Settled::Failure, start, &POLICY);
    (breaker, start + POLICY.open)
}

impl Caller {
    fn come(self, breaker: &Arc<SharedBreaker>, now: Instant, probes: &AtomicUsize) -> bool {
        let (permit, end) = match self {
            Self::Settles(end) => (breaker.admit(now), Some(end)),
            Self::Leaves => (breaker.admit(now), None),
            Self::Resorts(end) => (Some(breaker.resort()), Some(end)),
        };
        let Some(permit) = permit else {
            return false;
        };
        if permit.is_probe() {
            assert_eq!(probes.fetch_add(1, SeqCst), 0, "two probes at once");
            // It is under way, and others come meanwhile.
            probes.fetch_sub(1, SeqCst);
        }
        match end {
            Some(end) => permit.settle(end, now, &POLICY),
            None => drop(permit),
        }
        true
    }
}

fn explore(callers: [Caller; 3], refused: &'static AtomicBool) {
    loom::model(move || {
        let (breaker, now) = half_open();
        let probes = Arc::new(AtomicUsize::new(0));
        let [first, others @ ..] = callers;
        let others = others.map(|caller| {
            let (breaker, probes) = (Arc::clone(&breaker), Arc::clone(&probes));
            thread::spawn(move || caller.come(&breaker, now, &probes))
        });
        if !first.come(&breaker, now, &probes) {
            refused.store(true, SeqCst);
        }
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(probes.load(SeqCst), 0);
        assert_ne!(breaker.admission(now), Admission::Probed, "a place is lost");
        let succeeded = callers.iter().any(|caller| {
            matches!(
                caller,
                Caller::Settles(Settled::Success) | Caller::Resorts(Settled::Success)
            )
        });
        if !succeeded {
            assert_ne!(breaker.state(now), BreakerState::Closed);
        }
        // However it went, somebody can find out how the target is.
        let later = now + POLICY.longest;
        assert!(breaker.admit(later).is_some());
    });
}

#[test]
fn one_probes_at_a_time_and_its_place_is_never_lost() {
    static REFUSED: AtomicBool = AtomicBool::new(false);
    for (at, first) in CALLERS.iter().enumerate() {
        for (next, second) in CALLERS.iter().enumerate().skip(at) {
            for third in CALLERS.iter().skip(next) {
                explore([*first, *second, *third], &REFUSED);
            }
        }
    }
    assert!(REFUSED.load(SeqCst), "nobody met another's probe");
}

#[test]
fn a_probe_that_succeeds_closes_it_for_all_who_come_after() {
    loom::model(|| {
        let (breaker, now) = half_open();
        let other = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || breaker.admit(now).map(|permit| permit.is_probe()))
        };
        let own = breaker.admit(now).map(|permit| {
            let probe = permit.is_probe();
            permit.settle(Settled::Success, now, &POLICY);
            probe
        });
        let other = other.join().unwrap();
        // Whoever came in between was refused, or probed before, or passed after.
        assert!(own == Some(true) || other == Some(true));
        if own.is_some() {
            assert_eq!(breaker.admission(now), Admission::Free);
        }
    });
}

#[test]
#[should_panic(expected = "two probes at once")]
fn the_exploration_finds_two_probes_where_looking_and_taking_are_two_steps() {
    loom::model(|| {
        let (breaker, now) = half_open();
        let probes = Arc::new(AtomicUsize::new(0));
        let look_then_take = {
            let (breaker, probes) = (Arc::clone(&breaker), Arc::clone(&probes));
            move || {
                if breaker.admission(now) == Admission::Probe {
                    assert_eq!(probes.fetch_add(1, SeqCst), 0, "two probes at once");
                    let permit = breaker.resort();
                    probes.fetch_sub(1, SeqCst);
                    permit.settle(Settled::Failure, now, &POLICY);
                }
            }
        };
        let other = thread::spawn(look_then_take.clone());
        look_then_take();
        if let Err(panic) = other.join() {
            std::panic::resume_unwind(panic);
        }
    });
}
