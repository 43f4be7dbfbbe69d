//! What a failure means: the one place that decides it.
//!
//! Pure. With a single attempt a failure is either the client's to see unchanged or ours to
//! explain; the reasons are told apart here so that retries and fallback can be added as further
//! columns of the same table.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::exchange::Class;
use crate::exchange::{Failure, Fault, FaultKind};
use crate::relay::clocks::Expired;
use crate::route::{Policy, Target};
use crate::telemetry::{AttemptKind, ProviderCode};
use crate::upstream::CallError;
use crate::upstream::Settled;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum End {
    /// The answer went out whole.
    Served,
    /// The client left.
    Aborted,
    /// Bytes had gone out; the stream is ended with an error event.
    Broken(Why),
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Why {
    /// The call itself: address, connection, TLS, framing.
    Call(CallError),
    /// A clock ran out.
    Expired(Expired),
    /// A status that is neither good nor the client's business.
    Status {
        /// The status.
        status: u16,
        /// The provider's words.
        failure: Box<Failure>,
        /// When it may be tried again.
        wait: Option<Duration>,
        /// The error body.
        body: Bytes,
    },
    /// Good status, wrong content type.
    ContentType,
    /// An error inside a good status.
    InStream {
        /// The provider's words.
        failure: Box<Failure>,
        /// The document that they stand in.
        document: Bytes,
    },
    /// A frame or document that is not of the format.
    Malformed,
    /// An event or answer over the limit.
    TooLarge,
    /// An end before the answer had one.
    Truncated,
    /// A good end of nothing.
    Empty,
    /// A refusal, where the route wants another target's answer.
    Refused,
    /// Text or arguments that are not the JSON that was asked for.
    NotJson,
    /// A call of a tool that was not offered.
    UnknownTool,
    /// More came than may be held of an answer that is held to its end.
    HeldTooMuch,
    /// Our own memory bound is reached.
    Budget,
    /// The process stops, and its time for running exchanges is over.
    Stopping,
}

impl Why {
    /// The reason's name in log and metrics: a bounded set.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Call(error) => call_name(*error),
            Self::Expired(Expired::FirstToken) => "first_token_timeout",
            Self::Expired(Expired::Stall) => "stall",
            Self::Expired(Expired::Crawl) => "crawl",
            Self::Expired(Expired::Total) => "attempt_timeout",
            Self::Expired(Expired::Deadline) => "deadline",
            Self::Status { status: 429, .. } => "rate_limited",
            Self::Status {
                status: 401 | 403, ..
            } => "auth",
            Self::Status { status: 404, .. } => "not_found",
            Self::Status { status: 500.., .. } => "server_error",
            Self::Status { .. } => "status",
            Self::ContentType => "content_type",
            Self::InStream { .. } => "error_event",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::Refused => "refused",
            Self::NotJson => "not_json",
            Self::UnknownTool => "unknown_tool",
            Self::HeldTooMuch => "held_too_much",
            Self::Budget => "buffer_limit",
            Self::Stopping => "stopping",
        }
    }

    /// Whether the provider just said no more, in whatever way; nothing that it said was wrong.
    pub(super) fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Call(CallError::Closed(_) | CallError::Reset(_))
                | Self::Expired(_)
                | Self::Stopping
        )
    }

    /// The provider's own words, where it said any.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Status { failure, .. } | Self::InStream { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// What the client is told: never an address, a key or a provider's words about our account.
    pub(super) fn fault(&self, route: &str) -> Fault {
        match self {
            Self::Status {
                status: 429, wait, ..
            } => Fault {
                retry_after: *wait,
                ..Fault::new(
                    FaultKind::RateLimited,
                    format!("the provider behind {route:?} has reached a rate limit"),
                )
            },
            Self::Expired(_) | Self::Call(CallError::ConnectTimeout | CallError::WriteTimeout) => {
                Fault::new(
                    FaultKind::ProviderTimeout,
                    format!(
                        "the provider behind {route:?} did not answer in time ({})",
                        self.name()
                    ),
                )
            }
            Self::Budget => Fault::new(FaultKind::Overloaded, "segue is at its memory limit")
                .retry_after(Duration::from_secs(1)),
            Self::Stopping => Fault::new(FaultKind::Overloaded, "segue is stopping")
                .retry_after(Duration::from_secs(1)),
            _ => Fault::new(
                FaultKind::ProviderFailed,
                format!("the provider behind {route:?} failed ({})", self.name()),
            ),
        }
    }
}

/// A failed call's name in log and metrics.
fn call_name(error: CallError) -> &'static str {
    match error {
        CallError::NoPeer => "no_peer",
        CallError::Resolve => "resolve",
        CallError::BadRequest => "unsendable",
        CallError::Connect(_) => "connect",
        CallError::ConnectTimeout => "connect_timeout",
        CallError::Tls => "tls",
        CallError::Write => "write",
        CallError::WriteTimeout => "write_timeout",
        CallError::Reset(_) => "reset",
        CallError::Closed(_) => "closed",
        CallError::BadAnswer(_) => "bad_answer",
        CallError::Inflate(_) => "inflate",
        CallError::Unhealthy(_) => "unhealthy",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Retry { after: Option<Duration> },
    FallBack,
    FallBackOrRetry,
    Surface,
}
impl Ruling {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::FallBack | Self::FallBackOrRetry => "fall_back",
            Self::Surface => "surface",
        }
    }
}
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) class: Class,
    pub(super) ruling: Ruling,
    pub(super) health: Settled,
    pub(super) cool: Option<Duration>,
}
impl Judgement {
    pub(super) fn is_alarm(&self) -> bool {
        matches!(self.class, Class::Quota | Class::Auth | Class::NotFound)
    }
}
pub(super) struct Tried {
    pub(super) target: Arc<str>,
    pub(super) reason: &'static str,
}
impl Tried {
    pub(super) fn of(target: &Target, why: &Why, _: &Judgement) -> Self {
        Self {
            target: Arc::clone(&target.name),
            reason: why.name(),
        }
    }
}
pub(super) fn judge(why: &Why, _: &Policy, kind: AttemptKind) -> Judgement {
    let (class, ruling, health) = match why {
        Why::Status {
            status: 400 | 413 | 422,
            ..
        } if matches!(kind, AttemptKind::First | AttemptKind::Retry) => {
            (Class::BadRequest, Ruling::Surface, Settled::Neutral)
        }
        Why::Status {
            status: 429, wait, ..
        } => (
            Class::RateLimited,
            Ruling::Retry { after: *wait },
            Settled::Neutral,
        ),
        Why::Status {
            status: 401 | 403, ..
        } => (Class::Auth, Ruling::FallBack, Settled::Neutral),
        Why::Expired(_) => (Class::Transient, Ruling::FallBackOrRetry, Settled::Failure),
        _ => (
            Class::Transient,
            Ruling::Retry { after: None },
            Settled::Failure,
        ),
    };
    Judgement {
        class,
        ruling,
        health,
        cool: None,
    }
}
pub(super) fn exhausted(tried: &[Tried], route: &str) -> Fault {
    let names: Vec<_> = tried
        .iter()
        .map(|one| format!("{} {}", one.target, one.reason))
        .collect();
    Fault::new(
        FaultKind::ProviderFailed,
        format!("{route}: {}", names.join(", ")),
    )
}
impl Why {
    pub(super) fn provider_code(&self) -> Option<ProviderCode> {
        let failure = self.failure()?;
        ProviderCode::of(failure.code.as_deref().or(failure.kind.as_deref())?)
    }
}
