//! Moments: a day such as `2027-01-31`, or a time as RFC 3339 writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::cursor::{Cursor, Read};
use super::path::quoted;
use crate::units::Day;

const DAY: i64 = 86_400;

/// Reads the end of something that holds until then: a day is the last on which it does, so what
/// comes back is the midnight after it, in UTC.
pub(super) fn end(cursor: &Cursor<'_>) -> Read<SystemTime> {
    let text = cursor.text()?;
    let seconds = if text.len() == 10 {
        day(text).map(|days| (days + 1) * DAY)
    } else {
        time(text)
    };
    let since = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    match since.and_then(|since| UNIX_EPOCH.checked_add(Duration::from_secs(since))) {
        Some(moment) => Ok(moment),
        None => cursor.fail(format_args!(
            "{} is neither a day such as 2027-01-31 nor a time such as 2027-01-31T18:00:00Z",
            quoted(text)
        )),
    }
}

/// Days since 1970 of `YYYY-MM-DD`, from 1970 on.
fn day(text: &str) -> Option<i64> {
    Day::parse(text).map(|day| day.0).filter(|days| *days >= 0)
}

/// Seconds since 1970 of `YYYY-MM-DDTHH:MM:SS` with `Z` or an offset; parts of a second are cut off.
fn time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let (clock, zone) = rest.split_at_checked(rest.find(['Z', '+', '-'])?)?;
    let clock = match clock.split_once('.') {
        Some((clock, part)) => {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            (digits && !part.is_empty()).then_some(clock)?
        }
        None => clock,
    };
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let within = hour < 24 && minute < 60 && second < 60;
    let local = within.then(|| hour * 3600 + minute * 60 + second)?;
    Some(day(date)? * DAY + local - offset(zone)?)
}

/// Seconds that a zone is before UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = zone.split_at_checked(1)?;
    let [hour, minute] = fields(rest, ':', [2, 2])?;
    let seconds = hour * 3600 + minute * 60;
    match sign {
        _ if hour > 23 || minute > 59 => None,
        "+" => Some(seconds),
        _ => Some(-seconds),
    }
}

/// Numbers of so many digits each, with a mark between them.
fn fields<const N: usize>(text: &str, mark: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut fields = [0; N];
    let mut parts = text.split(mark);
    for (field, width) in fields.iter_mut().zip(widths) {
        let part = parts.next()?;
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        *field = (digits && part.len() == width)
            .then(|| part.parse().ok())
            .flatten()?;
    }
    parts.next().is_none().then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Timestamp;

    #[test]
    fn a_day_is_counted_from_1970() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1970-03-01", 59),
            ("2000-02-29", 11_016),
            ("2027-01-31", 20_849),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(day(text), Some(days), "{text}");
        }
        for text in [
            "",
            "2027-02-29",
            "2100-02-29",
            "2027-04-31",
            "2027-00-01",
            "2027-13-01",
            "2027-01-00",
            "2027-1-1",
            "1969-12-31",
            "2027/01/31",
            "2027-01-31-",
            "+027-01-01",
            "２０２７-01-01",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_is_the_one_after_the_day_before() {
        let mut days = 0;
        for year in 1970..2110 {
            for (month, most) in (1..=12).map(|month| (month, 31)) {
                for date in 1..=most {
                    let text = format!("{year}-{month:02}-{date:02}");
                    let Some(found) = day(&text) else { continue };
                    assert_eq!(found, days, "{text}");
                    let shown = Timestamp::of_unix(days * DAY).to_string();
                    assert!(shown.starts_with(&text), "{shown} {text}");
                    days += 1;
                }
            }
        }
    }

    #[test]
    fn a_time_has_its_zone() {
        let noon = 20_849 * DAY + 12 * 3600;
        for text in [
            "2027-01-31T12:00:00Z",
            "2027-01-31T12:00:00.999Z",
            "2027-01-31T13:00:00+01:00",
            "2027-01-31T06:30:00-05:30",
            "2027-02-01T01:00:00+13:00",
        ] {
            assert_eq!(time(text), Some(noon), "{text}");
        }
        for text in [
            "2027-01-31T12:00:00",
            "2027-01-31 12:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T12:60:00Z",
            "2027-01-31T12:00:60Z",
            "2027-01-31T12:00Z",
            "2027-01-31T12:00:00.Z",
            "2027-01-31T12:00:00z",
            "2027-01-31T12:00:00+1:00",
            "2027-01-31T12:00:00+24:00",
            "2027-01-31T12:00:00ZZ",
            "T12:00:00Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
