//! How long a target takes to its first token: an average that is sensitive to peaks, and a
//! percentile.
//!
//! Pure: time comes in as an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

/// In so long, what was known loses all but 1/e of its weight: the decay of Finagle's balancer.
const TAU: Duration = Duration::from_secs(10);
/// So many of the last waits are remembered.
const REMEMBERED: usize = 128;
/// Fewer waits than these say nothing about the slowest twentieth.
const ENOUGH: usize = 20;

/// What is known of a target's speed.
///
/// The average is the "peak EWMA" of Finagle (`com.twitter.finagle.loadbalancer.PeakEwma`): with
/// w = e^(−t/τ) for the time t since the last wait was known, a wait above the average takes its
/// place at once, and one below it makes it `average · w + wait · (1 − w)`. A target that turns slow
/// is avoided at once, and trusted again slowly.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    average: Option<Average>,
    /// The last waits, the oldest first; at most [`REMEMBERED`].
    waits: VecDeque<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Average {
    seconds: f64,
    /// When it was true.
    at: Instant,
}

impl Average {
    /// What is left of a weight of 1 at `now`.
    fn weight(self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at);
        (-age.as_secs_f64() / TAU.as_secs_f64()).exp()
    }
}

impl Latency {
    /// A first token came after `wait`, at `now`. A wait that was given up without one may be told
    /// too: it was so long at least.
    pub fn observe(&mut self, wait: Duration, now: Instant) {
        if self.waits.len() >= REMEMBERED {
            self.waits.pop_front();
        }
        self.waits.push_back(wait);
        let seconds = wait.as_secs_f64();
        let known = self.average.map(|average| {
            let weight = average.weight(now);
            Average {
                seconds: seconds.max(average.seconds * weight + seconds * (1.0 - weight)),
                at: average.at.max(now),
            }
        });
        self.average = Some(known.unwrap_or(Average { seconds, at: now }));
    }

    /// The expected wait of one more attempt at `now` beside `in_flight` others:
    /// `average · e^(−t/τ) · (in_flight + 1)`; `None` when nothing is known.
    ///
    /// In silence it falls towards zero, so that a target that was slow once is tried again; the
    /// average itself is not changed by asking.
    pub fn estimate(&self, now: Instant, in_flight: u32) -> Option<Duration> {
        let average = self.average?;
        let alone = average.seconds * average.weight(now);
        let seconds = alone * (f64::from(in_flight) + 1.0);
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// The 95th percentile of the last 128 waits (the nearest rank: a wait that was really seen);
    /// `None` until 20 are known.
    pub fn p95(&self) -> Option<Duration> {
        if self.waits.len() < ENOUGH {
            return None;
        }
        let mut waits: SmallVec<[Duration; REMEMBERED]> = self.waits.iter().copied().collect();
        let rank = (waits.len() * 95).div_ceil(100);
        let (_, wait, _) = waits.select_nth_unstable(rank.saturating_sub(1));
        Some(*wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn assert_near(got: Option<Duration>, seconds: f64) {
        let got = got.unwrap().as_secs_f64();
        assert!((got - seconds).abs() < 1e-6, "{got} s, not {seconds} s");
    }

    fn waited(waits: impl IntoIterator<Item = u64>) -> Latency {
        let (mut latency, now) = (Latency::default(), Instant::now());
        for wait in waits {
            latency.observe(Duration::from_millis(wait), now);
        }
        latency
    }

    #[test]
    fn nothing_is_known_before_the_first_wait() {
        assert_eq!(Latency::default().estimate(Instant::now(), 3), None);
        assert_eq!(Latency::default().p95(), None);
    }

    #[test]
    fn each_attempt_under_way_adds_one_wait() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        latency.observe(SECOND, now);
        assert_eq!(latency.estimate(now, 0), Some(SECOND));
        assert_eq!(latency.estimate(now, 1), Some(2 * SECOND));
        assert_eq!(latency.estimate(now, 4), Some(5 * SECOND));
    }

    #[test]
    fn a_longer_wait_takes_over_at_once() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        latency.observe(SECOND, now);
        latency.observe(3 * SECOND, now + SECOND);
        assert_eq!(latency.estimate(now + SECOND, 0), Some(3 * SECOND));
    }

    #[test]
    fn a_shorter_wait_takes_over_with_the_years() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        latency.observe(SECOND, now);
        latency.observe(SECOND / 5, now);
        assert_eq!(latency.estimate(now, 0), Some(SECOND), "no time went by");

        let later = now + TAU;
        latency.observe(SECOND / 5, later);
        // 1 s / e + 0.2 s (1 - 1 / e)
        assert_near(latency.estimate(later, 0), 0.494_303_6);

        let much_later = later + 30 * TAU;
        latency.observe(SECOND / 5, much_later);
        assert_near(latency.estimate(much_later, 0), 0.2);
    }

    #[test]
    fn in_silence_the_estimate_falls_towards_zero() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        latency.observe(SECOND, now);
        assert_near(latency.estimate(now + TAU, 0), 0.367_879_4);
        assert_near(latency.estimate(now + 2 * TAU, 1), 2.0 * 0.135_335_3);
        assert_near(latency.estimate(now + 100 * TAU, 0), 0.0);
        assert_eq!(
            latency.estimate(now, 0),
            Some(SECOND),
            "asking leaves no trace"
        );
    }

    #[test]
    fn a_wait_that_is_told_late_turns_no_clock_back() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        latency.observe(SECOND, now + TAU);
        latency.observe(SECOND / 2, now);
        assert_eq!(latency.estimate(now, 0), Some(SECOND));
        assert_near(latency.estimate(now + 2 * TAU, 0), 0.367_879_4);
    }

    #[test]
    fn the_slowest_twentieth_shows_from_twenty_waits_on() {
        assert_eq!(waited(1..=19).p95(), None);
        assert_eq!(waited(1..=20).p95(), Some(Duration::from_millis(19)));
        assert_eq!(
            waited((1..=21).rev()).p95(),
            Some(Duration::from_millis(20))
        );
        assert_eq!(waited(1..=100).p95(), Some(Duration::from_millis(95)));
        assert_eq!(
            waited((1..=128).rev()).p95(),
            Some(Duration::from_millis(122))
        );
    }

    #[test]
    fn only_the_last_waits_are_remembered() {
        let latency = waited((0..1000).map(|_| 5000).chain(1..=128));
        assert_eq!(latency.p95(), Some(Duration::from_millis(122)));
        assert_eq!(latency.waits.len(), REMEMBERED);
        // The last of the long ones is still there, and is the longest.
        let latency = waited((0..1000).map(|_| 5000).chain(1..=121));
        assert_eq!(latency.p95(), Some(5 * SECOND));
    }

    #[test]
    fn the_longest_waits_end_at_the_longest_duration() {
        let (mut latency, now) = (Latency::default(), Instant::now());
        latency.observe(Duration::MAX, now);
        assert_eq!(latency.estimate(now, u32::MAX), Some(Duration::MAX));
        assert_eq!(latency.estimate(now, 0), Some(Duration::MAX));
    }

    proptest! {
        /// Between the last wait and the longest, whatever comes; never more with time.
        #[test]
        fn an_estimate_stays_within_the_waits(
            waits in prop::collection::vec((0..100_000_u64, 0..60_000_u64), 1..200),
        ) {
            let (mut latency, start) = (Latency::default(), Instant::now());
            let mut longest = Duration::ZERO;
            let mut now = start;
            for (wait, at) in waits {
                let wait = Duration::from_millis(wait);
                now = start + Duration::from_millis(at);
                longest = longest.max(wait);
                latency.observe(wait, now);
                let estimate = latency.estimate(now, 0);
                prop_assert!(estimate >= Some(wait) && estimate <= Some(longest));
            }
            let mut before = latency.estimate(now, 0);
            for seconds in 1..30 {
                let estimate = latency.estimate(now + Duration::from_secs(seconds), 0);
                prop_assert!(estimate <= before);
                before = estimate;
            }
            prop_assert!(latency.p95() <= Some(longest));
        }
    }
}
