//! What a failure means: the one place that decides it.
//!
//! Pure. Every failure has a class, and the class says what comes next: the same target again, the
//! next one, or the client. A route may say otherwise for a class; the rest of the table is here.

mod exhausted;
mod why;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(super) use exhausted::{PROVIDER_FULL, Tried, exhausted, left_out};
pub(super) use why::{End, Why};

use self::why::LONGEST;
use crate::exchange::Class;
use crate::relay::clocks::Expired;
use crate::route::{Choice, Policy, Refusals};
use crate::telemetry::AttemptKind;
use crate::upstream::{CallError, Settled};

/// How long a target is left alone that does not know our credential or its model: until somebody
/// has done something about it.
const MISSET: Duration = Duration::from_mins(5);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// The same target again, within the limits; then the next.
    Retry {
        /// The wait that the provider asked for, no longer than the route's patience; without one
        /// it is the backoff's.
        after: Option<Duration>,
    },
    /// The next target.
    FallBack,
    /// The next target; the same one again only if there is no other and time allows: who is
    /// silent once is silent twice.
    FallBackOrRetry,
    /// The client is told, with [`Why::shown`] where that is something, else with [`Why::fault`].
    Surface,
}

impl Ruling {
    /// The name in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::FallBack | Self::FallBackOrRetry => "fall_back",
            Self::Surface => "surface",
        }
    }
}

/// Whether a person has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// It passes by itself.
    Quiet,
    /// It stays until somebody acts: money, a credential, a model's name.
    Loud,
}

/// What a failed attempt means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// The kind of failure.
    pub(super) class: Class,
    /// What comes next.
    pub(super) ruling: Ruling,
    /// What the target's breaker hears.
    pub(super) health: Settled,
    /// How long the target is left alone by everybody, ten minutes at most.
    pub(super) cool: Option<Duration>,
    /// Whether a person has to know.
    pub(super) alarm: Alarm,
}

/// Judges a failed attempt. `kind` says how its target came to be asked: a retry at a later target
/// is to be judged as a `Fallback`, for what a later target finds wrong with the request does not
/// replace what the first one said.
pub(super) fn judge(why: &Why, policy: &Policy, kind: AttemptKind) -> Judgement {
    let class = why.class();
    Judgement {
        class,
        ruling: ruling(why, class, policy, kind),
        health: health(why, class, kind),
        cool: cool(class, why.told()),
        alarm: match class {
            Class::Quota | Class::Auth | Class::NotFound => Alarm::Loud,
            Class::Transient
            | Class::Overloaded
            | Class::RateLimited
            | Class::ContextLength
            | Class::ContentPolicy
            | Class::TooLarge
            | Class::BadRequest
            | Class::BadModelOutput => Alarm::Quiet,
        },
    }
}

impl Judgement {
    /// The same when a target is left that is known to take a longer prompt: one that was too long
    /// for this target goes there, unless the route says otherwise.
    pub(super) fn with_room_elsewhere(self, policy: &Policy) -> Self {
        let open = self.ruling == Ruling::Surface && !policy.verdicts.contains_key(&self.class);
        match self.class {
            Class::ContextLength if open => Self {
                ruling: Ruling::FallBack,
                ..self
            },
            _ => self,
        }
    }
}

/// The route's own word where it has one. A hedge never speaks for the exchange: the attempt beside
/// it may still succeed.
fn ruling(why: &Why, class: Class, policy: &Policy, kind: AttemptKind) -> Ruling {
    match (why, policy.verdicts.get(&class)) {
        // Our own bounds: another target would meet them too.
        (Why::Budget | Why::Stopping, _) if kind != AttemptKind::Hedge => Ruling::Surface,
        // No time is left for whatever comes next; what was held is not there any more to be shown.
        (Why::Budget | Why::Stopping | Why::Expired(Expired::Deadline), _)
        | (Why::Refused, Some(Choice::Surface)) => Ruling::FallBack,
        (_, Some(Choice::Surface)) if kind != AttemptKind::Hedge => Ruling::Surface,
        (_, Some(Choice::Surface | Choice::FallBack)) => Ruling::FallBack,
        (_, Some(Choice::Retry)) => retry(why, policy),
        (_, None) => built_in(why, class, policy, kind),
    }
}

fn built_in(why: &Why, class: Class, policy: &Policy, kind: AttemptKind) -> Ruling {
    match why {
        // To ask again would bring the same.
        Why::Call(CallError::BadRequest)
        | Why::Unfit(_)
        | Why::Short(_)
        | Why::TooLarge
        | Why::HeldTooMuch
        | Why::Refused => Ruling::FallBack,
        Why::Expired(_)
        | Why::Call(CallError::NoPeer | CallError::ConnectTimeout | CallError::WriteTimeout) => {
            Ruling::FallBackOrRetry
        }
        Why::Call(_)
        | Why::Status { .. }
        | Why::InStream { .. }
        | Why::ContentType
        | Why::Malformed
        | Why::Truncated
        | Why::Empty
        | Why::NotJson
        | Why::UnknownTool
        | Why::Budget
        | Why::Stopping => by_class(why, class, policy, kind),
    }
}

fn by_class(why: &Why, class: Class, policy: &Policy, kind: AttemptKind) -> Ruling {
    match class {
        Class::Transient | Class::Overloaded | Class::RateLimited | Class::BadModelOutput => {
            retry(why, policy)
        }
        Class::Quota | Class::Auth | Class::NotFound => Ruling::FallBack,
        Class::ContentPolicy if policy.refusals == Refusals::FallBack => Ruling::FallBack,
        Class::ContentPolicy | Class::ContextLength | Class::TooLarge | Class::BadRequest => {
            match (kind, why.shown()) {
                (AttemptKind::First | AttemptKind::Retry, Some(_)) => Ruling::Surface,
                (AttemptKind::Fallback | AttemptKind::Hedge, _) | (_, None) => Ruling::FallBack,
            }
        }
    }
}

/// The same target again, unless it asks for more patience than the route has.
fn retry(why: &Why, policy: &Policy) -> Ruling {
    match why.told() {
        Some(wait) if wait > policy.retries.patience => Ruling::FallBack,
        after => Ruling::Retry { after },
    }
}

/// What the failure says about the target. Clients, our own bounds, limits and the model's words
/// say nothing.
fn health(why: &Why, class: Class, kind: AttemptKind) -> Settled {
    match why {
        Why::Call(CallError::BadRequest)
        | Why::Unfit(_)
        | Why::Short(_)
        | Why::Refused
        | Why::NotJson
        | Why::UnknownTool
        | Why::HeldTooMuch
        | Why::Budget
        | Why::Stopping
        // A firewall that stops this request may let the next one pass.
        | Why::Status { status: 403, .. } => Settled::Neutral,
        // Only the first attempt had all the time that there was.
        Why::Expired(Expired::Deadline) if kind != AttemptKind::First => Settled::Neutral,
        Why::Call(_)
        | Why::Expired(_)
        | Why::ContentType
        | Why::Malformed
        | Why::TooLarge
        | Why::Truncated
        | Why::Empty => Settled::Failure,
        Why::Status { .. } | Why::InStream { .. } => match class {
            Class::Transient | Class::Overloaded => Settled::Failure,
            Class::RateLimited
            | Class::Quota
            | Class::Auth
            | Class::NotFound
            | Class::ContextLength
            | Class::ContentPolicy
            | Class::TooLarge
            | Class::BadRequest
            | Class::BadModelOutput => Settled::Neutral,
        },
    }
}

fn cool(class: Class, told: Option<Duration>) -> Option<Duration> {
    match class {
        Class::Quota => Some(told.map_or(LONGEST, |wait| wait.min(LONGEST))),
        Class::Auth | Class::NotFound => Some(MISSET),
        Class::RateLimited | Class::Overloaded => told.map(|wait| wait.min(LONGEST)),
        Class::Transient
        | Class::ContextLength
        | Class::ContentPolicy
        | Class::TooLarge
        | Class::BadRequest
        | Class::BadModelOutput => None,
    }
}
