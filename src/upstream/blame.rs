//! Which failures of a call speak against its peer, and after how many it is passed over.

use std::time::Duration;

use super::breaker::BreakerPolicy;
use super::error::CallError;

/// A peer that takes calls and fails them. Short beside a target's: others do the same work, and
/// a probe costs a retry at most.
pub(super) const FAILING: BreakerPolicy = BreakerPolicy {
    failures: 3,
    open: Duration::from_secs(5),
    longest: Duration::from_mins(1),
};

/// A peer that cannot be connected to: there is no doubt after the first time.
pub(super) const UNREACHED: BreakerPolicy = BreakerPolicy {
    failures: 1,
    ..FAILING
};

/// How a failure before an answer's head counts; `None` when the peer has no part in it.
pub(super) fn blame(error: CallError) -> Option<&'static BreakerPolicy> {
    match error {
        CallError::Connect(_) | CallError::ConnectTimeout | CallError::Tls => Some(&UNREACHED),
        CallError::Write
        | CallError::WriteTimeout
        | CallError::Reset(_)
        | CallError::Closed(_)
        | CallError::BadAnswer(_) => Some(&FAILING),
        CallError::NoPeer
        | CallError::Resolve
        | CallError::BadRequest
        | CallError::Inflate(_)
        | CallError::Unhealthy(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::error::{ConnectFailure, Flaw, InflateError, Phase};

    #[test]
    fn a_connection_that_fails_counts_at_once_an_answer_that_fails_in_a_row_of_three() {
        let cases = [
            (CallError::Connect(ConnectFailure::Refused), Some(1)),
            (CallError::Connect(ConnectFailure::Unreachable), Some(1)),
            (CallError::Connect(ConnectFailure::Other), Some(1)),
            (CallError::ConnectTimeout, Some(1)),
            (CallError::Tls, Some(1)),
            (CallError::Write, Some(3)),
            (CallError::WriteTimeout, Some(3)),
            (CallError::Reset(Phase::BeforeHead), Some(3)),
            (CallError::Closed(Phase::BeforeHead), Some(3)),
            (CallError::BadAnswer(Flaw::Head), Some(3)),
            (CallError::NoPeer, None),
            (CallError::Resolve, None),
            (CallError::BadRequest, None),
            (CallError::Inflate(InflateError::Corrupt), None),
            (CallError::Unhealthy(503), None),
        ];
        for (error, failures) in cases {
            let policy = blame(error);
            assert_eq!(policy.map(|policy| policy.failures), failures, "{error}");
            if let Some(policy) = policy {
                assert_eq!(policy.open, Duration::from_secs(5));
                assert_eq!(policy.longest, Duration::from_mins(1));
            }
        }
    }
}
