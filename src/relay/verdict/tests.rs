//! The table of verdicts, row by row and as laws over all of it.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::exhausted::Cause;
use super::{Alarm, Judgement, Ruling, Tried, Why, exhausted, judge};
use crate::exchange::{Class, Failure, FaultKind};
use crate::relay::clocks::Expired;
use crate::route::{Choice, Policy, Refusals};
use crate::telemetry::AttemptKind;
use crate::upstream::{CallError, ConnectFailure, Flaw, InflateError, Phase, Settled};

const AGAIN: Ruling = Ruling::Retry { after: None };
const KINDS: [AttemptKind; 4] = [
    AttemptKind::First,
    AttemptKind::Retry,
    AttemptKind::Fallback,
    AttemptKind::Hedge,
];
const CALLS: [CallError; 18] = [
    CallError::NoPeer,
    CallError::Resolve,
    CallError::BadRequest,
    CallError::Connect(ConnectFailure::Refused),
    CallError::Connect(ConnectFailure::Unreachable),
    CallError::Connect(ConnectFailure::Other),
    CallError::ConnectTimeout,
    CallError::Tls,
    CallError::Write,
    CallError::WriteTimeout,
    CallError::Reset(Phase::BeforeHead),
    CallError::Reset(Phase::AfterHead),
    CallError::Closed(Phase::BeforeHead),
    CallError::Closed(Phase::AfterHead),
    CallError::BadAnswer(Flaw::Head),
    CallError::Inflate(InflateError::Corrupt),
    CallError::Inflate(InflateError::TooLarge),
    CallError::Unhealthy(500),
];
const CLOCKS: [Expired; 5] = [
    Expired::FirstToken,
    Expired::Stall,
    Expired::Crawl,
    Expired::Total,
    Expired::Deadline,
];
const MINUTE: Duration = Duration::from_mins(1);

fn coded(code: &str) -> Failure {
    Failure {
        code: Some(code.to_owned()),
        message: Some("CANARY".to_owned()),
        ..Failure::default()
    }
}

fn status(status: u16, code: &str, wait: Option<Duration>) -> Why {
    let mut failure = coded(code);
    failure.status = Some(status);
    Why::Status {
        status,
        failure: Box::new(failure),
        wait,
        body: Bytes::from_static(b"CANARY body"),
    }
}

fn in_stream(failure: Failure) -> Why {
    Why::InStream {
        failure: Box::new(failure),
        document: Bytes::from_static(b"CANARY document"),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "waits are told or not")]
fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// Every name of a reason.
#[rustfmt::skip]
const REASONS: [&str; 42] = [
    "attempt_timeout", "auth", "bad_answer", "bad_model_output", "bad_request", "buffer_limit",
    "closed", "connect", "connect_timeout", "content_policy", "content_type", "context_length",
    "crawl", "deadline", "empty", "error_event", "first_token_timeout", "held_too_much",
    "inflate", "malformed", "no_peer", "not_found", "not_json", "overloaded", "quota",
    "rate_limited", "refused", "request_too_large", "reset", "resolve", "server_error", "stall",
    "status", "stopping", "tls", "too_large", "truncated", "unhealthy", "unknown_tool",
    "unsendable", "write", "write_timeout",
];

/// A status of every class.
fn statuses() -> Vec<Why> {
    [
        (500, "x"),
        (408, "x"),
        (503, "x"),
        (429, "x"),
        (402, "x"),
        (401, "x"),
        (404, "x"),
        (400, "context_length_exceeded"),
        (400, "content_filter"),
        (413, "x"),
        (400, "x"),
        (501, "x"),
        (400, "tool_use_failed"),
    ]
    .map(|(number, code)| status(number, code, None))
    .into()
}

/// Every reason that there is.
fn every() -> Vec<Why> {
    let words = [
        "x",
        "rate_limit_exceeded",
        "invalid_request_error",
        "content_filter",
        "tool_use_failed",
    ];
    let others = [
        Why::ContentType,
        Why::Malformed,
        Why::TooLarge,
        Why::Truncated,
        Why::Empty,
        Why::Refused,
        Why::NotJson,
        Why::UnknownTool,
        Why::HeldTooMuch,
        Why::Budget,
        Why::Stopping,
    ];
    let calls = CALLS.map(Why::Call).into_iter();
    calls
        .chain(CLOCKS.map(Why::Expired))
        .chain(statuses())
        .chain(words.map(|word| in_stream(coded(word))))
        .chain(others)
        .collect()
}

fn chosen(class: Class, choice: Choice) -> Policy {
    Policy {
        verdicts: [(class, choice)].into(),
        ..Policy::default()
    }
}

fn first(why: &Why) -> Judgement {
    judge(why, &Policy::default(), AttemptKind::First)
}

#[test]
fn each_status_is_judged_by_its_class() {
    use Settled::{Failure, Neutral};
    let within = seconds(2);
    let beyond = seconds(3);
    let short = Ruling::Retry { after: within };
    let long = Some(10 * MINUTE);
    let misset = Some(5 * MINUTE);
    let (quiet, loud) = (Alarm::Quiet, Alarm::Loud);
    let (back, surface) = (Ruling::FallBack, Ruling::Surface);
    #[rustfmt::skip]
    let table = [
        (500, "x", None, Class::Transient, AGAIN, Failure, None, quiet),
        (500, "x", within, Class::Transient, short, Failure, None, quiet),
        (500, "x", beyond, Class::Transient, back, Failure, None, quiet),
        (502, "x", None, Class::Transient, AGAIN, Failure, None, quiet),
        (504, "x", None, Class::Transient, AGAIN, Failure, None, quiet),
        (524, "x", None, Class::Transient, AGAIN, Failure, None, quiet),
        (408, "x", None, Class::Transient, AGAIN, Failure, None, quiet),
        (409, "x", None, Class::Transient, AGAIN, Failure, None, quiet),
        (403, "html", None, Class::Transient, AGAIN, Neutral, None, quiet),
        (503, "x", None, Class::Overloaded, AGAIN, Failure, None, quiet),
        (503, "x", within, Class::Overloaded, short, Failure, within, quiet),
        (529, "x", beyond, Class::Overloaded, back, Failure, beyond, quiet),
        (503, "x", seconds(86_400), Class::Overloaded, back, Failure, long, quiet),
        (429, "x", None, Class::RateLimited, AGAIN, Neutral, None, quiet),
        (429, "x", seconds(0), Class::RateLimited, Ruling::Retry { after: seconds(0) }, Neutral, seconds(0), quiet),
        (429, "x", within, Class::RateLimited, short, Neutral, within, quiet),
        (429, "x", beyond, Class::RateLimited, back, Neutral, beyond, quiet),
        (429, "x", seconds(600), Class::RateLimited, back, Neutral, long, quiet),
        (429, "x", seconds(601), Class::Quota, back, Neutral, long, loud),
        (429, "x", seconds(86_400), Class::Quota, back, Neutral, long, loud),
        (429, "insufficient_quota", None, Class::Quota, back, Neutral, long, loud),
        (429, "insufficient_quota", within, Class::Quota, back, Neutral, within, loud),
        (402, "x", None, Class::Quota, back, Neutral, long, loud),
        (401, "x", None, Class::Auth, back, Neutral, misset, loud),
        (403, "x", within, Class::Auth, back, Neutral, misset, loud),
        (404, "x", None, Class::NotFound, back, Neutral, misset, loud),
        (307, "x", None, Class::NotFound, back, Neutral, misset, loud),
        (400, "x", None, Class::BadRequest, surface, Neutral, None, quiet),
        (422, "x", within, Class::BadRequest, surface, Neutral, None, quiet),
        (501, "x", None, Class::BadRequest, back, Neutral, None, quiet),
        (413, "x", None, Class::TooLarge, surface, Neutral, None, quiet),
        (400, "context_length_exceeded", None, Class::ContextLength, surface, Neutral, None, quiet),
        (500, "context_length_exceeded", None, Class::ContextLength, back, Neutral, None, quiet),
        (400, "content_filter", None, Class::ContentPolicy, surface, Neutral, None, quiet),
        (400, "tool_use_failed", None, Class::BadModelOutput, AGAIN, Neutral, None, quiet),
        (204, "x", None, Class::Transient, AGAIN, Failure, None, quiet),
    ];
    for (number, code, wait, class, ruling, health, cool, alarm) in table {
        let why = status(number, code, wait);
        let expected = Judgement {
            class,
            ruling,
            health,
            cool,
            alarm,
        };
        assert_eq!(first(&why), expected, "{number} {code} {wait:?}");
    }
}

#[test]
fn each_other_failure_is_judged_by_what_it_is() {
    use Settled::{Failure, Neutral};
    let (back, silent) = (Ruling::FallBack, Ruling::FallBackOrRetry);
    for error in CALLS {
        let (ruling, health) = match error {
            CallError::BadRequest => (back, Neutral),
            CallError::NoPeer | CallError::ConnectTimeout | CallError::WriteTimeout => {
                (silent, Failure)
            }
            _ => (AGAIN, Failure),
        };
        let judged = first(&Why::Call(error));
        assert_eq!(
            (judged.class, judged.ruling),
            (Class::Transient, ruling),
            "{error:?}"
        );
        assert_eq!(judged.health, health, "{error:?}");
    }
    #[rustfmt::skip]
    let table = [
        (Why::Expired(Expired::FirstToken), Class::Transient, silent, Failure),
        (Why::Expired(Expired::Stall), Class::Transient, silent, Failure),
        (Why::Expired(Expired::Crawl), Class::Transient, silent, Failure),
        (Why::Expired(Expired::Total), Class::Transient, silent, Failure),
        (Why::Expired(Expired::Deadline), Class::Transient, back, Failure),
        (Why::ContentType, Class::Transient, AGAIN, Failure),
        (Why::Malformed, Class::Transient, AGAIN, Failure),
        (Why::TooLarge, Class::Transient, back, Failure),
        (Why::Truncated, Class::Transient, AGAIN, Failure),
        (Why::Empty, Class::BadModelOutput, AGAIN, Failure),
        (Why::NotJson, Class::BadModelOutput, AGAIN, Neutral),
        (Why::UnknownTool, Class::BadModelOutput, AGAIN, Neutral),
        (Why::Refused, Class::ContentPolicy, back, Neutral),
        (Why::HeldTooMuch, Class::Transient, back, Neutral),
        (Why::Budget, Class::Overloaded, Ruling::Surface, Neutral),
        (Why::Stopping, Class::Overloaded, Ruling::Surface, Neutral),
    ];
    for (why, class, ruling, health) in table {
        let judged = first(&why);
        assert_eq!((judged.class, judged.ruling), (class, ruling), "{why:?}");
        assert_eq!(judged.health, health, "{why:?}");
        assert_eq!((judged.cool, judged.alarm), (None, Alarm::Quiet), "{why:?}");
    }
}

#[test]
fn an_error_inside_a_good_status_is_judged_as_if_it_were_a_status() {
    for (code, number) in [
        ("x", 500),
        ("server_is_overloaded", 503),
        ("rate_limit_exceeded", 429),
        ("insufficient_quota", 429),
        ("invalid_api_key", 401),
        ("model_not_found", 404),
        ("context_length_exceeded", 400),
        ("content_filter", 400),
        ("request_too_large", 413),
        ("invalid_request_error", 400),
        ("tool_use_failed", 400),
    ] {
        assert_eq!(
            first(&in_stream(coded(code))),
            first(&status(number, code, None)),
            "{code}"
        );
    }
    let mut failure = coded("rate_limit_exceeded");
    for (message, ruling, cool) in [
        (
            "Please try again in 1.5s.",
            Ruling::Retry {
                after: Some(Duration::from_millis(1500)),
            },
            Some(Duration::from_millis(1500)),
        ),
        ("Please try again in 9s.", Ruling::FallBack, seconds(9)),
    ] {
        failure.message = Some(message.to_owned());
        let judged = first(&in_stream(failure.clone()));
        assert_eq!((judged.class, judged.ruling), (Class::RateLimited, ruling));
        assert_eq!(judged.cool, cool);
    }
    failure.retry_delay = Some("37025s".to_owned());
    assert_eq!(first(&in_stream(failure)).class, Class::Quota);
}

#[test]
fn what_a_later_target_finds_wrong_with_the_request_does_not_replace_the_first_error() {
    let policy = Policy::default();
    for why in every() {
        let ruling = |kind| judge(&why, &policy, kind).ruling;
        let first = ruling(AttemptKind::First);
        assert_eq!(ruling(AttemptKind::Retry), first, "{why:?}");
        let ours = matches!(why, Why::Budget | Why::Stopping);
        let later = match first {
            Ruling::Surface if !ours => Ruling::FallBack,
            other => other,
        };
        assert_eq!(ruling(AttemptKind::Fallback), later, "{why:?}");
        let beside = if ours { Ruling::FallBack } else { later };
        assert_eq!(ruling(AttemptKind::Hedge), beside, "{why:?}");
    }
}

#[test]
fn a_route_may_choose_for_a_class_but_not_for_our_own_bounds() {
    for why in every() {
        let class = why.class();
        for kind in KINDS {
            let built_in = judge(&why, &Policy::default(), kind);
            for choice in [Choice::Retry, Choice::FallBack, Choice::Surface] {
                let expected = match (&why, choice) {
                    (Why::Budget | Why::Stopping | Why::Expired(Expired::Deadline), _) => {
                        built_in.ruling
                    }
                    (Why::Refused, Choice::Surface) | (_, Choice::FallBack) => Ruling::FallBack,
                    (_, Choice::Surface) if kind == AttemptKind::Hedge => Ruling::FallBack,
                    (_, Choice::Surface) => Ruling::Surface,
                    (_, Choice::Retry) => AGAIN,
                };
                let judged = judge(&why, &chosen(class, choice), kind);
                let expected = Judgement {
                    ruling: expected,
                    ..built_in
                };
                assert_eq!(judged, expected, "{why:?} {kind:?} {choice:?}");
                for other in Class::ALL.into_iter().filter(|other| *other != class) {
                    assert_eq!(judge(&why, &chosen(other, choice), kind), built_in);
                }
            }
        }
    }
    let quota = status(429, "insufficient_quota", Some(MINUTE));
    let judged = judge(
        &quota,
        &chosen(Class::Quota, Choice::Retry),
        AttemptKind::First,
    );
    assert_eq!(
        judged.ruling,
        Ruling::FallBack,
        "longer than the route's patience"
    );
}

#[test]
fn patience_is_the_routes() {
    for (patience, expected) in [
        (5, Ruling::Retry { after: seconds(5) }),
        (4, Ruling::FallBack),
    ] {
        let mut policy = Policy::default();
        policy.retries.patience = Duration::from_secs(patience);
        let judged = judge(&status(429, "x", seconds(5)), &policy, AttemptKind::First);
        assert_eq!(judged.ruling, expected);
        assert_eq!(judged.cool, seconds(5));
    }
}

#[test]
fn a_refusal_goes_on_only_where_the_route_says_so() {
    let policy = Policy {
        refusals: Refusals::FallBack,
        ..Policy::default()
    };
    for why in [
        status(400, "content_filter", None),
        in_stream(coded("content_filter")),
    ] {
        assert_eq!(first(&why).ruling, Ruling::Surface);
        assert_eq!(
            judge(&why, &policy, AttemptKind::First).ruling,
            Ruling::FallBack
        );
    }
    let other = status(400, "x", None);
    assert_eq!(
        judge(&other, &policy, AttemptKind::First).ruling,
        Ruling::Surface
    );
}

#[test]
fn a_deadline_speaks_against_the_target_that_had_all_the_time() {
    let why = Why::Expired(Expired::Deadline);
    for kind in KINDS {
        let expected = if kind == AttemptKind::First {
            Settled::Failure
        } else {
            Settled::Neutral
        };
        assert_eq!(
            judge(&why, &Policy::default(), kind).health,
            expected,
            "{kind:?}"
        );
        let stall = judge(&Why::Expired(Expired::Stall), &Policy::default(), kind);
        assert_eq!(stall.health, Settled::Failure, "{kind:?}");
    }
}

#[test]
fn only_errors_about_the_clients_own_request_are_shown() {
    for number in 100..=999 {
        let why = status(number, "x", None);
        let shown = why.shown().map(|(shown, body)| (shown, &body[..]));
        let about_request = matches!(why.class(), Class::BadRequest | Class::TooLarge);
        let known = [400, 413, 422].contains(&number);
        let expected = (about_request && known).then_some((number, &b"CANARY body"[..]));
        assert_eq!(shown, expected, "{number}");
    }
    assert_eq!(status(401, "x", None).shown(), None);
    assert_eq!(status(400, "x", None).shown().unwrap().0, 400);
    let policy = status(403, "content_filter", None);
    assert_eq!(policy.shown().unwrap().0, 403);
    let document = Bytes::from_static(b"CANARY document");
    for (code, own, expected) in [
        ("invalid_request_error", None, Some(400)),
        ("context_length_exceeded", Some(413), Some(413)),
        ("context_length_exceeded", Some(403), Some(403)),
        ("context_length_exceeded", Some(404), None),
        ("context_length_exceeded", Some(429), None),
        ("context_length_exceeded", Some(500), None),
        ("context_length_exceeded", Some(399), None),
        ("request_too_large", Some(422), Some(422)),
        ("request_too_large", Some(499), None),
        ("insufficient_quota", Some(429), None),
        ("tool_use_failed", Some(400), None),
        ("x", None, None),
    ] {
        let mut failure = coded(code);
        failure.status = own;
        let why = in_stream(failure);
        assert_eq!(
            why.shown(),
            expected.map(|status| (status, &document)),
            "{code} {own:?}"
        );
    }
    let others = every().into_iter();
    for why in others.filter(|why| why.failure().is_none()) {
        assert_eq!(why.shown(), None, "{why:?}");
    }
}

#[test]
fn a_provider_that_refuses_our_credential_is_never_the_clients_401() {
    for number in [401, 403, 404, 500, 503, 529, 307, 501] {
        let why = status(number, "x", seconds(5));
        let fault = why.fault("r");
        assert_eq!(
            (fault.kind, fault.retry_after),
            (FaultKind::ProviderFailed, None),
            "{number}"
        );
        let policy = chosen(why.class(), Choice::Surface);
        assert_eq!(
            judge(&why, &policy, AttemptKind::First).ruling,
            Ruling::Surface
        );
        assert_eq!(why.shown(), None, "{number}");
    }
}

#[test]
fn each_reason_has_a_name_of_its_own_and_a_fault_without_the_providers_words() {
    let mut reasons = BTreeSet::new();
    for why in every() {
        let name = why.name();
        reasons.insert(name);
        let fault = why.fault("route");
        assert!(!fault.message.contains("CANARY"), "{why:?}");
        let kind = match &why {
            Why::Budget | Why::Stopping => FaultKind::Overloaded,
            Why::Expired(_) | Why::Call(CallError::ConnectTimeout | CallError::WriteTimeout) => {
                FaultKind::ProviderTimeout
            }
            _ if why.shown().is_some() && why.class() == Class::TooLarge => FaultKind::BodyTooLarge,
            _ if why.shown().is_some() => FaultKind::BadRequest,
            Why::Status { status: 429, .. } => FaultKind::RateLimited,
            Why::InStream { .. } if why.class() == Class::RateLimited => FaultKind::RateLimited,
            _ => FaultKind::ProviderFailed,
        };
        assert_eq!(fault.kind, kind, "{why:?}");
        let ours = kind == FaultKind::Overloaded;
        assert_eq!(
            fault.retry_after,
            ours.then_some(Duration::from_secs(1)),
            "{why:?}"
        );
        let named = fault.message.ends_with(&format!("({name})"));
        assert_eq!(named, !ours && why.shown().is_none(), "{}", fault.message);
    }
    assert_eq!(reasons, REASONS.into());
}

#[test]
fn a_fault_of_one_attempt_passes_the_wait_on_and_bounds_it() {
    for (wait, expected) in [
        (None, None),
        (seconds(7), seconds(7)),
        (seconds(86_400), seconds(600)),
    ] {
        let why = status(429, "insufficient_quota", wait);
        assert_eq!(why.fault("r").retry_after, expected);
    }
}

#[test]
fn who_is_silent_has_said_nothing_wrong() {
    for why in every() {
        let expected = matches!(
            why,
            Why::Call(CallError::Closed(_) | CallError::Reset(_)) | Why::Expired(_) | Why::Stopping
        );
        assert_eq!(why.is_silence(), expected, "{why:?}");
        let spoke = matches!(why, Why::Status { .. } | Why::InStream { .. });
        assert_eq!(why.failure().is_some(), spoke, "{why:?}");
    }
}

fn tries(tried: &[(&str, &Why)]) -> Vec<Tried> {
    tried
        .iter()
        .map(|(target, why)| Tried::new((*target).into(), why))
        .collect()
}

#[test]
fn one_fault_stands_for_all_attempts() {
    let limit = |wait| status(429, "x", wait);
    let quota = || status(429, "insufficient_quota", None);
    let unpaid = || status(402, "x", seconds(9));
    let refused = || Why::Call(CallError::Connect(ConnectFailure::Refused));
    let stall = || Why::Expired(Expired::Stall);
    let deadline = || Why::Expired(Expired::Deadline);
    let slow = || Why::Call(CallError::ConnectTimeout);
    let blocked = || Why::Call(CallError::WriteTimeout);
    #[rustfmt::skip]
    let table = [
        (vec![], FaultKind::ProviderFailed, None, r#"no provider behind "r" could be asked"#),
        (vec![("a/x", limit(seconds(7)))], FaultKind::RateLimited, seconds(7), r#"every provider behind "r" has reached a rate limit: a/x (rate_limited)"#),
        (vec![("a/x", limit(None))], FaultKind::RateLimited, None, r#"every provider behind "r" has reached a rate limit: a/x (rate_limited)"#),
        (vec![("a/x", limit(seconds(7))), ("b/y", limit(seconds(5))), ("c/z", quota())], FaultKind::RateLimited, seconds(5), r#"every provider behind "r" has reached a rate limit: a/x (rate_limited), b/y (rate_limited), c/z (quota)"#),
        (vec![("a/x", limit(seconds(86_400)))], FaultKind::RateLimited, seconds(600), r#"every provider behind "r" has reached a rate limit: a/x (quota)"#),
        (vec![("a/x", unpaid()), ("b/y", limit(seconds(5)))], FaultKind::RateLimited, seconds(5), r#"every provider behind "r" has reached a rate limit: a/x (quota), b/y (rate_limited)"#),
        (vec![("a/x", unpaid()), ("b/y", unpaid())], FaultKind::ProviderFailed, None, r#"no provider behind "r" gave an answer: a/x (quota), b/y (quota)"#),
        (vec![("a/x", limit(seconds(7))), ("b/y", refused())], FaultKind::ProviderFailed, None, r#"no provider behind "r" gave an answer: a/x (rate_limited), b/y (connect)"#),
        (vec![("a/x", stall()), ("b/y", slow()), ("c/z", blocked())], FaultKind::ProviderTimeout, None, r#"no provider behind "r" answered in time: a/x (stall), b/y (connect_timeout), c/z (write_timeout)"#),
        (vec![("a/x", stall()), ("b/y", refused())], FaultKind::ProviderFailed, None, r#"no provider behind "r" gave an answer: a/x (stall), b/y (connect)"#),
        (vec![("a/x", limit(None)), ("b/y", stall())], FaultKind::ProviderFailed, None, r#"no provider behind "r" gave an answer: a/x (rate_limited), b/y (stall)"#),
        (vec![("a/x", limit(None)), ("b/y", deadline())], FaultKind::ProviderTimeout, None, r#"no provider behind "r" answered in time: a/x (rate_limited), b/y (deadline)"#),
        (vec![("a/x", refused()), ("a/x", refused()), ("b/y", refused()), ("a/x", stall())], FaultKind::ProviderFailed, None, r#"no provider behind "r" gave an answer: a/x (connect, 2 times), b/y (connect), a/x (stall)"#),
        (vec![("a/x", refused()), ("a/x", Why::Empty), ("b/x", Why::Empty)], FaultKind::ProviderFailed, None, r#"no provider behind "r" gave an answer: a/x (connect), a/x (empty), b/x (empty)"#),
        (vec![("a/x", limit(seconds(7))), ("b/y", Why::Budget)], FaultKind::Overloaded, seconds(1), "segue is at its memory limit: a/x (rate_limited), b/y (buffer_limit)"),
        (vec![("a/x", deadline()), ("b/y", Why::Stopping)], FaultKind::Overloaded, seconds(1), "segue is stopping: a/x (deadline), b/y (stopping)"),
        (vec![("a/x", status(400, "x", None))], FaultKind::ProviderFailed, None, r#"no provider behind "r" gave an answer: a/x (bad_request)"#),
    ];
    for (tried, kind, wait, message) in table {
        let tried: Vec<_> = tried.iter().map(|(target, why)| (*target, why)).collect();
        let fault = exhausted(&tries(&tried), &[], "r");
        assert_eq!(fault.message, message);
        assert_eq!((fault.kind, fault.retry_after), (kind, wait), "{message}");
        assert_eq!(fault.param, None);
    }
}

#[test]
fn a_long_way_is_told_in_short() {
    let whys = [Why::Empty, Why::Malformed];
    let walk = |count: usize| {
        let tried: Vec<_> = whys
            .iter()
            .cycle()
            .take(count)
            .map(|why| ("a/x", why))
            .collect();
        exhausted(&tries(&tried), &[], "r").message.into_owned()
    };
    assert!(walk(8).ends_with("a/x (malformed)"), "{}", walk(8));
    assert!(
        walk(9).ends_with("a/x (malformed), and 1 more"),
        "{}",
        walk(9)
    );
    assert!(
        walk(40).ends_with("a/x (malformed), and 32 more"),
        "{}",
        walk(40)
    );
    assert_eq!(walk(40).matches("a/x").count(), 8);
    // What is left counts attempts, not groups of them.
    let mut tried: Vec<_> = whys
        .iter()
        .cycle()
        .take(8)
        .map(|why| ("a/x", why))
        .collect();
    tried.extend([("b/y", &Why::Empty); 3]);
    let fault = exhausted(&tries(&tried), &[], "r");
    assert!(fault.message.ends_with(", and 3 more"), "{}", fault.message);
}

#[test]
fn an_attempt_is_booked_with_what_it_says_of_the_whole() {
    for why in every() {
        let tried = Tried::new("a/x".into(), &why);
        assert_eq!((&*tried.target, tried.reason), ("a/x", why.name()));
        assert_eq!(tried.retry_after, why.told());
        let limited = matches!(tried.cause, Cause::Limit | Cause::Money);
        let expected = matches!(why.class(), Class::RateLimited | Class::Quota);
        assert_eq!(limited, expected, "{why:?}");
    }
}

#[test]
fn time_lifts_a_limit_but_pays_no_bill() {
    for (why, expected) in [
        (status(429, "x", None), true),
        (status(413, "rate_limit_exceeded", None), true),
        (status(429, "insufficient_quota", None), true),
        (in_stream(coded("insufficient_quota")), true),
        (status(402, "x", None), false),
        (status(403, "insufficient_quota", None), false),
        (status(503, "x", None), false),
        (Why::Budget, false),
    ] {
        assert_eq!(why.is_limit(), expected, "{why:?}");
    }
}

fn any_why() -> impl Strategy<Value = Why> {
    let failure = (
        prop::option::of(300_u16..600),
        prop::option::of(
            "CANARY|html|rate_limit_exceeded|insufficient_quota|content_filter|invalid_request_error",
        ),
        prop::option::of("CANARY (try again in [0-9]{1,6}s|prompt is too long|)"),
        prop::option::of("[0-9]{1,6}s"),
    );
    let failure = failure.prop_map(|(status, code, message, retry_delay)| Failure {
        status,
        code,
        retry_delay,
        message,
        ..Failure::default()
    });
    let wait = prop::option::of((0_u64..100_000).prop_map(Duration::from_secs));
    let spoken = (failure, wait, any::<bool>()).prop_map(|(failure, wait, status)| {
        let body = Bytes::from_static(b"CANARY");
        let failure = Box::new(failure);
        match failure.status.filter(|_| status) {
            Some(status) => Why::Status {
                status,
                failure,
                wait,
                body,
            },
            None => Why::InStream {
                failure,
                document: body,
            },
        }
    });
    let other = (0..every().len()).prop_map(|at| every().swap_remove(at));
    prop_oneof![3 => spoken, 1 => other]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let choice = prop::sample::select(vec![Choice::Retry, Choice::FallBack, Choice::Surface]);
    let class = prop::sample::select(Class::ALL.to_vec());
    (
        prop::collection::btree_map(class, choice, 0..4),
        0_u64..100,
        prop::sample::select(vec![Refusals::Surface, Refusals::FallBack]),
    )
        .prop_map(|(verdicts, patience, refusals)| {
            let mut policy = Policy {
                verdicts,
                refusals,
                ..Policy::default()
            };
            policy.retries.patience = Duration::from_secs(patience);
            policy
        })
}

proptest! {
    #[test]
    fn no_verdict_breaks_a_law(
        why in any_why(),
        policy in any_policy(),
        kind in prop::sample::select(KINDS.to_vec()),
    ) {
        let judged = judge(&why, &policy, kind);
        prop_assert_eq!(judged.class, why.class());
        if let Ruling::Retry { after } = judged.ruling {
            prop_assert!(after <= Some(policy.retries.patience));
            let ours = matches!(why, Why::Budget | Why::Stopping);
            prop_assert!(!ours);
        }
        prop_assert!(judged.cool <= Some(10 * MINUTE));
        if judged.alarm == Alarm::Loud {
            prop_assert!(judged.cool.is_some() && judged.health == Settled::Neutral);
        }
        if kind == AttemptKind::Hedge {
            prop_assert_ne!(judged.ruling, Ruling::Surface);
        }
        prop_assert_ne!(judged.health, Settled::Success);
        if let Some((status, _)) = why.shown() {
            prop_assert!(matches!(status, 400 | 403 | 413 | 422));
        }
        prop_assert!(!why.fault("r").message.contains("CANARY"));
    }

    #[test]
    fn the_last_word_never_tells_what_a_provider_said(
        whys in prop::collection::vec(any_why(), 0..20),
    ) {
        let tried: Vec<_> = whys.iter().map(|why| ("a/x", why)).collect();
        let fault = exhausted(&tries(&tried), &[], "r");
        prop_assert!(!fault.message.contains("CANARY") && fault.message.len() < 1000);
        prop_assert!(fault.retry_after <= Some(10 * MINUTE));
        let all_limited = !whys.is_empty()
            && whys.iter().all(|why| matches!(why.class(), Class::RateLimited | Class::Quota));
        let waits = whys.iter().any(Why::is_limit);
        prop_assert_eq!(fault.kind == FaultKind::RateLimited, all_limited && waits);
    }
}
