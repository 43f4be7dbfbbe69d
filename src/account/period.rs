//! Days, weeks and months of the UTC calendar: when they begin and end. Pure.

use crate::units::Day;

/// A period of the UTC calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// From midnight.
    Day,
    /// From midnight before Monday (ISO 8601).
    Week,
    /// From midnight before the first.
    Month,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The name in config, store and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// The first day of the one that a day is in.
    pub fn start(self, day: Day) -> Day {
        let before = match self {
            Self::Day => 0,
            // The first of January 1970 was a Thursday.
            Self::Week => (day.0 + 3).rem_euclid(7),
            Self::Month => day.date().2 - 1,
        };
        Day(day.0 - before)
    }

    /// The first day after the one that a day is in.
    pub fn end(self, day: Day) -> Day {
        let Day(start) = self.start(day);
        match self {
            Self::Day => Day(start + 1),
            Self::Week => Day(start + 7),
            // The 29th to 32nd day after the first of any month is in the next.
            Self::Month => Self::Month.start(Day(start + 31)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn periods_begin_and_end_where_the_calendar_says() {
        // The day, the first ones of its week and month, and those of the next.
        for (day, expected) in [
            (0, "1970-01-01 1969-12-29 1970-01-01 1970-01-05 1970-02-01"),
            (4, "1970-01-05 1970-01-05 1970-01-01 1970-01-12 1970-02-01"),
            (58, "1970-02-28 1970-02-23 1970-02-01 1970-03-02 1970-03-01"),
            (
                11_016,
                "2000-02-29 2000-02-28 2000-02-01 2000-03-06 2000-03-01",
            ),
            (
                19_782,
                "2024-02-29 2024-02-26 2024-02-01 2024-03-04 2024-03-01",
            ),
            (
                20_088,
                "2024-12-31 2024-12-30 2024-12-01 2025-01-06 2025-01-01",
            ),
            (
                20_513,
                "2026-03-01 2026-02-23 2026-03-01 2026-03-02 2026-04-01",
            ),
            (
                47_540,
                "2100-02-28 2100-02-22 2100-02-01 2100-03-01 2100-03-01",
            ),
        ] {
            let day = Day(day);
            let found = [
                day,
                Period::Week.start(day),
                Period::Month.start(day),
                Period::Week.end(day),
                Period::Month.end(day),
            ];
            let found = found.map(|day| day.to_string());
            assert_eq!(found.join(" "), expected);
            assert_eq!(Period::Day.start(day), day);
            assert_eq!(Period::Day.end(day), Day(day.0 + 1));
        }
    }

    #[test]
    fn moments_that_no_clock_should_show_have_a_day_too() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Day::of(before), Day(0));
        assert_eq!(Day(0).begins_in(before), Duration::ZERO);
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::MAX >> 1);
        for period in Period::ALL {
            assert!(period.end(Day::of(last)).begins_in(last) > Duration::ZERO);
        }
        assert_eq!(Day(-3).begins_in(before), Duration::ZERO);
    }

    /// The calendar as people learn it: day after day, with the lengths of the months.
    #[test]
    fn five_centuries_are_counted_day_by_day() {
        let (mut year, mut month, mut date) = (1970, 1, 1);
        let (mut monday, mut first) = (-3, 0);
        for day in 0..200_000 {
            if (day + 3) % 7 == 0 {
                monday = day;
            }
            if date == 1 {
                first = day;
            }
            assert_eq!(Day(day).date(), (year, month, date));
            assert_eq!(Period::Week.start(Day(day)), Day(monday), "{}", Day(day));
            assert_eq!(Period::Month.start(Day(day)), Day(first), "{}", Day(day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date += 1;
            if date > length {
                (month, date) = (month + 1, 1);
                assert_eq!(Period::Month.end(Day(day)), Day(day + 1));
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert!(year > 2500);
    }

    proptest! {
        #[test]
        fn a_period_has_each_of_its_days_and_the_next_follows_it(day in 0..10_000_000_i64) {
            for period in Period::ALL {
                let (start, end) = (period.start(Day(day)), period.end(Day(day)));
                prop_assert!(start <= Day(day) && Day(day) < end);
                prop_assert_eq!(period.start(start), start);
                prop_assert_eq!(period.start(end), end);
                prop_assert_eq!(period.end(start), end);
                prop_assert_eq!(period.start(Day(end.0 - 1)), start);
            }
        }
    }
}
