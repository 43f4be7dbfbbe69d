//! A moment by both clocks.

use std::time::{Duration, Instant, SystemTime};

/// A moment by both clocks: short windows go by the one that never jumps, periods of the calendar by
/// the other.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the clock that never jumps.
    pub steady: Instant,
    /// By the calendar.
    pub wall: SystemTime,
}

impl Now {
    /// This moment.
    pub fn read() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// The time since 1970 in UTC; zero before.
    pub(super) fn since_epoch(self) -> Duration {
        let since = self.wall.duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default()
    }
}
