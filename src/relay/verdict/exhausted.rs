//! The one fault that stands for all attempts of an exchange.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::why::{LONGEST, OUR_RETRY_AFTER, Why};
use crate::exchange::{Class, Fault, FaultKind};
use crate::relay::clocks::Expired;
use crate::upstream::CallError;

/// The most failures that a message names one by one.
const MOST: usize = 8;

/// Why a target is left out whose provider has as many calls under way as it may.
pub(in crate::relay) const PROVIDER_FULL: &str = "provider_full";

/// Reasons to leave a target out that are not the request's fault.
const OUR_REASONS: [&str; 4] = ["no_provider", "fallback_off", "fail_closed", PROVIDER_FULL];

/// One failed attempt.
#[derive(Clone, Debug)]
pub(in crate::relay) struct Tried {
    /// `provider/model`.
    pub(in crate::relay) target: Arc<str>,
    /// What ended it: [`Why::name`].
    pub(in crate::relay) reason: &'static str,
    /// The wait that the provider asked for.
    pub(in crate::relay) retry_after: Option<Duration>,
    /// What it says about the exchange as a whole.
    pub(in crate::relay) cause: Cause,
}

/// What an attempt's end says about the exchange as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::relay) enum Cause {
    /// Our memory is at its bound.
    Memory,
    /// The process stops.
    Stopping,
    /// The exchange's time ran out.
    Deadline,
    /// The target was silent for too long.
    Silence,
    /// A limit that time lifts.
    Limit,
    /// One that money lifts, or a person.
    Money,
    /// Anything else.
    Other,
}

impl Tried {
    /// An attempt at `target` that failed because of `why`.
    pub(in crate::relay) fn new(target: Arc<str>, why: &Why) -> Self {
        let class = why.class();
        let cause = match why {
            Why::Budget => Cause::Memory,
            Why::Stopping => Cause::Stopping,
            Why::Expired(Expired::Deadline) => Cause::Deadline,
            Why::Expired(_) | Why::Call(CallError::ConnectTimeout | CallError::WriteTimeout) => {
                Cause::Silence
            }
            _ if why.is_limit() => Cause::Limit,
            _ if class == Class::Quota => Cause::Money,
            _ => Cause::Other,
        };
        Self {
            target,
            reason: why.name(),
            retry_after: why.told(),
            cause,
        }
    }

    fn is_limited(&self) -> bool {
        matches!(self.cause, Cause::Limit | Cause::Money)
    }
}

/// What the client of `route` is told when nothing was left to try: that we cannot, that time ran
/// out, that every target is at a limit and when the first of them is not, or that all failed. It
/// names targets and reasons, never keys, addresses or a provider's words.
pub(in crate::relay) fn exhausted(
    tries: &[Tried],
    left_out: &[(Arc<str>, &'static str)],
    route: &str,
) -> Fault {
    let any = |cause| tries.iter().any(|tried| tried.cause == cause);
    let all = |cause| !tries.is_empty() && tries.iter().all(|tried| tried.cause == cause);
    let refused = |(_, reason): &(_, &str)| !OUR_REASONS.contains(reason);
    let is_full = left_out.iter().any(|(_, reason)| *reason == PROVIDER_FULL);
    let kind = if tries.is_empty() && !left_out.is_empty() && left_out.iter().all(refused) {
        FaultKind::BadRequest
    } else if any(Cause::Memory) || any(Cause::Stopping) || is_full {
        FaultKind::Overloaded
    } else if any(Cause::Deadline) || all(Cause::Silence) {
        FaultKind::ProviderTimeout
    } else if any(Cause::Limit) && tries.iter().all(Tried::is_limited) {
        FaultKind::RateLimited
    } else {
        FaultKind::ProviderFailed
    };
    let head = match kind {
        FaultKind::Overloaded if any(Cause::Memory) => "segue is at its memory limit".to_owned(),
        FaultKind::Overloaded if any(Cause::Stopping) => "segue is stopping".to_owned(),
        FaultKind::Overloaded => format!("too many requests under way behind {route:?}"),
        FaultKind::ProviderTimeout => format!("no provider behind {route:?} answered in time"),
        FaultKind::RateLimited => {
            format!("every provider behind {route:?} has reached a rate limit")
        }
        FaultKind::BadRequest => format!("no target of {route:?} can serve this request"),
        _ if tries.is_empty() => format!("no provider behind {route:?} could be asked"),
        _ => format!("no provider behind {route:?} gave an answer"),
    };
    Fault {
        retry_after: match kind {
            FaultKind::Overloaded => Some(OUR_RETRY_AFTER),
            FaultKind::RateLimited => {
                let waits = tries.iter().filter_map(|tried| tried.retry_after);
                waits.min().map(|wait| wait.min(LONGEST))
            }
            _ => None,
        },
        ..Fault::new(kind, head + &list(tries) + &not_asked(left_out))
    }
}

fn not_asked(targets: &[(Arc<str>, &'static str)]) -> String {
    if targets.is_empty() {
        return String::new();
    }
    format!("; not asked: {}", left_out(targets))
}

/// `a/x=images, b/y=context`, eight of them at most.
pub(in crate::relay) fn left_out(targets: &[(Arc<str>, &'static str)]) -> String {
    let mut text = String::new();
    for (target, reason) in targets.iter().take(MOST) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let _ = write!(text, "{target}={reason}");
    }
    text
}

/// `: a/x (connect, 2 times), b/y (stall)`.
fn list(tries: &[Tried]) -> String {
    let mut text = String::new();
    let mut groups = tries.chunk_by(|a, b| a.target == b.target && a.reason == b.reason);
    let mut mark = ": ";
    for group in groups.by_ref().take(MOST) {
        let [first, rest @ ..] = group else { continue };
        text.push_str(mark);
        // Writing to a string cannot fail.
        let _ = write!(text, "{} ({}", first.target, first.reason);
        if !rest.is_empty() {
            let _ = write!(text, ", {} times", group.len());
        }
        text.push(')');
        mark = ", ";
    }
    let left: usize = groups.map(<[Tried]>::len).sum();
    if left > 0 {
        let _ = write!(text, ", and {left} more");
    }
    text
}
