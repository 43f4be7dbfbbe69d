//! The verdict, which the library keeps to itself, and its laws.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use self::verdict::{Ruling, Tried, Why, exhausted};
use crate::dialect;
use crate::exchange::{Class, Dialect, FaultKind};
use crate::route::{Choice, Policy, Refusals};
use crate::telemetry::AttemptKind;
use crate::upstream::Settled;

#[allow(dead_code, reason = "the verdict needs no more of it than a name")]
#[path = "../../../src/relay/clocks.rs"]
mod clocks;
#[allow(dead_code, unused_imports, reason = "a part of it is judged here")]
#[path = "../../../src/relay/verdict/mod.rs"]
mod verdict;
#[path = "../../../src/relay/wait.rs"]
mod wait;

const KINDS: [AttemptKind; 4] = [
    AttemptKind::First,
    AttemptKind::Retry,
    AttemptKind::Fallback,
    AttemptKind::Hedge,
];
const LONGEST: Duration = Duration::from_secs(600);

/// Judges the error as a status and as one inside a stream.
pub fn judge(status: u16, kind: u8, chosen: u8, body: &[u8]) {
    let failure = dialect::failure(Dialect::OpenAi, status, body);
    let wait = wait::wait(|_| None, &failure, SystemTime::UNIX_EPOCH);
    assert_eq!(wait, wait::in_words(&failure));
    let bytes = Bytes::copy_from_slice(body);
    let mut inner = failure.clone();
    inner.status = None;
    let whys = [
        Why::Status {
            status,
            failure: Box::new(failure),
            wait,
            body: bytes.clone(),
        },
        Why::InStream {
            failure: Box::new(inner),
            document: bytes,
        },
    ];
    let policy = policy(chosen);
    let kind = KINDS[usize::from(kind % 4)];
    for why in &whys {
        laws(why, &policy, kind);
    }
    last_word(&whys);
}

fn policy(chosen: u8) -> Policy {
    let mut policy = Policy::default();
    policy.retries.patience = Duration::from_secs(u64::from(chosen));
    let choice = match chosen / 16 % 4 {
        0 => None,
        1 => Some(Choice::Retry),
        2 => Some(Choice::FallBack),
        _ => Some(Choice::Surface),
    };
    let class = Class::ALL[usize::from(chosen) % Class::ALL.len()];
    policy.verdicts.extend(choice.map(|choice| (class, choice)));
    if chosen > 127 {
        policy.refusals = Refusals::FallBack;
    }
    policy
}

fn laws(why: &Why, policy: &Policy, kind: AttemptKind) {
    let judged = verdict::judge(why, policy, kind);
    assert!(judged.cool.is_none_or(|cool| cool <= LONGEST));
    assert_ne!(judged.health, Settled::Success);
    match judged.ruling {
        Ruling::Retry { after } => assert!(after <= Some(policy.retries.patience)),
        Ruling::Surface => assert_ne!(kind, AttemptKind::Hedge),
        Ruling::FallBack | Ruling::FallBackOrRetry => {}
    }
    if let Some((status, _)) = why.shown() {
        assert!(matches!(status, 400 | 403 | 413 | 422));
    }
    let fault = why.fault("route");
    assert!(fault.message.len() < 100 && fault.message.is_ascii());
    assert!(fault.retry_after.is_none_or(|wait| wait <= LONGEST));
}

fn last_word(whys: &[Why]) {
    let tried: Vec<_> = whys
        .iter()
        .map(|why| Tried::new("a/x".into(), why))
        .collect();
    let fault = exhausted(&tried, &[], "route");
    assert!(fault.message.len() < 200 && fault.message.is_ascii());
    assert!(fault.retry_after.is_none_or(|wait| wait <= LONGEST));
    let limited = |why: &Why| matches!(why.class(), Class::RateLimited | Class::Quota);
    assert!(fault.kind != FaultKind::RateLimited || whys.iter().all(limited));
}
