//! How slowly a request's body may come: a rate that it must keep, and an end to all patience.
//!
//! Pure: says by when more must have come, and waits for nothing itself.

use std::time::Duration;

use tokio::time::Instant;

use crate::edge::settings::Limits;

/// The time before a body's rate counts: connections have a slow start.
const GRACE: Duration = Duration::from_secs(10);

/// What is asked of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    begun: Instant,
    all: Duration,
    /// In bytes a second, never 0.
    rate: u64,
}

/// Which patience ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// It was too slow.
    Rate,
    /// It took too long, however much has come.
    Time,
}

impl Late {
    /// The limit's name in config, log and metrics.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::Rate => "body_rate",
            Self::Time => "body_time",
        }
    }
}

impl Pace {
    /// Of a body that begins at `now`.
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            begun: now,
            all: limits.body_time,
            rate: limits.body_rate.0.max(1),
        }
    }

    /// By when there must be more than `come` bytes, or all of them; and what it is too late for then.
    pub(super) fn due(&self, come: usize) -> (Instant, Late) {
        let come = u64::try_from(come).unwrap_or(u64::MAX);
        let millis = come.saturating_mul(1_000) / self.rate;
        let earned = GRACE.saturating_add(Duration::from_millis(millis));
        if earned < self.all {
            (self.begun + earned, Late::Rate)
        } else {
            (self.begun + self.all, Late::Time)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ByteSize;

    #[test]
    fn a_body_has_ten_seconds_and_what_its_bytes_earn_but_no_more_than_all() {
        let now = Instant::now();
        let pace = Pace::new(&Limits::default(), now);
        for (come, seconds, late) in [
            (0, 10, Late::Rate),
            (1_024, 11, Late::Rate),
            (20 << 10, 30, Late::Rate),
            ((50 << 10) - 1, 59, Late::Rate),
            (50 << 10, 60, Late::Time),
            (usize::MAX, 60, Late::Time),
        ] {
            let (due, which) = pace.due(come);
            assert_eq!(((due - now).as_secs(), which), (seconds, late), "{come}");
        }
    }

    #[test]
    fn whoever_wants_all_of_it_sooner_says_so() {
        let now = Instant::now();
        let limits = Limits {
            body_time: Duration::from_secs(3),
            body_rate: ByteSize(0),
            ..Limits::default()
        };
        let (due, late) = Pace::new(&limits, now).due(0);
        assert_eq!((due - now, late), (Duration::from_secs(3), Late::Time));
    }
}
