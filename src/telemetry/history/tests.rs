//! What the history promises.

use std::time::SystemTime;

use super::*;
use crate::exchange::{Bill, Measure, Usage};
use crate::telemetry::record::{Attempt, AttemptKind, Protocol};

const MINUTE: Duration = Duration::from_mins(1);

fn record(route: &str, outcome: Outcome, attempts: &[(&str, Option<&'static str>)]) -> Record {
    let last = attempts.len().saturating_sub(1);
    let attempt = |(place, (target, error)): (usize, &(&str, Option<&'static str>))| Attempt {
        error: *error,
        kind: if place == 0 {
            AttemptKind::First
        } else {
            AttemptKind::Fallback
        },
        delivered: place == last && error.is_none(),
        bill: Some(Bill {
            usage: Usage::default(),
            measure: Measure::Reported,
            cost: Some(MicroUsd(5)),
        }),
        ..Attempt::at((*target).into())
    };
    Record {
        outcome,
        route: Some(route.into()),
        first_token: Some(Duration::from_millis(200)),
        attempts: attempts.iter().enumerate().map(attempt).collect(),
        ..Record::begin(SystemTime::UNIX_EPOCH, "r".to_owned(), Protocol::H1)
    }
}

fn rescued(route: &str) -> Record {
    let attempts = [("a/m", Some("stall")), ("b/m", None)];
    record(route, Outcome::Served, &attempts)
}

fn known(routes: &[&str]) -> History {
    let history = History::default();
    let routes: Vec<Arc<str>> = routes.iter().map(|name| (*name).into()).collect();
    history.know(&routes);
    history
}

#[test]
fn an_exchange_counts_for_its_route_and_for_all() {
    let history = known(&["one", "two"]);
    let now = Instant::now();
    history.observe(&rescued("one"), now, MINUTE);
    let failed = record("gone", Outcome::Failed, &[("a/m", Some("connect"))]);
    history.observe(&failed, now, MINUTE * 2);
    for (route, exchanges, fallbacks, broken, wasted) in [
        (None, 2, 1, 1, 10),
        (Some("one"), 1, 1, 0, 5),
        (Some("two"), 0, 0, 0, 0),
        (Some("gone"), 1, 0, 1, 5),
    ] {
        let told = history.tell(route, MINUTE * 2).hour;
        let sum = &told.sum;
        assert_eq!(
            (sum.exchanges, sum.fallbacks, sum.failed, sum.wasted),
            (exchanges, fallbacks, broken, wasted),
            "{route:?}"
        );
    }
    let all = history.tell(None, MINUTE * 2).hour;
    assert_eq!((all.fallbacks[58], all.failed[59]), (1, 1));
    assert_eq!((all.delivered[58], all.wasted[58]), (5, 5));
    let reasons: Vec<_> = all
        .errors
        .iter()
        .map(|one| (one.reason, one.total))
        .collect();
    assert_eq!(reasons, [("stall", 1), ("connect", 1)]);
    let median = all.first_token.p50[58].unwrap();
    assert!((175.0..=225.0).contains(&median), "{median}");
    assert_eq!(all.first_token.p50[0], None);
}

#[test]
fn only_what_was_rescued_or_failed_is_kept() {
    let history = known(&["one"]);
    let now = Instant::now();
    for outcome in Outcome::ALL {
        history.observe(&record("one", outcome, &[("a/m", None)]), now, MINUTE);
    }
    let retried = [("a/m", Some("reset")), ("a/m", None)];
    history.observe(&record("one", Outcome::Served, &retried), now, MINUTE);
    history.observe(&rescued("one"), now, MINUTE);
    let told = history.tell(None, MINUTE);
    let outcomes: Vec<_> = told.failed.iter().map(|kept| kept.outcome).collect();
    assert_eq!(outcomes, ["panicked", "broken", "failed"]);
    let [kept] = &told.rescued[..] else {
        panic!("{:?}", told.rescued)
    };
    assert_eq!(kept.reason, Some("stall"));
    let targets: Vec<_> = kept.attempts.iter().map(|one| &*one.target).collect();
    assert_eq!(targets, ["a/m", "b/m"]);
}

#[test]
fn an_attempt_is_placed_from_the_beginning_of_its_exchange() {
    let history = known(&["one"]);
    let begun = Instant::now();
    let mut record = rescued("one");
    record.first_byte = Some(Duration::from_millis(900));
    record.attempts[1].begun = Some(begun + Duration::from_millis(250));
    history.observe(&record, begun, MINUTE);
    let kept = &history.tell(None, MINUTE).rescued[0];
    let places: Vec<_> = kept.attempts.iter().map(|one| one.begin_ms).collect();
    assert_eq!((places, kept.commit_ms), (vec![0.0, 250.0], Some(900.0)));
}

#[test]
fn whatever_comes_the_bounds_hold() {
    let names: Vec<String> = (0..200).map(|place| format!("route{place:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let history = known(&names);
    let now = Instant::now();
    let many = vec![("a/m", Some("stall")); 500];
    for name in &names {
        let mut long = record(name, Outcome::Failed, &many);
        long.request_id = "x".repeat(10_000);
        history.observe(&long, now, MINUTE);
        history.observe(&rescued(name), now, MINUTE);
    }
    assert_eq!(history.0.lock().routes.len(), ROUTES);
    let told = history.tell(None, MINUTE);
    assert_eq!((told.rescued.len(), told.failed.len()), (50, 50));
    let latest = &told.failed[0];
    assert_eq!(latest.route.as_deref(), Some("route199"));
    assert_eq!((latest.attempts.len(), latest.more_attempts), (16, 484));
    assert_eq!(latest.request_id.len(), 128);
    assert_eq!(
        history.tell(Some("route199"), MINUTE).hour.sum.exchanges,
        272
    );
    assert!(size_of::<Slot>() * 60 <= 51 << 10, "{}", size_of::<Slot>());
}

#[test]
fn a_reload_keeps_the_minutes_of_routes_that_stay() {
    let history = known(&["stays", "goes"]);
    let now = Instant::now();
    history.observe(&rescued("stays"), now, MINUTE);
    history.observe(&rescued("goes"), now, MINUTE);
    let routes: [Arc<str>; 2] = ["stays".into(), "comes".into()];
    history.know(&routes);
    let exchanges = |route| history.tell(route, MINUTE).hour.sum.exchanges;
    assert_eq!(exchanges(Some("stays")), 1);
    assert_eq!(exchanges(Some("goes")), 0);
    assert_eq!(exchanges(None), 2);
}

#[test]
fn an_hour_later_the_minutes_are_empty_and_the_kept_stay() {
    let history = known(&["one"]);
    history.observe(&rescued("one"), Instant::now(), MINUTE);
    let told = history.tell(None, MINUTE * 62);
    assert_eq!(told.hour.sum.exchanges, 0);
    assert_eq!(told.rescued.len(), 1);
}
