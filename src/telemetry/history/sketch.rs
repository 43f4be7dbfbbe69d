//! How long things took, in few numbers: a histogram whose steps grow with the times.

use std::time::Duration;

/// Steps in which a time doubles.
const STEPS: u32 = 4;

/// The shortest time told apart, in microseconds.
const SHORTEST: u64 = 1000;

/// Doublings from it to the longest, 131 seconds.
const DOUBLINGS: u32 = 17;

const BUCKETS: usize = (STEPS * DOUBLINGS) as usize;

/// Times that were seen. What it says of them is off by an eighth at most, within its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sketch {
    counts: [u32; BUCKETS],
}

impl Default for Sketch {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
        }
    }
}

impl Sketch {
    pub(super) fn add(&mut self, time: Duration) {
        if let Some(count) = self.counts.get_mut(bucket(time)) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The time within which `percent` of a hundred of those seen were; `None` if none was seen.
    pub(super) fn quantile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut below = 0;
        for (place, count) in self.counts.iter().enumerate() {
            below += u64::from(*count);
            if below >= rank {
                return Some(middle(place));
            }
        }
        None
    }
}

/// Where a time counts: those out of range count at its ends.
fn bucket(time: Duration) -> usize {
    let longest = SHORTEST << DOUBLINGS;
    let millionths = u64::try_from(time.as_micros()).map_or(longest, |time| time.min(longest));
    let Some(octave) = (millionths / SHORTEST).checked_ilog2() else {
        return 0;
    };
    let floor = SHORTEST << octave;
    let step = (millionths - floor) * u64::from(STEPS) / floor;
    let place = u64::from(octave * STEPS) + step;
    usize::try_from(place).map_or(BUCKETS - 1, |place| place.min(BUCKETS - 1))
}

fn middle(place: usize) -> Duration {
    let place = u32::try_from(place).unwrap_or(0);
    let (octave, step) = (place / STEPS, place % STEPS);
    let floor = SHORTEST << octave.min(DOUBLINGS);
    let halves = u64::from(2 * step + 1);
    Duration::from_micros(floor + floor * halves / u64::from(2 * STEPS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_seen_says_nothing() {
        assert_eq!(Sketch::default().quantile(50), None);
    }

    #[test]
    fn times_out_of_range_count_at_its_ends() {
        for time in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
            let mut sketch = Sketch::default();
            sketch.add(time);
            assert_eq!(sketch.count(), 1, "{time:?}");
            assert!(sketch.quantile(95).is_some(), "{time:?}");
        }
    }

    proptest! {
        #[test]
        fn a_quantile_is_off_by_an_eighth_at_most(
            mut millis in proptest::collection::vec(1_u64..130_000, 1..200),
            percent in 1_u64..=100,
        ) {
            let (mut one, mut other) = (Sketch::default(), Sketch::default());
            for (place, time) in millis.iter().enumerate() {
                let half = if place % 2 == 0 { &mut one } else { &mut other };
                half.add(Duration::from_millis(*time));
            }
            one.merge(&other);
            millis.sort_unstable();
            let rank = (millis.len() as u64 * percent).div_ceil(100);
            let truth = Duration::from_millis(millis[usize::try_from(rank).unwrap() - 1]).as_secs_f64();
            let told = one.quantile(percent).unwrap().as_secs_f64();
            prop_assert!((told - truth).abs() <= truth / 8.0 + 1e-6, "{told} of {truth}");
        }
    }
}
