//! What attempts took of a target's own limits: load moves away before its provider says 429.
//!
//! Pure. The provider counts in its own way, and other clients of its account may count too, so
//! this is a guess that orders targets and forbids nothing.

use std::time::{Duration, Instant};

use crate::account::Bucket;
use crate::route::TargetLimits;
use crate::units::Tokens;

/// For how long a target is taken to be full for what never fits into its limits.
const NEVER: Duration = Duration::from_mins(1);

/// What was taken of a target's limits.
#[derive(Debug, Default)]
pub(super) struct Rates {
    requests: Bucket,
    tokens: Bucket,
}

/// What an attempt takes of its target's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Toll {
    limits: TargetLimits,
    tokens: Tokens,
}

impl Toll {
    /// One request of so many tokens, under these limits.
    pub(super) fn new(limits: TargetLimits, tokens: Tokens) -> Self {
        Self { limits, tokens }
    }

    /// The least that any attempt takes.
    pub(super) fn least(limits: TargetLimits) -> Self {
        Self::new(limits, Tokens(1))
    }

    /// Whether nothing is limited.
    pub(super) fn is_free(&self) -> bool {
        self.limits == TargetLimits::default()
    }
}

impl Rates {
    /// What was taken of requests and tokens, for a successor ([`Bucket::handed`]).
    pub(super) fn handed(&self, now: Instant) -> [(u128, Duration); 2] {
        [&self.requests, &self.tokens].map(|bucket| bucket.handed(now))
    }

    /// The rates of a predecessor.
    pub(super) fn inherited([requests, tokens]: [(u128, Duration); 2], now: Instant) -> Self {
        Self {
            requests: Bucket::inherited(requests, now),
            tokens: Bucket::inherited(tokens, now),
        }
    }

    /// How long to wait until an attempt is within the limits; zero if it is now.
    pub(super) fn wait(&self, toll: Toll, now: Instant) -> Duration {
        let TargetLimits { rpm, tpm } = toll.limits;
        let requests = rpm.map(|limit| self.requests.wait(limit.into(), 1, now));
        let tokens = tpm.map(|limit| self.tokens.wait(limit.0, toll.tokens.0, now));
        let waits = [requests, tokens].into_iter().flatten();
        let waits = waits.map(|wait| wait.unwrap_or(NEVER));
        waits.max().unwrap_or_default()
    }

    /// Takes what an attempt takes, if it is within the limits.
    #[must_use]
    pub(super) fn pay(&mut self, toll: Toll, now: Instant) -> bool {
        let within = self.wait(toll, now).is_zero();
        if within {
            self.owe(toll, now);
        }
        within
    }

    /// Takes what an attempt takes, within the limits or not.
    pub(super) fn owe(&mut self, toll: Toll, now: Instant) {
        let TargetLimits { rpm, tpm } = toll.limits;
        if let Some(limit) = rpm {
            self.requests.take(limit.into(), 1, now);
        }
        if let Some(limit) = tpm {
            self.tokens.take(limit.0, toll.tokens.0, now);
        }
    }

    /// Puts what an attempt really took in the place of what it was thought to take. The request
    /// was made.
    pub(super) fn settle(&mut self, toll: Toll, used: Tokens, now: Instant) {
        if let Some(limit) = toll.limits.tpm {
            self.tokens.settle(limit.0, toll.tokens.0, used.0, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: TargetLimits = TargetLimits {
        rpm: Some(3),
        tpm: Some(Tokens(600)),
    };

    fn toll(tokens: u64) -> Toll {
        Toll::new(LIMITS, Tokens(tokens))
    }

    #[test]
    fn what_is_within_both_limits_may_go() {
        let now = Instant::now();
        let mut rates = Rates::default();
        assert!(rates.pay(toll(600), now));
        assert_eq!(rates.wait(toll(100), now), 10 * SECOND, "tokens");
        assert!(!rates.pay(toll(100), now));
        rates.settle(toll(600), Tokens(50), now);
        assert!(rates.pay(toll(500), now));
        assert!(rates.pay(toll(50), now));
        assert_eq!(rates.wait(toll(0), now), 20 * SECOND, "requests");
    }

    #[test]
    fn what_never_fits_is_never_within_the_limits_but_may_be_owed() {
        let now = Instant::now();
        let mut rates = Rates::default();
        assert_eq!(rates.wait(toll(601), now), NEVER);
        assert!(!rates.pay(toll(601), now));
        rates.owe(toll(601), now);
        assert_eq!(rates.wait(Toll::least(LIMITS), now), SECOND / 5);
    }

    #[test]
    fn what_is_not_limited_is_not_counted() {
        let now = Instant::now();
        let mut rates = Rates::default();
        let free = Toll::new(TargetLimits::default(), Tokens(u64::MAX));
        assert!(free.is_free() && !toll(0).is_free());
        for _ in 0..10 {
            assert!(rates.pay(free, now));
        }
        assert_eq!(rates.wait(toll(600), now), Duration::ZERO);
    }
}
