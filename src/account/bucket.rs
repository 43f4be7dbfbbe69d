//! What was taken of a minute's worth: requests and tokens per minute.
//!
//! Pure: time and limit come as arguments, so a limit may change under way, and what was taken is
//! kept. Integers only: a limit of one a minute gives back one part each microsecond.

use std::time::{Duration, Instant};

/// Parts of one.
const PART: u128 = 60_000_000;
/// After so long nothing is left of what was taken: a minute's worth, and a minute's debt.
const IDLE: Duration = Duration::from_mins(2);

/// What was taken of a minute's worth, and not given back by time.
///
/// A minute's worth may be taken at once. In any stretch of time no more is taken than that, the
/// limit for the time, and what was given back by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// In parts.
    taken: u128,
    /// Until when time has given back.
    paid: Option<Instant>,
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The limit, for a minute.
    pub limit: u64,
    /// What may be taken now.
    pub remaining: u64,
    /// The time until all of it may be taken.
    pub reset: Duration,
}

impl Bucket {
    /// How long to wait until `count` may be taken: zero if now, `None` if never.
    pub fn wait(&self, limit: u64, count: u64, now: Instant) -> Option<Duration> {
        if count == 0 {
            return Some(Duration::ZERO);
        }
        let room = parts(limit.checked_sub(count)?);
        let over = self.at(limit, now).taken.saturating_sub(room);
        Some(time(over, limit))
    }

    /// Takes `count`, whether it fits or not; a debt grows to a minute's worth at most.
    pub fn take(&mut self, limit: u64, count: u64, now: Instant) {
        *self = self.at(limit, now);
        let most = (parts(limit) * 2).max(self.taken);
        self.taken = (self.taken + parts(count)).min(most);
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&mut self, count: u64) {
        self.taken = self.taken.saturating_sub(parts(count));
    }

    /// Puts what was really used, `used`, in the place of what was taken for it, `taken`.
    pub fn settle(&mut self, limit: u64, taken: u64, used: u64, now: Instant) {
        match used.checked_sub(taken) {
            Some(over) => self.take(limit, over, now),
            None => self.give_back(taken - used),
        }
    }

    /// What is left.
    pub fn room(&self, limit: u64, now: Instant) -> Window {
        let taken = self.at(limit, now).taken;
        let left = parts(limit).saturating_sub(taken) / PART;
        Window {
            limit,
            remaining: u64::try_from(left).unwrap_or(u64::MAX),
            reset: time(taken, limit),
        }
    }

    /// Whether it is like a new one.
    pub fn is_fresh(&self, now: Instant) -> bool {
        let old = |paid| now.saturating_duration_since(paid) >= IDLE;
        self.taken == 0 || self.paid.is_none_or(old)
    }

    /// What was taken of it, in parts, and the time since: for a successor.
    pub fn handed(&self, now: Instant) -> (u128, Duration) {
        let paid = self.paid.unwrap_or(now);
        (self.taken, now.saturating_duration_since(paid))
    }

    /// The bucket of a predecessor.
    pub fn inherited((taken, since): (u128, Duration), now: Instant) -> Self {
        Self {
            taken,
            paid: now.checked_sub(since),
        }
    }

    /// How it stands once time has given back until `now`. A `now` before the last is taken for it.
    fn at(&self, limit: u64, now: Instant) -> Self {
        let paid = self.paid.unwrap_or(now);
        // Whole microseconds only: what is left of one is given back with the next.
        let micros = now.saturating_duration_since(paid).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        let given = u128::from(limit) * u128::from(micros);
        Self {
            taken: self.taken.saturating_sub(given),
            paid: paid.checked_add(Duration::from_micros(micros)),
        }
    }
}

fn parts(count: u64) -> u128 {
    u128::from(count) * PART
}

/// The time in which a limit gives back so many parts.
fn time(parts: u128, limit: u64) -> Duration {
    if parts == 0 {
        return Duration::ZERO;
    }
    let micros = match limit {
        0 => u128::MAX,
        limit => parts.div_ceil(u128::from(limit)),
    };
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn full(limit: u64, now: Instant) -> Bucket {
        let mut bucket = Bucket::default();
        bucket.take(limit, limit, now);
        bucket
    }

    #[test]
    fn a_minutes_worth_may_be_taken_at_once_and_not_one_more() {
        let now = Instant::now();
        for limit in [1, 7, 60, 1_000_000, u64::MAX] {
            let mut bucket = Bucket::default();
            assert_eq!(bucket.wait(limit, limit, now), Some(Duration::ZERO));
            bucket.take(limit, limit - 1, now);
            assert_eq!(bucket.wait(limit, 1, now), Some(Duration::ZERO));
            bucket.take(limit, 1, now);
            assert_ne!(bucket.wait(limit, 1, now), Some(Duration::ZERO), "{limit}");
            assert_eq!(bucket.wait(limit, 0, now), Some(Duration::ZERO));
        }
    }

    #[test]
    fn more_than_a_minutes_worth_never_fits() {
        let now = Instant::now();
        let bucket = Bucket::default();
        for (limit, count) in [(0, 1), (10, 11), (10, u64::MAX)] {
            assert_eq!(bucket.wait(limit, count, now), None);
        }
        assert_eq!(bucket.wait(0, 0, now), Some(Duration::ZERO));
    }

    #[test]
    fn after_the_wait_it_fits_and_just_before_it_does_not() {
        let start = Instant::now();
        for (limit, count, wait) in [
            (60, 1, 1_000_000),
            (60, 60, 60_000_000),
            (7, 1, 8_571_429),
            (1, 1, 60_000_000),
            (90_000, 1, 667),
        ] {
            let bucket = full(limit, start);
            let wait = Duration::from_micros(wait);
            assert_eq!(bucket.wait(limit, count, start), Some(wait), "{limit}");
            let then = start + wait;
            assert_eq!(bucket.wait(limit, count, then), Some(Duration::ZERO));
            let early = then.checked_sub(Duration::from_micros(1)).unwrap();
            assert_eq!(
                bucket.wait(limit, count, early),
                Some(Duration::from_micros(1))
            );
        }
    }

    #[test]
    fn no_fraction_of_a_microsecond_is_lost() {
        let start = Instant::now();
        let mut bucket = full(6000, start);
        let (mut now, mut taken) = (start, 0);
        // A hundred a second, looked at every 1.0001 ms.
        for _ in 0..10_000 {
            now += Duration::from_nanos(1_000_100);
            while bucket.wait(6000, 1, now) == Some(Duration::ZERO) {
                bucket.take(6000, 1, now);
                taken += 1;
            }
        }
        assert_eq!(taken, 1000, "in 10.001 seconds");
    }

    #[test]
    fn a_debt_is_a_minutes_worth_at_most() {
        let now = Instant::now();
        let mut bucket = Bucket::default();
        bucket.take(60, u64::MAX, now);
        assert_eq!(bucket.wait(60, 1, now), Some(61 * SECOND));
        assert_eq!(bucket.room(60, now).remaining, 0);
        assert_eq!(bucket.room(60, now).reset, 120 * SECOND);
        bucket.take(60, 1, now);
        assert_eq!(bucket.room(60, now).reset, 120 * SECOND);
    }

    #[test]
    fn what_was_really_used_takes_the_place_of_what_was_set_aside() {
        let now = Instant::now();
        for (used, remaining) in [(0, 100), (30, 70), (40, 60), (55, 45), (100, 0), (130, 0)] {
            let mut bucket = Bucket::default();
            bucket.take(100, 40, now);
            bucket.settle(100, 40, used, now);
            assert_eq!(bucket.room(100, now).remaining, remaining, "{used}");
        }
        let mut bucket = Bucket::default();
        bucket.take(100, 40, now);
        bucket.settle(100, 40, 130, now);
        assert_eq!(bucket.room(100, now).reset, 78 * SECOND, "30 of debt");
    }

    #[test]
    fn giving_back_never_makes_room_for_more_than_the_limit() {
        let now = Instant::now();
        let mut bucket = Bucket::default();
        bucket.take(100, 40, now);
        bucket.give_back(41);
        assert_eq!(bucket.room(100, now).remaining, 100);
        assert_eq!(bucket.room(100, now).reset, Duration::ZERO);
    }

    #[test]
    fn another_limit_keeps_what_was_taken() {
        let now = Instant::now();
        let bucket = full(100, now);
        assert_eq!(bucket.room(250, now).remaining, 150);
        assert_eq!(bucket.room(60, now).remaining, 0);
        assert_eq!(bucket.wait(60, 1, now), Some(41 * SECOND));
        assert_eq!(bucket.wait(50, 1, now + 60 * SECOND), Some(SECOND * 6 / 5));
        assert_eq!(bucket.room(0, now).reset.as_micros(), u128::from(u64::MAX));
    }

    #[test]
    fn a_clock_that_goes_back_neither_gives_nor_takes() {
        let before = Instant::now();
        let start = before + 50 * SECOND;
        let mut bucket = full(60, start);
        assert_eq!(bucket.wait(60, 1, before), Some(SECOND));
        bucket.take(60, 0, before);
        assert_eq!(bucket.wait(60, 1, start), Some(SECOND));
        assert_eq!(bucket.wait(60, 1, start + SECOND), Some(Duration::ZERO));
    }

    #[test]
    fn it_is_fresh_when_nothing_is_left_of_the_worst() {
        let now = Instant::now();
        let mut bucket = Bucket::default();
        assert!(bucket.is_fresh(now));
        bucket.take(7, u64::MAX, now);
        assert!(!bucket.is_fresh(now));
        let last = now + Duration::from_micros(119_999_999);
        assert!(!bucket.is_fresh(last) && bucket.is_fresh(now + IDLE));
        assert_eq!(bucket.room(7, now + IDLE).remaining, 7);
        bucket.give_back(14);
        assert!(bucket.is_fresh(now));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take(u64),
        Settle(usize, u64),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..40_u64).prop_map(Step::Take),
            (any::<usize>(), 0..60_u64).prop_map(|(which, used)| Step::Settle(which, used)),
            (0..40_000_000_u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Held against fractions of a jug that fills as time passes.
        #[test]
        fn no_more_is_used_than_a_minutes_worth_the_time_and_overruns(
            limit in 1..100_u64, steps in proptest::collection::vec(step(), 0..200),
        ) {
            let start = Instant::now();
            let (mut now, mut bucket) = (start, Bucket::default());
            let (mut open, mut used, mut overrun) = (Vec::new(), 0, 0);
            for step in steps {
                match step {
                    Step::Take(count) => {
                        let fits = bucket.wait(limit, count, now) == Some(Duration::ZERO);
                        let room = bucket.room(limit, now);
                        prop_assert_eq!(fits, count <= room.remaining);
                        if fits {
                            bucket.take(limit, count, now);
                            open.push(count);
                        }
                    }
                    Step::Settle(which, real) if !open.is_empty() => {
                        let taken = open.swap_remove(which % open.len());
                        bucket.settle(limit, taken, real, now);
                        used += real;
                        overrun += real.saturating_sub(taken);
                    }
                    Step::Settle(..) => {}
                    Step::Wait(micros) => now += Duration::from_micros(micros),
                }
                let micros = u64::try_from((now - start).as_micros()).unwrap();
                let income = limit * 60_000_000 + limit * micros;
                prop_assert!((used - overrun) * 60_000_000 <= income);
                let room = bucket.room(limit, now);
                prop_assert!(room.remaining <= limit);
                prop_assert_eq!(bucket.room(limit, now + room.reset).remaining, limit);
                let all = bucket.wait(limit, limit, now);
                prop_assert_eq!(all, Some(room.reset));
            }
        }
    }
}
