//! A moment by both clocks.

use std::time::{Instant, SystemTime};

use crate::units::Day;

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

    /// The day of the calendar that it is in.
    pub(super) fn day(self) -> Day {
        Day::of(self.wall)
    }
}
