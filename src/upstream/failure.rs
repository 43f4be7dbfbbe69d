//! What may be sent once more for free when it failed before its answer began: whatever the peer
//! cannot have acted on.

use pingora_error::{Error, ErrorType};

use super::error::{CallError, Phase, reading};

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A connection made for it.
    New,
    /// A pooled connection, which may have died without telling.
    Reused,
}

/// Which connection is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Pooled if there is one.
    Any,
    /// Surely a new one, with HTTP/1.1.
    Fresh,
}

/// A failure before the answer began, and whether the request may be sent once more for free: the
/// peer cannot have acted on it, or the connection was dead before we used it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) error: CallError,
    pub(super) again: Option<Wanted>,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { error, again: None }
    }
}

/// A reused connection that ended without a byte was dead already, whatever the method: the peer
/// closed it while it was idle.
pub(super) fn stale_h1(error: CallError, origin: Origin) -> Option<Wanted> {
    let dead = matches!(
        error,
        CallError::Closed(_) | CallError::Reset(_) | CallError::Write
    );
    (dead && origin == Origin::Reused).then_some(Wanted::Fresh)
}

/// Whether no byte of an answer had come. Pingora says it in words only; a test holds it to them.
pub(super) fn is_silent(error: &Error) -> bool {
    let context = error.context.as_ref();
    context.is_some_and(|context| context.as_str().ends_with("bytes already read: 0"))
}

/// A failure of an HTTP/2 stream before its answer. Refused and gone-away streams were not acted
/// on (RFC 9113, section 8.7); an I/O error tells something only about a reused connection.
pub(super) fn h2_failure(error: &Error, origin: Origin) -> Failure {
    let cause = error.root_cause().downcast_ref::<h2::Error>();
    let again = match cause {
        _ if *error.etype() == ErrorType::H2Downgrade => Some(Wanted::Fresh),
        Some(h2) if h2.is_remote() && h2.reason() == Some(h2::Reason::REFUSED_STREAM) => {
            Some(Wanted::Any)
        }
        Some(h2) if h2.is_remote() && h2.is_go_away() && is_polite(h2) => Some(Wanted::Any),
        Some(h2) if h2.is_io() && origin == Origin::Reused => Some(Wanted::Any),
        _ => None,
    };
    Failure {
        error: reading(error, Phase::BeforeHead),
        again,
    }
}

/// A stream that was reset with `NO_ERROR` after an early answer (RFC 9113, section 8.1).
pub(super) fn is_no_error(error: &Error) -> bool {
    let cause = error.root_cause().downcast_ref::<h2::Error>();
    cause.is_some_and(|h2| h2.is_reset() && h2.is_remote() && is_polite(h2))
}

fn is_polite(error: &h2::Error) -> bool {
    error.reason() == Some(h2::Reason::NO_ERROR)
}
