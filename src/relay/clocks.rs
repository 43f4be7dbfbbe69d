//! The clocks of one attempt: first token, stall, crawl, total, and the exchange's deadline.
//!
//! Pure: `now` comes in as an argument. One timer is enough for all of them: it is set to
//! [`Clocks::due`] and, when it fires, [`Clocks::expired`] says whether a clock really ran out
//! or progress has moved it on; so progress costs no timer operation.

use std::time::{Duration, Instant};

use crate::route::Timeouts;
use crate::units::Tokens;

/// How long tokens are counted before they are judged.
const WINDOW: Duration = Duration::from_secs(10);

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
    /// The tokens that a window must have; `None` where any number will do.
    pace: Option<f64>,
    window: Option<Window>,
}

/// A stretch of an answer in which tokens are counted. One follows on the other.
#[derive(Clone, Copy, Debug)]
struct Window {
    end: Instant,
    tokens: Tokens,
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
            pace: Some(timeouts.min_rate * WINDOW.as_secs_f64()).filter(|pace| *pace > 0.0),
            window: None,
        }
    }

    /// The first token (or the head of a whole answer) came at `now`.
    pub(super) fn begun(&mut self, now: Instant) {
        self.first_token = None;
        self.progress = now;
    }

    /// The provider showed life at `now`, and so many tokens. Before the first token it moves
    /// nothing; without tokens, as in a whole answer, there is no rate to keep.
    pub(super) fn progressed(&mut self, now: Instant, tokens: Tokens) {
        self.progress = now;
        let Some(pace) = self.pace else {
            return;
        };
        match &mut self.window {
            None if tokens == Tokens(0) => {}
            None => {
                self.window = Some(Window {
                    end: after(now, WINDOW),
                    tokens,
                });
            }
            Some(window) => window.count(now, tokens, pace),
        }
    }

    /// For so long the provider could not be heard, since the client took nothing.
    pub(super) fn paused(&mut self, wait: Duration) {
        self.progress = after(self.progress, wait);
        if let Some(window) = &mut self.window {
            window.end = after(window.end, wait);
        }
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
        let crawl = self.crawl().unwrap_or(silence);
        silence.min(crawl).min(self.end())
    }

    /// When the rate is too low if nothing comes until then.
    fn crawl(&self) -> Option<Instant> {
        Some(self.window?.due(self.pace?))
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
        if self.first_token.is_some() {
            return Some(Expired::FirstToken);
        }
        if now >= after(self.progress, self.stall) {
            return Some(Expired::Stall);
        }
        Some(Expired::Crawl)
    }
}

impl Window {
    /// Counts tokens that came at `now`. A window that ended short of the pace is never left.
    fn count(&mut self, now: Instant, tokens: Tokens, pace: f64) {
        if now >= self.end && self.is_filled(pace) {
            self.end = after(self.end, WINDOW);
            self.tokens = Tokens(0);
        }
        if now < self.end {
            self.tokens += tokens;
        }
    }

    /// The end of the first window that lacks tokens.
    fn due(&self, pace: f64) -> Instant {
        if self.is_filled(pace) {
            after(self.end, WINDOW)
        } else {
            self.end
        }
    }

    fn is_filled(&self, pace: f64) -> bool {
        u32::try_from(self.tokens.0).map_or(true, |tokens| f64::from(tokens) >= pace)
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
        clocks.progressed(start + 7 * SECOND, Tokens(0));
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
        clocks.progressed(start + 3 * SECOND, Tokens(0));
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
        clocks.progressed(start + 49 * SECOND, Tokens(0));
        assert_eq!(clocks.expired(start + 50 * SECOND), Some(Expired::Deadline));
        let mut clocks = Clocks::start(start, start + 100 * SECOND, &timeouts());
        clocks.begun(start);
        clocks.progressed(start + 59 * SECOND, Tokens(0));
        assert_eq!(clocks.expired(start + 60 * SECOND), Some(Expired::Total));
    }

    /// Clocks whose first tokens, so many, came at once.
    fn paced(start: Instant, min_rate: f64, tokens: u64) -> Clocks {
        let timeouts = Timeouts {
            min_rate,
            stall: 60 * SECOND,
            total: 600 * SECOND,
            ..timeouts()
        };
        let mut clocks = Clocks::start(start, start + 1000 * SECOND, &timeouts);
        clocks.begun(start);
        clocks.progressed(start, Tokens(tokens));
        clocks
    }

    #[test]
    fn a_window_with_too_few_tokens_is_a_crawl_at_its_end() {
        let start = Instant::now();
        for (tokens, crawls) in [(1, true), (14, true), (15, false), (u64::MAX, false)] {
            let mut clocks = paced(start, 2.0, tokens);
            clocks.progressed(start + 9 * SECOND, Tokens(5));
            let due = if crawls { 10 } else { 20 } * SECOND;
            let before = start + due.saturating_sub(SECOND / 1000);
            assert_eq!(clocks.due(), start + due, "{tokens}");
            assert_eq!(clocks.expired(before), None, "{tokens}");
            assert_eq!(
                clocks.expired(start + due),
                Some(Expired::Crawl),
                "{tokens}"
            );
        }
    }

    #[test]
    fn each_window_is_judged_alone() {
        let start = Instant::now();
        let mut clocks = paced(start, 1.0, 1000);
        clocks.progressed(start + 10 * SECOND, Tokens(9));
        assert_eq!(clocks.due(), start + 20 * SECOND);
        clocks.progressed(start + 19 * SECOND, Tokens(1));
        assert_eq!(clocks.due(), start + 30 * SECOND);
        clocks.progressed(start + 25 * SECOND, Tokens(9));
        // What comes after the end does not save a window that was short.
        clocks.progressed(start + 30 * SECOND, Tokens(1000));
        assert_eq!(clocks.due(), start + 30 * SECOND);
        assert_eq!(clocks.expired(start + 30 * SECOND), Some(Expired::Crawl));
    }

    #[test]
    fn tokens_after_an_empty_window_come_too_late() {
        let start = Instant::now();
        let mut clocks = paced(start, 1.0, 1000);
        clocks.progressed(start + 20 * SECOND, Tokens(1000));
        assert_eq!(clocks.expired(start + 20 * SECOND), Some(Expired::Crawl));
    }

    #[test]
    fn without_a_rate_or_without_tokens_there_is_no_crawl() {
        let start = Instant::now();
        for (min_rate, tokens) in [(0.0, 1), (-1.0, 1), (f64::NAN, 1), (5.0, 0)] {
            let mut clocks = paced(start, min_rate, tokens);
            assert_eq!(clocks.due(), start + 60 * SECOND, "{min_rate}");
            clocks.progressed(start + 30 * SECOND, Tokens(0));
            assert_eq!(clocks.expired(start + 89 * SECOND), None, "{min_rate}");
            assert_eq!(clocks.expired(start + 90 * SECOND), Some(Expired::Stall));
        }
    }

    #[test]
    fn the_window_begins_with_the_first_token_and_moves_with_the_clients_slowness() {
        let start = Instant::now();
        let mut clocks = paced(start, 1.0, 0);
        clocks.progressed(start + 5 * SECOND, Tokens(1));
        assert_eq!(clocks.due(), start + 15 * SECOND);
        clocks.paused(4 * SECOND);
        assert_eq!(clocks.due(), start + 19 * SECOND);
        clocks.progressed(start + 18 * SECOND, Tokens(9));
        assert_eq!(clocks.due(), start + 29 * SECOND);
    }
}
