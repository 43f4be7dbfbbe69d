//! Why an attempt failed: what kind of failure it is, and what of it a client may see.

use std::time::Duration;

use bytes::Bytes;

use crate::account::Short;
use crate::dialect::{self, Unfit};
use crate::exchange::{Class, Failure, Fault, FaultKind};
use crate::relay::clocks::Expired;
use crate::relay::wait;
use crate::upstream::CallError;

/// The longest cool-down, and the longest Retry-After that is passed on. A rate that asks for more
/// is a quota.
pub(super) const LONGEST: Duration = Duration::from_mins(10);

/// When it is worth trying again after a bound of our own.
pub(super) const OUR_RETRY_AFTER: Duration = Duration::from_secs(1);

/// How an answer ended that had passed its gate.
#[derive(Debug)]
pub(in crate::relay) enum End {
    /// The answer went out whole.
    Served,
    /// The client left.
    Aborted,
    /// A part of it had gone out; the stream is to be ended with an error event.
    Broken(Why),
}

/// Why an attempt failed.
#[derive(Debug)]
pub(in crate::relay) enum Why {
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
        /// How long the provider asks to wait, whatever the route's patience.
        wait: Option<Duration>,
        /// The error body as it came.
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
    /// The request cannot be put to this target: nothing was sent.
    Unfit(Unfit),
    /// A quota of the caller has too little left for it: nothing was sent.
    Short(Short),
    /// Our own memory bound is reached.
    Budget,
    /// The process stops, and its time for running exchanges is over.
    Stopping,
}

impl Why {
    /// The reason's name in log and metrics: a bounded set.
    pub(in crate::relay) fn name(&self) -> &'static str {
        match self {
            Self::Call(error) => call_name(*error),
            Self::Expired(Expired::FirstToken) => "first_token_timeout",
            Self::Expired(Expired::Stall) => "stall",
            Self::Expired(Expired::Crawl) => "crawl",
            Self::Expired(Expired::Total) => "attempt_timeout",
            Self::Expired(Expired::Deadline) => "deadline",
            Self::Status { status, .. } => match self.class() {
                Class::Transient if *status >= 500 => "server_error",
                Class::Transient => "status",
                // `too_large` is an answer.
                Class::TooLarge => "request_too_large",
                class => class.name(),
            },
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
            Self::Unfit(unfit) => unfit.name(),
            Self::Short(short) => short.of.name(),
            Self::Budget => "buffer_limit",
            Self::Stopping => "stopping",
        }
    }

    /// Whether the provider just said no more, in whatever way; nothing that it said was wrong.
    pub(in crate::relay) fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Call(CallError::Closed(_) | CallError::Reset(_))
                | Self::Expired(_)
                | Self::Stopping
        )
    }

    /// The provider's own words, where it said any.
    pub(in crate::relay) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Status { failure, .. } | Self::InStream { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// The kind of failure. A rate that asks for more than minutes is a quota: nobody waits for it.
    pub(in crate::relay) fn class(&self) -> Class {
        match self {
            Self::Status { failure, .. } | Self::InStream { failure, .. } => {
                match dialect::classify(failure) {
                    Class::RateLimited if self.told() > Some(LONGEST) => Class::Quota,
                    class => class,
                }
            }
            Self::Empty | Self::NotJson | Self::UnknownTool => Class::BadModelOutput,
            Self::Refused => Class::ContentPolicy,
            Self::Unfit(_) => Class::BadRequest,
            Self::Budget | Self::Stopping => Class::Overloaded,
            Self::Short(_) => Class::Quota,
            Self::Call(_)
            | Self::Expired(_)
            | Self::ContentType
            | Self::Malformed
            | Self::TooLarge
            | Self::Truncated
            | Self::HeldTooMuch => Class::Transient,
        }
    }

    /// How long the provider asks to wait.
    pub(in crate::relay) fn told(&self) -> Option<Duration> {
        match self {
            Self::Status { wait, .. } => *wait,
            Self::InStream { failure, .. } => wait::in_words(failure),
            _ => None,
        }
    }

    /// Whether it is a limit that time lifts: a rate, or a quota that the provider itself words as
    /// one. No time pays a bill.
    pub(super) fn is_limit(&self) -> bool {
        match self.class() {
            Class::RateLimited => true,
            Class::Quota => !matches!(self, Self::Status { status, .. } if *status != 429),
            _ => false,
        }
    }

    /// The provider's own answer, with its status, if it is about the client's own request: what
    /// it says about us, our credential or our account is not for clients. Whether the client can
    /// read it is for the caller to see. Statuses that no provider documents for it stay here.
    pub(in crate::relay) fn shown(&self) -> Option<(u16, &Bytes)> {
        let (status, document) = match self {
            Self::Status { status, body, .. } => (*status, body),
            // Whoever says no status blames the request by its words.
            Self::InStream { failure, document } => (failure.status.unwrap_or(400), document),
            _ => return None,
        };
        let about_request = matches!(
            self.class(),
            Class::BadRequest | Class::TooLarge | Class::ContextLength | Class::ContentPolicy
        );
        let known = matches!(status, 400 | 403 | 413 | 422);
        (about_request && known).then_some((status, document))
    }

    /// What the client is told: never an address, a key or a provider's words about our account.
    pub(in crate::relay) fn fault(&self, route: &str) -> Fault {
        let name = self.name();
        match self {
            Self::Budget => Fault::new(FaultKind::Overloaded, "segue is at its memory limit")
                .retry_after(OUR_RETRY_AFTER),
            Self::Stopping => {
                Fault::new(FaultKind::Overloaded, "segue is stopping").retry_after(OUR_RETRY_AFTER)
            }
            Self::Expired(_) | Self::Call(CallError::ConnectTimeout | CallError::WriteTimeout) => {
                Fault::new(
                    FaultKind::ProviderTimeout,
                    format!("the provider behind {route:?} did not answer in time ({name})"),
                )
            }
            _ if self.shown().is_some() => {
                let kind = match self.class() {
                    Class::TooLarge => FaultKind::BodyTooLarge,
                    _ => FaultKind::BadRequest,
                };
                Fault::new(kind, "the provider refused the request")
            }
            _ if self.is_limit() => Fault {
                retry_after: self.told().map(|wait| wait.min(LONGEST)),
                ..Fault::new(
                    FaultKind::RateLimited,
                    format!("the provider behind {route:?} has reached a rate limit ({name})"),
                )
            },
            _ => Fault::new(
                FaultKind::ProviderFailed,
                format!("the provider behind {route:?} failed ({name})"),
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
