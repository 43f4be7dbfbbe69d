//! What a failure means: the one place that decides it.
//!
//! Pure. With a single attempt a failure is either the client's to see unchanged or ours to
//! explain; the reasons are told apart here so that retries and fallback can be added as further
//! columns of the same table.

use std::time::Duration;

use crate::exchange::{Failure, Fault, FaultKind};
use crate::relay::clocks::Expired;
use crate::telemetry::Outcome;
use crate::upstream::CallError;

/// The longest Retry-After that is passed on.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum End {
    /// The answer went out whole.
    Served,
    /// The provider's own error went out unchanged: it is about the client's request.
    Surfaced,
    /// The client left.
    Aborted,
    /// No byte went out.
    Failed(Why),
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
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// Good status, wrong content type.
    ContentType,
    /// An error inside a good status.
    InStream(Box<Failure>),
    /// A frame or document that is not of the format.
    Malformed,
    /// An event or answer over the limit.
    TooLarge,
    /// An end before the answer had one.
    Truncated,
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
            Self::InStream(_) => "error_event",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
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
            Self::Status { failure, .. } | Self::InStream(failure) => Some(failure),
            _ => None,
        }
    }

    /// What the client is told: never an address, a key or a provider's words about our account.
    pub(super) fn fault(&self, route: &str) -> Fault {
        match self {
            Self::Status {
                status: 429,
                retry_after,
                ..
            } => Fault {
                retry_after: retry_after.map(|wait| wait.min(LONGEST_RETRY_AFTER)),
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

/// Whether a provider's status is about the client's own request and goes back unchanged.
pub(super) fn surfaces(status: u16) -> bool {
    matches!(status, 400 | 413 | 422)
}

/// The exchange's outcome, and what is still to be told to the client.
pub(super) fn conclude(end: End, route: &str) -> (Outcome, Option<Fault>) {
    match end {
        End::Served => (Outcome::Served, None),
        End::Surfaced => (Outcome::ProviderError, None),
        End::Aborted => (Outcome::Aborted, None),
        End::Failed(why) => (Outcome::Failed, Some(why.fault(route))),
        End::Broken(_) => (Outcome::Broken, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_about_the_clients_own_request_surface() {
        for status in 100..=999 {
            assert_eq!(
                surfaces(status),
                [400, 413, 422].contains(&status),
                "{status}"
            );
        }
    }

    #[test]
    fn a_provider_that_refuses_our_credential_is_never_the_clients_401() {
        for status in [401, 403, 404, 402, 500, 503, 529] {
            let why = Why::Status {
                status,
                failure: Box::default(),
                retry_after: None,
            };
            assert_eq!(why.fault("r").kind, FaultKind::ProviderFailed, "{status}");
        }
    }
}
