//! The time that is asked for: days, or so long ago.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::account::store::Span;
use crate::units::{Day, millis};

/// A span, and how it is said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) span: Span,
    pub(super) words: String,
}

/// One end of a span.
#[derive(Clone, Copy)]
enum End {
    Day(Day),
    Moment(i64),
}

impl Asked {
    /// Reads both ends; the error is ready for a person to read.
    pub(super) fn parse(since: &str, until: Option<&str>, now: SystemTime) -> Result<Self, String> {
        let first = end(since, now)?;
        let last = match until {
            Some(until) => end(until, now)?,
            None => match first {
                End::Day(_) => End::Day(Day::of(now)),
                End::Moment(_) => End::Moment(millis(now)),
            },
        };
        let span = Span {
            from: match first {
                End::Day(day) => day.begins(),
                End::Moment(at) => at,
            },
            until: match last {
                End::Day(day) => Day(day.0.saturating_add(1)).begins(),
                End::Moment(at) => at,
            },
            is_days: matches!((first, last), (End::Day(_), End::Day(_))),
        };
        if span.from >= span.until {
            return Err(format!(
                "nothing is between {} and {}",
                say(first),
                say(last)
            ));
        }
        let words = match (first, last) {
            (End::Day(first), End::Day(last)) if first == last => say(End::Day(first)),
            _ => format!("{} to {}", say(first), say(last)),
        };
        Ok(Self { span, words })
    }
}

fn say(end: End) -> String {
    match end {
        End::Day(day) => day.to_string(),
        End::Moment(at) => {
            let minute = at.rem_euclid(Day(1).begins()) / 60_000;
            let day = Day(at.div_euclid(Day(1).begins()));
            format!("{day} {:02}:{:02}", minute / 60, minute % 60)
        }
    }
}

fn end(text: &str, now: SystemTime) -> Result<End, String> {
    if let Some(day) = Day::parse(text) {
        return Ok(End::Day(day));
    }
    let ago = |unit: char| -> Option<u64> { text.strip_suffix(unit)?.parse().ok() };
    if let Some(days @ 1..=100_000) = ago('d') {
        let before = i64::try_from(days - 1).unwrap_or(0);
        return Ok(End::Day(Day::of(now).before(before)));
    }
    let minutes = ago('h').map_or_else(|| ago('m'), |hours| hours.checked_mul(60));
    if let Some(minutes @ 1..=100_000_000) = minutes {
        let then = now.checked_sub(Duration::from_secs(minutes * 60));
        return Ok(End::Moment(millis(then.unwrap_or(UNIX_EPOCH))));
    }
    Err(format!(
        "{text:?} is no time: write a day such as 2026-11-01, or how long ago: 7d, 12h, 30m"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22, 14:30.
    fn now() -> SystemTime {
        let minutes = 14 * 60 + 30;
        UNIX_EPOCH + Duration::from_millis(20_779 * 86_400_000 + minutes * 60_000)
    }

    #[test]
    fn a_span_is_whole_days_or_so_long_ago() {
        let day = |number: i64| number * 86_400_000;
        let at = day(20_779) + (14 * 60 + 30) * 60_000;
        for (since, until, from, to, is_days, words) in [
            (
                "7d",
                None,
                day(20_773),
                day(20_780),
                true,
                "2026-11-16 to 2026-11-22",
            ),
            ("1d", None, day(20_779), day(20_780), true, "2026-11-22"),
            (
                "2026-11-01",
                Some("2026-11-20"),
                day(20_758),
                day(20_778),
                true,
                "2026-11-01 to 2026-11-20",
            ),
            (
                "12h",
                None,
                at - 43_200_000,
                at,
                false,
                "2026-11-22 02:30 to 2026-11-22 14:30",
            ),
            (
                "90m",
                Some("30m"),
                at - 5_400_000,
                at - 1_800_000,
                false,
                "2026-11-22 13:00 to 2026-11-22 14:00",
            ),
            (
                "2d",
                Some("1h"),
                day(20_778),
                at - 3_600_000,
                false,
                "2026-11-21 to 2026-11-22 13:30",
            ),
        ] {
            let asked = Asked::parse(since, until, now()).unwrap();
            let span = Span {
                from,
                until: to,
                is_days,
            };
            assert_eq!(
                (asked.span, asked.words.as_str()),
                (span, words),
                "{since} {until:?}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_said() {
        for (since, until) in [
            ("", None),
            ("7", None),
            ("0d", None),
            ("-1d", None),
            ("yesterday", None),
            ("7 d", None),
            ("99999999999999999999d", None),
            ("99999999999999999h", None),
            ("2026-02-30", None),
            ("1d", Some("2d")),
            ("1h", Some("1h")),
            ("2027-01-01", None),
        ] {
            assert!(
                Asked::parse(since, until, now()).is_err(),
                "{since} {until:?}"
            );
        }
    }
}
