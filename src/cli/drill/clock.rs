//! A config's clocks, made to run faster for a drill, and times taken back to what they stand for.

use std::time::Duration;

use crate::route::{Hedge, HedgeAfter, Policy, Route, Timeouts};
use crate::upstream::BreakerPolicy;

/// No clock is made shorter than this, or a busy machine would run it out.
const SHORTEST: Duration = Duration::from_millis(20);

/// How many times as fast a drill's clocks run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed(f64);

impl Speed {
    /// As fast as the config says.
    #[cfg(test)]
    pub(super) const REAL: Self = Self(1.0);

    /// Reads `1` to `100`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let speed: Option<f64> = text.parse().ok();
        match speed {
            Some(speed) if (1.0..=100.0).contains(&speed) => Ok(Self(speed)),
            _ => Err("expected a number of 1 to 100".to_owned()),
        }
    }

    /// Whether times are those of the config.
    pub(super) fn is_real(self) -> bool {
        self.0 <= 1.0
    }

    /// A time of the config, as it is in the drill.
    pub(super) fn shortened(self, time: Duration) -> Duration {
        if self.is_real() {
            return time;
        }
        time.div_f64(self.0).max(SHORTEST).min(time)
    }

    /// A time of the drill, as it is with the config.
    pub(super) fn stands_for(self, time: Duration) -> Duration {
        time.mul_f64(self.0)
    }

    /// The route with its clocks so fast.
    pub(super) fn of_route(self, route: &Route) -> Route {
        let mut route = Route {
            policy: self.policy(&route.policy),
            ..route.clone()
        };
        for target in route.tiers.iter_mut().flat_map(|tier| &mut tier.targets) {
            target.timeouts = self.timeouts(&target.timeouts);
        }
        route
    }

    fn policy(self, policy: &Policy) -> Policy {
        let breaker = |breaker: &BreakerPolicy| BreakerPolicy {
            failures: breaker.failures,
            open: self.shortened(breaker.open),
            longest: self.shortened(breaker.longest),
        };
        let hedge = |hedge: Hedge| Hedge {
            after: match hedge.after {
                HedgeAfter::Fixed(after) => HedgeAfter::Fixed(self.shortened(after)),
                HedgeAfter::P95 => HedgeAfter::P95,
            },
            ..hedge
        };
        let mut fast = Policy {
            keepalive: policy.keepalive.map(|time| self.shortened(time)),
            deadline: self.shortened(policy.deadline),
            timeouts: self.timeouts(&policy.timeouts),
            breaker: policy.breaker.as_ref().map(breaker),
            hedge: policy.hedge.map(hedge),
            ..policy.clone()
        };
        fast.retries.patience = self.shortened(policy.retries.patience);
        fast
    }

    fn timeouts(self, timeouts: &Timeouts) -> Timeouts {
        Timeouts {
            connect: self.shortened(timeouts.connect),
            first_token: self.shortened(timeouts.first_token),
            stall: self.shortened(timeouts.stall),
            total: self.shortened(timeouts.total),
            write: self.shortened(timeouts.write),
            min_rate: timeouts.min_rate * self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shortened_to_a_bound_and_taken_back() {
        let fast = Speed::parse("10").unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(fast.shortened(30 * second), 3 * second);
        assert_eq!(fast.stands_for(3 * second), 30 * second);
        assert_eq!(fast.shortened(second / 10), SHORTEST);
        assert_eq!(fast.shortened(second / 100), second / 100);
        assert_eq!(Speed::REAL.shortened(second / 100), second / 100);
        assert!(!fast.is_real() && Speed::REAL.is_real());
        for bad in ["", "0", "0.5", "101", "-1", "x", "nan", "inf"] {
            assert!(Speed::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn all_clocks_of_a_route_run_alike() {
        let policy = Speed::parse("10").unwrap().policy(&Policy::default());
        let shipped = Policy::default();
        assert_eq!(policy.deadline * 10, shipped.deadline);
        assert_eq!(
            policy.timeouts.first_token * 10,
            shipped.timeouts.first_token
        );
        assert_eq!(policy.timeouts.stall * 10, shipped.timeouts.stall);
        assert_eq!(policy.retries.patience * 10, shipped.retries.patience);
        assert_eq!(policy.retries.max_attempts, shipped.retries.max_attempts);
    }
}
