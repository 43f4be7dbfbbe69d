//! The last sixty minutes of something, a slot a minute.

use std::time::Duration;

use crate::telemetry::history::reasons::NAMES;
use crate::telemetry::history::sketch::Sketch;
use crate::telemetry::record::Outcome;
use crate::units::MicroUsd;

/// Minutes that are kept.
pub(super) const MINUTES: usize = 60;

/// What happened within one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Exchanges by outcome, in the order of [`Outcome::ALL`].
    pub(super) outcomes: [u32; Outcome::ALL.len()],
    /// Exchanges that asked a target.
    pub(super) asked: u32,
    /// Exchanges that another target answered than the first that was asked.
    pub(super) fallbacks: u32,
    /// What ended attempts, and exchanges that made none, by the numbers of their names.
    pub(super) errors: [u32; NAMES],
    pub(super) first_token: Sketch,
    pub(super) held: Sketch,
    /// What answers cost that clients got.
    pub(super) delivered: MicroUsd,
    /// What attempts cost that were thrown away.
    pub(super) wasted: MicroUsd,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            outcomes: [0; Outcome::ALL.len()],
            asked: 0,
            fallbacks: 0,
            errors: [0; NAMES],
            first_token: Sketch::default(),
            held: Sketch::default(),
            delivered: MicroUsd(0),
            wasted: MicroUsd(0),
        }
    }
}

impl Slot {
    pub(super) fn merge(&mut self, other: &Self) {
        let outcomes = self.outcomes.iter_mut().zip(&other.outcomes);
        for (count, more) in outcomes.chain(self.errors.iter_mut().zip(&other.errors)) {
            *count = count.saturating_add(*more);
        }
        self.asked = self.asked.saturating_add(other.asked);
        self.fallbacks = self.fallbacks.saturating_add(other.fallbacks);
        self.first_token.merge(&other.first_token);
        self.held.merge(&other.held);
        self.delivered = MicroUsd(self.delivered.0.saturating_add(other.delivered.0));
        self.wasted = MicroUsd(self.wasted.0.saturating_add(other.wasted.0));
    }

    /// Exchanges of that outcome.
    pub(super) fn of(&self, outcome: Outcome) -> u32 {
        let outcomes = Outcome::ALL.iter().zip(&self.outcomes);
        let mut found = outcomes.filter(|(one, _)| **one == outcome);
        found.next().map_or(0, |(_, count)| *count)
    }

    /// Exchanges of any outcome.
    pub(super) fn exchanges(&self) -> u64 {
        self.outcomes.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Sixty slots, of which the newest is that of `minute`.
#[derive(Clone, Debug)]
pub(super) struct Hour {
    minute: u64,
    slots: Box<[Slot]>,
}

impl Default for Hour {
    fn default() -> Self {
        Self {
            minute: 0,
            slots: vec![Slot::default(); MINUTES].into_boxed_slice(),
        }
    }
}

impl Hour {
    /// The slot for what happens at `now`. Who comes late, or with a clock that went back, counts
    /// in the newest minute.
    pub(super) fn at(&mut self, now: Duration) -> Option<&mut Slot> {
        self.roll(now);
        let place = place(self.minute);
        self.slots.get_mut(place)
    }

    /// Clears the slots of the minutes that have begun since.
    pub(super) fn roll(&mut self, now: Duration) {
        let minute = now.as_secs() / 60;
        let gone = minute.saturating_sub(self.minute);
        for step in 1..=gone.min(MINUTES as u64) {
            if let Some(slot) = self.slots.get_mut(place(self.minute + step)) {
                *slot = Slot::default();
            }
        }
        self.minute = self.minute.max(minute);
    }

    /// Its slots, oldest first; the last is the minute that runs.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let oldest = place(self.minute + 1);
        let (newer, older) = self.slots.split_at_checked(oldest).unwrap_or_default();
        older.iter().chain(newer)
    }
}

fn place(minute: u64) -> usize {
    usize::try_from(minute % MINUTES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(hour: &Hour) -> Vec<u32> {
        hour.slots().map(|slot| slot.asked).collect()
    }

    fn ask(hour: &mut Hour, seconds: u64) {
        hour.at(Duration::from_secs(seconds)).unwrap().asked += 1;
    }

    #[test]
    fn minutes_roll_over_and_the_sixty_first_forgets_the_first() {
        let mut hour = Hour::default();
        for seconds in [0, 59, 60, 59 * 60] {
            ask(&mut hour, seconds);
        }
        let told = asked(&hour);
        assert_eq!((told[0], told[1], told[59]), (2, 1, 1));
        ask(&mut hour, 60 * 60);
        let told = asked(&hour);
        assert_eq!((told[0], told[58], told[59]), (1, 1, 1));
        hour.roll(Duration::from_secs(1_000_000));
        assert_eq!(asked(&hour), [0; MINUTES]);
    }

    #[test]
    fn a_clock_that_goes_back_counts_in_the_newest_minute() {
        let mut hour = Hour::default();
        ask(&mut hour, 7200);
        ask(&mut hour, 10);
        let mut expected = [0; MINUTES];
        expected[59] = 2;
        assert_eq!(asked(&hour), expected);
    }

    proptest! {
        #[test]
        fn it_has_what_a_list_of_everything_would_have(
            steps in proptest::collection::vec(0_u64..400, 1..200),
            quiet in 0_u64..8000,
        ) {
            let mut hour = Hour::default();
            let mut now = 0;
            let mut all = Vec::new();
            for step in steps {
                now += step;
                ask(&mut hour, now);
                all.push(now / 60);
            }
            hour.roll(Duration::from_secs(now + quiet));
            let last = (now + quiet) / 60;
            let expected: Vec<u32> = (0..60)
                .map(|place| all.iter().filter(|minute| **minute + 59 == last + place).count())
                .map(|count| u32::try_from(count).unwrap())
                .collect();
            prop_assert_eq!(asked(&hour), expected);
        }
    }
}
