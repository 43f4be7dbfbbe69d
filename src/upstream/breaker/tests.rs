//! Every transition of the breaker, its laws over random runs, and permits that are dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

const POLICY: BreakerPolicy = BreakerPolicy {
    failures: 3,
    open: Duration::from_secs(30),
    longest: Duration::from_mins(5),
};

/// A breaker and its clock.
struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            breaker: Breaker::default(),
            now: Instant::now(),
        }
    }

    /// One that has just opened.
    fn opened() -> Self {
        let mut bench = Self::new();
        bench.fail(POLICY.failures);
        assert_eq!(bench.shut_for(), Some(POLICY.open));
        bench
    }

    fn admit(&mut self) -> Option<Ticket> {
        self.breaker.admit(self.now)
    }

    fn settle(&mut self, ticket: Option<Ticket>, end: Settled) {
        let ticket = ticket.expect("it was not admitted");
        self.breaker.settle(ticket, end, self.now, &POLICY);
    }

    /// One attempt after another.
    fn fail(&mut self, times: u32) {
        for _ in 0..times {
            let ticket = self.admit();
            self.settle(ticket, Settled::Failure);
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn state(&self) -> BreakerState {
        self.breaker.state(self.now)
    }

    fn shut_for(&self) -> Option<Duration> {
        match self.breaker.admission(self.now) {
            Admission::Shut { until } => Some(until - self.now),
            _ => None,
        }
    }
}

#[test]
fn a_new_breaker_lets_any_number_pass() {
    let mut bench = Bench::new();
    assert_eq!(bench.breaker.admission(bench.now), Admission::Free);
    assert_eq!(bench.state(), BreakerState::Closed);
    let tickets: Vec<_> = (0..10).map(|_| bench.admit()).collect();
    assert!(
        tickets
            .iter()
            .all(|ticket| matches!(ticket, Some(Ticket::Plain(_))))
    );
}

#[test]
fn it_opens_with_the_last_of_so_many_failures_in_a_row() {
    let mut bench = Bench::new();
    bench.fail(2);
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail(1);
    assert_eq!(bench.state(), BreakerState::Open);
    assert_eq!(bench.shut_for(), Some(POLICY.open));
    assert_eq!(bench.admit(), None);
}

#[test]
fn a_success_between_them_breaks_the_row() {
    let mut bench = Bench::new();
    bench.fail(2);
    let ticket = bench.admit();
    bench.settle(ticket, Settled::Success);
    bench.fail(2);
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn client_errors_and_aborts_neither_trip_nor_reset() {
    let mut bench = Bench::new();
    for _ in 0..10 {
        let ticket = bench.admit();
        bench.settle(ticket, Settled::Neutral);
    }
    bench.fail(2);
    assert_eq!(bench.state(), BreakerState::Closed);
    let ticket = bench.admit();
    bench.settle(ticket, Settled::Neutral);
    bench.fail(1);
    assert_eq!(bench.state(), BreakerState::Open);
}

#[test]
fn a_policy_of_no_failures_means_one() {
    let policy = BreakerPolicy {
        failures: 0,
        ..POLICY
    };
    let (mut breaker, now) = (Breaker::default(), Instant::now());
    let ticket = breaker.admit(now).unwrap();
    assert_eq!(breaker.state(now), BreakerState::Closed);
    breaker.settle(ticket, Settled::Failure, now, &policy);
    assert_eq!(breaker.state(now), BreakerState::Open);
}

#[test]
fn when_its_time_is_over_it_lets_one_probe_pass() {
    let mut bench = Bench::opened();
    bench.wait(Duration::new(29, 999_999_999));
    assert_eq!(bench.state(), BreakerState::Open);
    bench.wait(Duration::from_nanos(1));
    assert_eq!(bench.state(), BreakerState::HalfOpen);
    assert_eq!(bench.breaker.admission(bench.now), Admission::Probe);
    assert!(matches!(bench.admit(), Some(Ticket::Probe(_))));
    assert_eq!(bench.breaker.admission(bench.now), Admission::Probed);
    assert_eq!(bench.state(), BreakerState::HalfOpen);
    assert_eq!(bench.admit(), None);
    bench.wait(SECOND * 3600);
    assert_eq!(bench.admit(), None, "however long it takes");
}

#[test]
fn a_probe_that_succeeds_closes_it() {
    let mut bench = Bench::opened();
    bench.wait(POLICY.open);
    let probe = bench.admit();
    bench.settle(probe, Settled::Success);
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail(2);
    assert_eq!(bench.state(), BreakerState::Closed, "it begins anew");
}

#[test]
fn a_probe_of_which_nothing_is_learnt_makes_room_for_the_next_at_once() {
    let mut bench = Bench::opened();
    bench.wait(POLICY.open);
    for _ in 0..5 {
        let probe = bench.admit();
        assert!(matches!(probe, Some(Ticket::Probe(_))));
        bench.settle(probe, Settled::Neutral);
    }
    let probe = bench.admit().unwrap();
    bench.breaker.take_back(probe);
    assert_eq!(bench.breaker.admission(bench.now), Admission::Probe);
}

#[test]
fn each_probe_that_fails_doubles_the_time_up_to_the_longest() {
    let mut bench = Bench::opened();
    for seconds in [60, 120, 240, 300, 300, 300] {
        bench.wait(bench.shut_for().unwrap());
        let probe = bench.admit();
        bench.settle(probe, Settled::Failure);
        assert_eq!(bench.shut_for(), Some(SECOND * seconds));
    }
    bench.wait(SECOND * 300);
    let probe = bench.admit();
    bench.settle(probe, Settled::Success);
    bench.fail(3);
    assert_eq!(
        bench.shut_for(),
        Some(POLICY.open),
        "a success ends the row"
    );
}

#[test]
fn the_time_stays_at_the_longest_after_any_number_of_probes() {
    let mut bench = Bench::opened();
    for _ in 0..100 {
        bench.wait(bench.shut_for().unwrap());
        let probe = bench.admit();
        bench.settle(probe, Settled::Failure);
    }
    assert_eq!(bench.shut_for(), Some(POLICY.longest));
}

#[test]
fn what_began_before_it_opened_is_not_heard_while_it_is_open() {
    for end in [Settled::Success, Settled::Failure, Settled::Neutral] {
        let mut bench = Bench::new();
        let late: Vec<_> = (0..6).map(|_| bench.admit()).collect();
        bench.fail(3);
        let mut late = late.into_iter();
        bench.wait(SECOND);
        for ticket in late.by_ref().take(3) {
            bench.settle(ticket, end);
            assert_eq!(bench.shut_for(), Some(29 * SECOND), "{end:?}");
        }
        bench.wait(POLICY.open);
        for ticket in late {
            bench.settle(ticket, end);
            assert_eq!(bench.state(), BreakerState::HalfOpen, "{end:?}");
        }
        assert!(matches!(bench.admit(), Some(Ticket::Probe(_))));
    }
}

#[test]
fn what_began_before_it_opened_is_not_heard_after_it_closed_either() {
    let mut bench = Bench::new();
    let late: Vec<_> = (0..4).map(|_| bench.admit()).collect();
    bench.fail(3);
    bench.wait(POLICY.open);
    let probe = bench.admit();
    bench.settle(probe, Settled::Success);
    bench.fail(2);
    let mut late = late.into_iter();
    for ticket in late.by_ref().take(3) {
        bench.settle(ticket, Settled::Failure);
    }
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.settle(late.next().unwrap(), Settled::Success);
    bench.fail(1);
    assert_eq!(bench.state(), BreakerState::Open, "nor does it reset");
}

#[test]
fn a_resort_that_succeeds_closes_it_before_its_time() {
    let mut bench = Bench::opened();
    let resort = bench.breaker.resort();
    bench.settle(Some(resort), Settled::Success);
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail(3);
    assert_eq!(bench.shut_for(), Some(POLICY.open), "and resets the time");
}

#[test]
fn a_resort_that_fails_prolongs_nothing() {
    let mut bench = Bench::opened();
    bench.wait(SECOND);
    for end in [Settled::Failure, Settled::Neutral] {
        for _ in 0..5 {
            let resort = bench.breaker.resort();
            bench.settle(Some(resort), end);
            assert_eq!(bench.shut_for(), Some(29 * SECOND));
        }
    }
    let resort = bench.breaker.resort();
    bench.wait(POLICY.open);
    bench.settle(Some(resort), Settled::Failure);
    assert_eq!(bench.breaker.admission(bench.now), Admission::Probe);
}

#[test]
fn a_resort_while_it_is_well_and_cooling_counts_like_any_attempt() {
    let mut bench = Bench::new();
    bench.breaker.cool(bench.now + SECOND, bench.now);
    for _ in 0..3 {
        assert_eq!(bench.admit(), None);
        let resort = bench.breaker.resort();
        bench.settle(Some(resort), Settled::Failure);
    }
    assert_eq!(bench.shut_for(), Some(POLICY.open));
}

#[test]
fn a_probe_may_be_settled_early_and_what_breaks_later_still_counts() {
    let mut bench = Bench::opened();
    bench.wait(POLICY.open);
    let probe = bench.admit();
    bench.settle(probe, Settled::Success);
    let rest = bench.breaker.unasked();
    assert!(matches!(rest, Ticket::Plain(_)));
    bench.fail(2);
    bench.settle(Some(rest), Settled::Failure);
    assert_eq!(bench.shut_for(), Some(POLICY.open));
}

#[test]
fn a_resort_of_an_earlier_illness_does_not_end_this_one() {
    let mut bench = Bench::opened();
    let (old, new) = (bench.breaker.resort(), bench.breaker.resort());
    bench.settle(Some(new), Settled::Success);
    bench.fail(3);
    bench.settle(Some(old), Settled::Success);
    assert_eq!(bench.state(), BreakerState::Open);
}

#[test]
fn a_resort_heals_although_a_probe_has_failed_since_it_began() {
    let mut bench = Bench::opened();
    let resort = bench.breaker.resort();
    bench.wait(POLICY.open);
    let probe = bench.admit();
    bench.settle(probe, Settled::Failure);
    bench.settle(Some(resort), Settled::Success);
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn a_probe_that_a_resort_has_overtaken_keeps_its_place_and_loses_its_say() {
    for end in [Settled::Success, Settled::Failure, Settled::Neutral] {
        let mut bench = Bench::opened();
        bench.wait(POLICY.open);
        let probe = bench.admit();
        let resort = bench.breaker.resort();
        bench.settle(Some(resort), Settled::Success);
        assert_eq!(bench.state(), BreakerState::Closed);
        bench.fail(3);
        bench.wait(POLICY.open);
        assert_eq!(bench.admit(), None, "never two probes at once");
        bench.settle(probe, end);
        assert_eq!(bench.breaker.admission(bench.now), Admission::Probe);
    }
}

#[test]
fn what_another_process_saw_opens_it_and_is_probed_like_its_own() {
    let mut bench = Bench::new();
    let until = bench.now + 20 * SECOND;
    let before = bench.admit();
    bench.breaker.join(until, bench.now);
    assert_eq!(bench.shut_for(), Some(20 * SECOND));
    assert_eq!(
        bench.breaker.ailment(bench.now),
        Some(Ailment::Open { until })
    );
    // Who began before knows nothing of now.
    bench.settle(before, Settled::Success);
    assert_eq!(bench.shut_for(), Some(20 * SECOND));
    bench.breaker.join(bench.now + SECOND, bench.now);
    assert_eq!(bench.shut_for(), Some(20 * SECOND));
    bench.wait(20 * SECOND);
    assert_eq!(bench.breaker.ailment(bench.now), None);
    let probe = bench.admit();
    assert!(matches!(probe, Some(Ticket::Probe(_))));
    bench.settle(probe, Settled::Failure);
    assert_eq!(bench.shut_for(), Some(2 * POLICY.open));
}

#[test]
fn of_two_reasons_to_be_left_alone_the_one_that_lasts_is_told() {
    let mut bench = Bench::opened();
    let now = bench.now;
    let open = now + POLICY.open;
    bench.breaker.cool(now + SECOND, now);
    let ailment = Ailment::Open { until: open };
    assert_eq!(bench.breaker.ailment(now), Some(ailment));
    let until = open + SECOND;
    bench.breaker.cool(until, now);
    assert_eq!(bench.breaker.ailment(now), Some(Ailment::Cooling { until }));
}

#[test]
fn a_cool_down_shuts_it_until_its_end_and_no_probe_follows() {
    let mut bench = Bench::new();
    bench.breaker.cool(bench.now + 5 * SECOND, bench.now);
    assert_eq!(bench.shut_for(), Some(5 * SECOND));
    assert_eq!(bench.state(), BreakerState::Open);
    bench.wait(5 * SECOND);
    assert_eq!(bench.breaker.admission(bench.now), Admission::Free);
    assert!(matches!(bench.admit(), Some(Ticket::Plain(_))));
}

#[test]
fn of_two_cool_downs_the_later_end_counts_and_ten_minutes_at_most() {
    let mut bench = Bench::new();
    for (wish, expected) in [(5, 5), (3, 5), (8, 8), (3600, 600), (599, 600)] {
        bench.breaker.cool(bench.now + wish * SECOND, bench.now);
        assert_eq!(bench.shut_for(), Some(expected * SECOND), "{wish}");
    }
    bench.wait(10 * SECOND);
    bench.breaker.cool(bench.now + 3600 * SECOND, bench.now);
    assert_eq!(bench.shut_for(), Some(600 * SECOND));
}

#[test]
fn a_cool_down_that_is_over_before_it_begins_is_none() {
    let mut bench = Bench::new();
    let past = bench.now;
    bench.wait(SECOND);
    bench.breaker.cool(past, bench.now);
    bench.breaker.cool(bench.now, bench.now);
    assert_eq!(bench.breaker.admission(bench.now), Admission::Free);
}

#[test]
fn open_and_cooling_it_is_shut_until_the_later_of_both() {
    for (cooling, shut) in [(10, 30), (40, 40)] {
        let mut bench = Bench::opened();
        bench.breaker.cool(bench.now + cooling * SECOND, bench.now);
        assert_eq!(bench.shut_for(), Some(shut * SECOND));
        bench.wait(shut * SECOND);
        assert_eq!(bench.breaker.admission(bench.now), Admission::Probe);
    }
}

#[test]
fn a_success_does_not_end_a_cool_down() {
    let mut bench = Bench::opened();
    bench.breaker.cool(bench.now + 40 * SECOND, bench.now);
    let resort = bench.breaker.resort();
    bench.settle(Some(resort), Settled::Success);
    assert_eq!(bench.shut_for(), Some(40 * SECOND));
    bench.wait(40 * SECOND);
    assert_eq!(bench.breaker.admission(bench.now), Admission::Free);
}

#[test]
fn a_hastened_breaker_is_probed_at_once_but_never_later_than_it_would_have_been() {
    let mut bench = Bench::opened();
    bench.breaker.hasten(bench.now + 3600 * SECOND);
    assert_eq!(bench.shut_for(), Some(POLICY.open));
    bench.breaker.hasten(bench.now);
    let probe = bench.admit();
    assert!(matches!(probe, Some(Ticket::Probe(_))));
    bench.settle(probe, Settled::Failure);
    assert_eq!(bench.shut_for(), Some(POLICY.open * 2));
    let mut well = Bench::new();
    well.breaker.hasten(well.now);
    assert_eq!(well.breaker.admission(well.now), Admission::Free);
}

/// The last instant that there is.
fn last_instant() -> Instant {
    let mut last = Instant::now();
    for bit in (0..63).rev() {
        let step = Duration::from_secs(1 << bit);
        last = last.checked_add(step).unwrap_or(last);
    }
    last + Duration::from_nanos(1)
}

#[test]
fn no_time_is_long_enough_to_overflow() {
    let endless = BreakerPolicy {
        failures: 1,
        open: Duration::MAX,
        longest: Duration::MAX,
    };
    let last = last_instant();
    assert_eq!(last.checked_add(SECOND), None);
    let mut bench = Bench::new();
    bench.breaker.cool(last, bench.now);
    assert_eq!(bench.shut_for(), Some(Duration::from_mins(10)));

    let mut bench = Bench::new();
    let ticket = bench.admit().unwrap();
    let settled = Settled::Failure;
    bench.breaker.settle(ticket, settled, bench.now, &endless);
    assert_eq!(bench.shut_for(), Some(Duration::from_hours(24)));

    let mut breaker = Breaker::default();
    let ticket = breaker.admit(last).unwrap();
    breaker.cool(last, last);
    breaker.settle(ticket, settled, last, &endless);
    assert_eq!(breaker.admission(last), Admission::Probe);
}

#[test]
fn states_have_the_names_that_people_know() {
    let names = [
        BreakerState::Closed,
        BreakerState::Open,
        BreakerState::HalfOpen,
    ]
    .map(BreakerState::name);
    assert_eq!(names, ["closed", "open", "half_open"]);
}

#[test]
fn a_permit_that_is_dropped_gives_its_place_back() {
    let now = Instant::now();
    let shared = Arc::new(SharedBreaker::default());
    let one = BreakerPolicy {
        failures: 1,
        ..POLICY
    };
    let permit = shared.admit(now).unwrap();
    assert!(!permit.is_probe());
    permit.settle(Settled::Failure, now, &one);
    assert_eq!(shared.state(now), BreakerState::Open);
    shared.hasten(now);
    for _ in 0..3 {
        let probe = shared.admit(now).unwrap();
        assert!(probe.is_probe());
        assert!(shared.admit(now).is_none());
        assert_eq!(shared.admission(now), Admission::Probed);
        drop(probe);
    }
    let probe = shared.admit(now).unwrap();
    let resort = shared.resort();
    assert!(!resort.is_probe());
    drop(resort);
    assert!(shared.admit(now).is_none(), "only its own place");
    probe.settle(Settled::Success, now, &one);
    assert_eq!(shared.state(now), BreakerState::Closed);
    shared.cool(now + SECOND, now);
    assert!(shared.admit(now).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn it_does_what_its_history_says(steps in proptest::collection::vec(any::<u8>(), 2..400)) {
        oracle::check(&steps);
    }
}

#[test]
fn a_successors_breaker_goes_on_where_its_predecessors_stood() {
    let (start, later) = (Instant::now(), Instant::now() + SECOND);
    let mut breaker = Breaker::default();
    for _ in 0..POLICY.failures {
        let ticket = breaker.admit(start).unwrap();
        breaker.settle(ticket, Settled::Failure, start, &POLICY);
    }
    breaker.cool(start + 90 * SECOND, start);
    let record = breaker.record(start);
    assert_eq!(record.open_for, Some(POLICY.open));
    assert_eq!(record.cooling_for, Some(90 * SECOND));
    // Another process, with another clock.
    let mut heir = Breaker::inherited(record, later);
    assert_eq!(heir.record(later), record);
    let until = later + 90 * SECOND;
    assert_eq!(heir.admission(later), Admission::Shut { until });
    assert_eq!(heir.admission(until), Admission::Probe);
    // The next failure keeps it open for twice as long.
    let probe = heir.admit(until).unwrap();
    heir.settle(probe, Settled::Failure, until, &POLICY);
    assert_eq!(heir.record(until).open_for, Some(2 * POLICY.open));
    let fresh = Breaker::default();
    assert_eq!(
        Breaker::inherited(fresh.record(start), later).record(later),
        fresh.record(start)
    );
}
