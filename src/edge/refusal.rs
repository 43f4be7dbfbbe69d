//! A request that is refused: what its client is told, and what the log says of it.

use std::time::Duration;

use crate::account::{Left, Rejected, Short};
use crate::edge::pace::Late;
use crate::exchange::{Fault, FaultKind};

/// What the log says of failures that are answered 429.
const TOO_MANY_FAILURES: &str = "auth_failures";

/// When it is worth trying again after a limit that others make room under.
const A_MOMENT: Duration = Duration::from_secs(1);

/// A refused request.
pub(super) struct Refusal {
    /// What the client is told.
    pub(super) fault: Fault,
    /// The name of the reason in the log.
    pub(super) reason: &'static str,
    /// What a 405 allows.
    pub(super) allow: Option<&'static str>,
    /// What the caller has left, where quotas hold for it.
    pub(super) left: Option<Box<Left>>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            reason: fault.kind.name(),
            fault,
            allow: None,
            left: None,
        }
    }
}

impl From<&Short> for Refusal {
    fn from(short: &Short) -> Self {
        Self {
            reason: short.of.name(),
            ..short.fault().into()
        }
    }
}

impl Refusal {
    /// The answer to whoever has no key that holds: the same for all of them. `slowed` is the time
    /// until the next failure of their address gets the ordinary answer again.
    pub(super) fn rejected(rejected: Rejected, slowed: Option<Duration>) -> Self {
        if let Some(wait) = slowed {
            let message = "too many requests without a valid API key";
            let fault = Fault::new(FaultKind::OverLimit, message).retry_after(wait);
            return Self {
                reason: TOO_MANY_FAILURES,
                ..fault.into()
            };
        }
        let fault = Fault::new(FaultKind::Unauthorized, "a valid API key is required");
        Self {
            reason: rejected.name(),
            ..fault.into()
        }
    }

    /// What would be one too many, or too much, for a limit of ours: a moment later it may not be.
    pub(super) fn at_limit(limit: &'static str, message: &'static str) -> Self {
        let fault = Fault::new(FaultKind::Overloaded, message).retry_after(A_MOMENT);
        Self {
            reason: limit,
            ..fault.into()
        }
    }

    /// One exchange too many of a key.
    pub(super) fn too_many_of_key() -> Self {
        let message = "too many requests of this API key under way";
        let fault = Fault::new(FaultKind::OverLimit, message).retry_after(A_MOMENT);
        Self {
            reason: "exchanges_per_key",
            ..fault.into()
        }
    }

    /// A body that is late.
    pub(super) fn late(late: Late) -> Self {
        let message = match late {
            Late::Rate => "the body came too slowly",
            Late::Time => "the body took too long",
        };
        Self {
            reason: late.limit(),
            ..Fault::new(FaultKind::RequestTimeout, message).into()
        }
    }

    /// Adds what the caller has left.
    pub(super) fn left(mut self, left: Left) -> Self {
        self.left = (left != Left::default()).then(|| Box::new(left));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Scarce;
    use crate::edge::fault;
    use crate::exchange::Dialect;

    #[test]
    fn only_the_log_tells_why_a_key_does_not_hold() {
        let all = [
            Rejected::Unknown,
            Rejected::Expired,
            Rejected::Disabled,
            Rejected::Network,
        ];
        let refusals = all.map(|rejected| Refusal::rejected(rejected, None));
        let reasons = refusals.each_ref().map(|refusal| refusal.reason);
        assert_eq!(
            reasons,
            ["unauthorized", "key_expired", "key_disabled", "key_network"]
        );
        for refusal in &refusals {
            assert_eq!(refusal.fault, refusals[0].fault);
        }
        let slowed = all.map(|rejected| Refusal::rejected(rejected, Some(Duration::from_secs(9))));
        for refusal in &slowed {
            assert_eq!(refusal.fault, slowed[0].fault);
            assert_eq!(refusal.reason, "auth_failures");
            assert_eq!(refusal.fault.retry_after, Some(Duration::from_secs(9)));
            assert_eq!(fault::status(Dialect::OpenAi, refusal.fault.kind), 429);
        }
    }

    #[test]
    fn what_a_quota_refuses_is_a_429_that_names_the_quota() {
        for (of, kind) in [
            (Scarce::Requests, FaultKind::OverLimit),
            (Scarce::Tokens, FaultKind::OverLimit),
            (Scarce::Concurrency, FaultKind::OverLimit),
            (Scarce::Budget, FaultKind::OverBudget),
            (Scarce::Ceiling, FaultKind::OverBudget),
        ] {
            let refusal = Refusal::from(&Short {
                quota: "app".into(),
                of,
                retry_after: Some(Duration::from_secs(1)),
            });
            assert_eq!((refusal.fault.kind, refusal.reason), (kind, of.name()));
            assert_eq!(refusal.fault.retry_after, Some(Duration::from_secs(1)));
            assert!(refusal.fault.message.contains("\"app\""), "{of:?}");
            for client in [Dialect::OpenAi, Dialect::Anthropic] {
                assert_eq!(fault::status(client, kind), 429, "{of:?}");
            }
        }
    }
}
