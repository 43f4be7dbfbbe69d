//! A day of the UTC calendar, which has no summer time, as a number and as text.
//!
//! Leap seconds are those of the system's clock, that is none.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS: u64 = 86_400;

/// A day of UTC, counted from 1970-01-01; `Display` writes `2026-08-20` (ISO 8601).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day of a moment; the first one for all moments before it.
    pub fn of(moment: SystemTime) -> Self {
        Self((since_epoch(moment).as_secs() / SECONDS).cast_signed())
    }

    /// Reads `2026-08-20`; `None` for anything else, or a day that no calendar has.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let mut part = |digits: usize| -> Option<i64> {
            let part = parts.next()?;
            let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().ok()).flatten()
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let parsed = Self(days_from_civil(year, month, day));
        ((1..=12).contains(&month) && parsed.date() == (year, month, day)).then_some(parsed)
    }

    /// When it begins, in milliseconds since 1970.
    pub fn begins(self) -> i64 {
        self.0.saturating_mul(SECONDS.cast_signed() * 1_000)
    }

    /// The time from a moment to its beginning; zero if it has begun.
    pub fn begins_in(self, moment: SystemTime) -> Duration {
        let begins = self.0.max(0).cast_unsigned().saturating_mul(SECONDS);
        Duration::from_secs(begins).saturating_sub(since_epoch(moment))
    }

    /// The day so many days before.
    #[must_use]
    pub fn before(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Year, month and day of the month (Howard Hinnant, "chrono-compatible low-level date
    /// algorithms", `civil_from_days`).
    pub fn date(self) -> (i64, i64, i64) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        (year_of_era + era * 400 + i64::from(month <= 2), month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(out, "{year:04}-{month:02}-{day:02}")
    }
}

/// The same source, `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Milliseconds since 1970; a clock before that counts as 1970.
pub fn millis(moment: SystemTime) -> i64 {
    i64::try_from(since_epoch(moment).as_millis()).unwrap_or(i64::MAX)
}

fn since_epoch(moment: SystemTime) -> Duration {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(since: Duration) -> SystemTime {
        UNIX_EPOCH + since
    }

    fn seconds(since: u64) -> SystemTime {
        at(Duration::from_secs(since))
    }

    #[test]
    fn days_are_numbers_and_text_both_ways() {
        for (number, text) in [
            (0, "1970-01-01"),
            (11_015, "2000-02-28"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_453, "2025-12-31"),
            (20_779, "2026-11-22"),
        ] {
            assert_eq!(Day(number).to_string(), text);
            assert_eq!(Day::parse(text), Some(Day(number)), "{text}");
        }
        for day in 0..60_000 {
            assert_eq!(Day::parse(&Day(day).to_string()), Some(Day(day)), "{day}");
        }
    }

    #[test]
    fn what_no_calendar_has_is_no_day() {
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "26-01-01",
            "2026-01-01 ",
            "2026-01-01-",
            "+026-01-01",
            "2026-01-32",
            "2025-02-29",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_ends_with_its_last_millisecond() {
        let midnight = UNIX_EPOCH + Duration::from_hours(24);
        assert_eq!(Day::of(midnight), Day(1));
        assert_eq!(Day::of(midnight - Duration::from_millis(1)), Day(0));
        assert_eq!(Day::of(UNIX_EPOCH - Duration::from_secs(1)), Day(0));
    }

    #[test]
    fn a_day_begins_at_midnight_and_not_a_nanosecond_before() {
        let day = 1_767_225_600;
        assert_eq!(Day::of(seconds(day)).to_string(), "2026-01-01");
        let before = at(Duration::new(day - 1, 999_999_999));
        assert_eq!(Day::of(before).to_string(), "2025-12-31");
        assert_eq!(Day::of(seconds(day)).begins_in(before).as_nanos(), 1);
        assert_eq!(Day::of(seconds(day)).begins_in(seconds(day)).as_nanos(), 0);
        let next = Day(Day::of(seconds(day)).0 + 1);
        assert_eq!(next.begins_in(seconds(day + 86_399)).as_secs(), 1);
    }
}
