//! The clocks of one attempt: first token, stall, total, and the exchange's deadline.
//!
//! Pure: `now` comes in as an argument. One timer is enough for all of them: it is set to
//! [`Clocks::due`] and, when it fires, [`Clocks::expired`] says whether a clock really ran out
//! or progress has moved it on; so progress costs no timer operation.

use std::time::{Duration, Instant};

use crate::route::Timeouts;

/// Which bound ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// No first token in time.
    FirstToken,
    /// Silence after the first token.
    Stall,
    /// Too few tokens for too long.
    Crawl,
    /// The attempt as a whole took too long.
    Total,
    /// The exchange's deadline has come.
    Deadline,
}

/// The bounds that are running.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    deadline: Instant,
    total: Instant,
    first_token: Option<Instant>,
    progress: Instant,
    stall: Duration,
}

impl Clocks {
    /// Clocks of an attempt that begins at `now`, cut to the exchange's `deadline`.
    pub(super) fn start(now: Instant, deadline: Instant, timeouts: &Timeouts) -> Self {
        Self {
            deadline,
            total: after(now, timeouts.total),
            first_token: Some(after(now, timeouts.first_token)),
            progress: now,
            stall: timeouts.stall,
        }
    }

    /// The first token (or the head of a whole answer) came at `now`.
    pub(super) fn begun(&mut self, now: Instant) {
        self.first_token = None;
        self.progress = now;
    }

    /// The provider showed life at `now`. Before the first token it moves nothing.
    pub(super) fn progressed(&mut self, now: Instant) {
        self.progress = now;
    }

    /// For so long the provider could not be heard, since the client took nothing.
    pub(super) fn paused(&mut self, wait: Duration) {
        self.progress = after(self.progress, wait);
    }

    /// When the attempt is over whatever happens.
    pub(super) fn end(&self) -> Instant {
        self.total.min(self.deadline)
    }

    /// When the next clock runs out if nothing happens until then.
    pub(super) fn due(&self) -> Instant {
        let silence = self
            .first_token
            .unwrap_or_else(|| after(self.progress, self.stall));
        silence.min(self.end())
    }

    /// The clock that has run out at `now`, if one has.
    pub(super) fn expired(&self, now: Instant) -> Option<Expired> {
        if now < self.due() {
            return None;
        }
        if now >= self.deadline {
            return Some(Expired::Deadline);
        }
        if now >= self.total {
            return Some(Expired::Total);
        }
        Some(if self.first_token.is_some() {
            Expired::FirstToken
        } else {
            Expired::Stall
        })
    }
}

/// `now + wait`, or a day later where the clock cannot hold the sum.
fn after(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait)
        .unwrap_or_else(|| now + Duration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timeouts() -> Timeouts {
        Timeouts {
            first_token: 8 * SECOND,
            stall: 3 * SECOND,
            total: 60 * SECOND,
            ..Timeouts::default()
        }
    }

    #[test]
    fn progress_before_the_first_token_moves_no_clock() {
        let start = Instant::now();
        let mut clocks = Clocks::start(start, start + 100 * SECOND, &timeouts());
        clocks.progressed(start + 7 * SECOND);
        assert_eq!(clocks.due(), start + 8 * SECOND);
        assert_eq!(
            clocks.expired(start + 8 * SECOND),
            Some(Expired::FirstToken)
        );
    }

    #[test]
    fn a_stall_counts_from_the_last_progress() {
        let start = Instant::now();
        let mut clocks = Clocks::start(start, start + 100 * SECOND, &timeouts());
        clocks.begun(start + SECOND);
        assert_eq!(clocks.expired(start + 3 * SECOND), None);
        clocks.progressed(start + 3 * SECOND);
        assert_eq!(clocks.expired(start + 5 * SECOND), None);
        assert_eq!(clocks.expired(start + 6 * SECOND), Some(Expired::Stall));
    }

    #[test]
    fn a_client_that_takes_nothing_is_not_the_providers_silence() {
        let start = Instant::now();
        let mut clocks = Clocks::start(start, start + 100 * SECOND, &timeouts());
        clocks.begun(start);
        clocks.paused(10 * SECOND);
        assert_eq!(clocks.expired(start + 12 * SECOND), None);
        assert_eq!(clocks.expired(start + 13 * SECOND), Some(Expired::Stall));
        clocks.paused(1000 * SECOND);
        assert_eq!(clocks.due(), clocks.end());
    }

    #[test]
    fn steady_progress_still_ends_at_the_total_and_the_deadline() {
        let start = Instant::now();
        let mut clocks = Clocks::start(start, start + 50 * SECOND, &timeouts());
        clocks.begun(start);
        clocks.progressed(start + 49 * SECOND);
        assert_eq!(clocks.expired(start + 50 * SECOND), Some(Expired::Deadline));
        let mut clocks = Clocks::start(start, start + 100 * SECOND, &timeouts());
        clocks.begun(start);
        clocks.progressed(start + 59 * SECOND);
        assert_eq!(clocks.expired(start + 60 * SECOND), Some(Expired::Total));
    }
}
