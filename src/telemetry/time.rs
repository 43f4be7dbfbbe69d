//! A moment, written as RFC 3339 in UTC with milliseconds.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::units::Day;

const SECONDS_OF_DAY: u64 = 86_400;

/// A moment; `Display` writes `2026-08-20T07:05:03.042Z`. A clock before 1970 shows as 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub SystemTime);

impl Timestamp {
    /// Now.
    pub fn now() -> Self {
        Self(SystemTime::now())
    }

    /// The same to the second, rounded up: `2026-08-20T07:05:04Z`.
    pub fn to_second(self) -> String {
        let up = Duration::from_nanos(999_999_999);
        let text = Self(self.0.checked_add(up).unwrap_or(self.0)).to_string();
        let second = text
            .split_once('.')
            .map_or(text.as_str(), |(second, _)| second);
        format!("{second}Z")
    }

    /// A moment given in seconds since 1970; one before 1970 counts as 1970.
    pub fn of_unix(seconds: i64) -> Self {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        Self(
            UNIX_EPOCH
                .checked_add(Duration::from_secs(seconds))
                .unwrap_or(UNIX_EPOCH),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = since.as_secs() % SECONDS_OF_DAY;
        write!(
            out,
            "{}T{:02}:{:02}:{:02}.{:03}Z",
            Day::of(self.0),
            second / 3600,
            second / 60 % 60,
            second % 60,
            since.subsec_millis()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339_in_utc() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_001, "2024-02-29T23:59:59.001Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59.000Z"),
            (1_787_209_503_042, "2026-08-20T07:05:03.042Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            let moment = Timestamp(UNIX_EPOCH + Duration::from_millis(millis));
            assert_eq!(moment.to_string(), expected, "{millis}");
        }
    }

    #[test]
    fn a_second_is_rounded_up() {
        for (millis, expected) in [
            (1_787_209_503_000, "2026-08-20T07:05:03Z"),
            (1_787_209_503_001, "2026-08-20T07:05:04Z"),
        ] {
            let moment = Timestamp(UNIX_EPOCH + Duration::from_millis(millis));
            assert_eq!(moment.to_second(), expected, "{millis}");
        }
    }

    #[test]
    fn a_moment_out_of_range_shows_as_1970() {
        let before = Timestamp(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(before.to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Timestamp::of_unix(-5).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::of_unix(86_400).to_string(),
            "1970-01-02T00:00:00.000Z"
        );
    }
}
