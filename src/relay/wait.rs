//! How long a provider asks to be left alone, wherever it says so.
//!
//! Pure. The first source that makes sense counts; rubbish, the past and what is no number are as
//! good as none. What is told is not yet obeyed: patience, cool-downs and the line between a rate
//! and a quota are drawn in `verdict`.

use std::time::{Duration, SystemTime};

use crate::exchange::Failure;

/// The longest wait that is told, about a month: whoever asks for more means the same.
pub(super) const LONGEST: Duration = Duration::from_hours(31 * 24);

/// The limits whose resets `OpenAI` and its like tell.
const LIMITS: [[&str; 2]; 2] = [
    [
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ],
    ["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
];

/// The limits whose resets Anthropic tells.
const DATED_LIMITS: [[&str; 2]; 4] = [
    [
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
    [
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ],
    [
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ],
];

/// What stands before a delay in a message, lower case.
const PHRASES: [&str; 4] = [
    "try again in ",
    "retry after ",
    "retry in ",
    "try again after ",
];

/// The units of a delay: those of Go's durations, and words.
const UNITS: [(&[&str], f64); 7] = [
    (&["ns", "nanosecond", "nanoseconds"], 1e-9),
    (&["us", "µs", "μs", "microsecond", "microseconds"], 1e-6),
    (&["ms", "millisecond", "milliseconds"], 1e-3),
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hour", "hours"], 3_600.0),
    (&["d", "day", "days"], 86_400.0),
];

/// The delay that an answer's headers or its error ask for, at most [`LONGEST`]. `header` gives a
/// header by its lower-case name; `now` stands in for a `date` that the provider does not send, for
/// a reset lies in the future of its clock, not of ours.
pub(super) fn wait<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    failure: &Failure,
    now: SystemTime,
) -> Option<Duration> {
    let now = header("date").and_then(http_date).unwrap_or(now);
    let retry_after = header("retry-after");
    let of = |name: &str, unit: f64| header(name).and_then(|text| number(text, unit));
    of("retry-after-ms", 1e-3)
        .or_else(|| number(retry_after?, 1.0))
        .or_else(|| until(http_date(retry_after?)?, now))
        .or_else(|| of("x-amz-retry-after", 1e-3))
        .or_else(|| in_details(failure))
        .or_else(|| latest(&LIMITS, &header, reset))
        .or_else(|| latest(&DATED_LIMITS, &header, |text| until(rfc_3339(text)?, now)))
        .or_else(|| in_message(failure))
}

/// The delay that an error asks for without any header: inside a stream there is none.
pub(super) fn in_words(failure: &Failure) -> Option<Duration> {
    in_details(failure).or_else(|| in_message(failure))
}

fn in_details(failure: &Failure) -> Option<Duration> {
    whole_duration(failure.retry_delay.as_deref()?)
}

fn in_message(failure: &Failure) -> Option<Duration> {
    let message = failure.message.as_deref()?.to_ascii_lowercase();
    PHRASES.iter().find_map(|phrase| {
        let mut places = message.match_indices(phrase);
        places.find_map(|(at, _)| {
            let (_, behind) = message.split_at_checked(at + phrase.len())?;
            Some(duration(behind)?.0)
        })
    })
}

/// The last of the resets of those limits of which nothing is left.
fn latest<'a, const N: usize>(
    limits: &[[&str; 2]; N],
    header: impl Fn(&str) -> Option<&'a str>,
    reset: impl Fn(&'a str) -> Option<Duration>,
) -> Option<Duration> {
    let resets = limits.iter().filter_map(|[remaining, name]| {
        let left: u64 = header(remaining)?.trim().parse().ok()?;
        if left == 0 {
            reset(header(name)?)
        } else {
            None
        }
    });
    resets.max()
}

/// A duration, or seconds. Larger numbers are moments of an epoch that nobody names.
fn reset(text: &str) -> Option<Duration> {
    whole_duration(text).or_else(|| number(text, 1.0).filter(|wait| *wait < LONGEST))
}

/// A number of units of so many seconds.
fn number(text: &str, unit: f64) -> Option<Duration> {
    bounded(text.trim().parse::<f64>().ok()? * unit)
}

fn bounded(seconds: f64) -> Option<Duration> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

/// From `now` to a moment that has not passed.
fn until(moment: SystemTime, now: SystemTime) -> Option<Duration> {
    let wait = moment.duration_since(now).ok()?;
    Some(wait.min(LONGEST))
}

fn http_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

fn whole_duration(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    let (wait, behind) = duration(text.trim())?;
    behind.is_empty().then_some(wait)
}

/// The duration that a text begins with, in Go's form (`6m0s`) or in words (`45 seconds`), and what
/// stands behind it.
fn duration(text: &str) -> Option<(Duration, &str)> {
    let (mut sum, mut rest) = part(text)?;
    while let Some((seconds, behind)) = part(rest) {
        sum += seconds;
        rest = behind;
    }
    Some((bounded(sum)?, rest))
}

/// One number with its unit, in seconds, and what stands behind it.
fn part(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start_matches(' ');
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, rest) = text.split_at_checked(digits?)?;
    let rest = rest.trim_start_matches(' ');
    let end = rest.find(|letter: char| !letter.is_alphabetic());
    let (name, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    let (_, unit) = UNITS.iter().find(|(names, _)| names.contains(&name))?;
    Some((number.parse::<f64>().ok()? * unit, behind))
}

/// A moment as RFC 3339 writes it (section 5.6), from 1970 on.
fn rfc_3339(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.trim().split_once(['T', 't', ' '])?;
    let zone = clock.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = clock.split_at_checked(zone)?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, seconds) = clock.rsplit_once(':')?;
    let [hour, minute] = numbers(clock, ':')?;
    let seconds: f64 = seconds.parse().ok()?;
    let sane = year >= 1970
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && (0.0..61.0).contains(&seconds);
    if !sane {
        return None;
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset(zone)?;
    let whole = Duration::from_secs(u64::try_from(minutes * 60).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(whole + Duration::from_secs_f64(seconds))
}

/// A zone's distance from UTC, in minutes.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let west = zone.strip_prefix('-');
    let [hours, minutes] = numbers(west.or_else(|| zone.strip_prefix('+'))?, ':')?;
    let minutes = hours * 60 + minutes;
    Some(if west.is_some() { -minutes } else { minutes })
}

/// `N` numbers of at most four digits.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let numbers = text.split(between).map(|part| {
        let digits = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse().ok() } else { None }
    });
    let numbers: Option<Vec<i64>> = numbers.collect();
    numbers?.try_into().ok()
}

/// Days since 1970 of a date of the Gregorian calendar, its years counted from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leaps = year / 4 - year / 100 + year / 400;
    365 * year + leaps + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(date: &str) -> SystemTime {
        httpdate::parse_http_date(date).unwrap()
    }

    /// The wait in milliseconds, at noon of 21 November 2026.
    fn told(headers: &[(&str, &str)], failure: &Failure) -> Option<u128> {
        let headers: BTreeMap<_, _> = headers.iter().copied().collect();
        let now = at("Sat, 21 Nov 2026 12:00:00 GMT");
        let wait = wait(|name| headers.get(name).copied(), failure, now);
        wait.map(|wait| wait.as_millis())
    }

    fn said(message: &str) -> Failure {
        Failure {
            message: Some(message.to_owned()),
            ..Failure::default()
        }
    }

    fn delayed(delay: &str) -> Failure {
        Failure {
            retry_delay: Some(delay.to_owned()),
            ..Failure::default()
        }
    }

    const MONTH: u128 = 31 * 86_400_000;

    #[test]
    fn retry_after_is_read_in_every_form_and_bounded() {
        let cases = [
            (None, None, None),
            (None, Some("2"), Some(2_000)),
            (None, Some(" 2 "), Some(2_000)),
            (None, Some("0"), Some(0)),
            (None, Some("1.5"), Some(1_500)),
            (None, Some("86400"), Some(86_400_000)),
            (None, Some("Sat, 21 Nov 2026 12:00:05 GMT"), Some(5_000)),
            (None, Some("Sat, 21 Nov 2026 12:00:00 GMT"), Some(0)),
            (None, Some("Sat, 21 Nov 2026 11:00:05 GMT"), None),
            (None, Some("Sat, 21 Nov 2126 12:00:05 GMT"), None),
            (None, Some("Thu, 21 Nov 2126 12:00:05 GMT"), Some(MONTH)),
            (None, Some("1e20"), Some(MONTH)),
            (None, Some("99999999999999999999999"), Some(MONTH)),
            (None, Some("NaN"), None),
            (None, Some("inf"), None),
            (None, Some("-inf"), None),
            (None, Some("1e999"), None),
            (None, Some("-3"), None),
            (None, Some(""), None),
            (None, Some("soon"), None),
            (Some("250"), Some("9"), Some(250)),
            (Some("6570.4"), None, Some(6_570)),
            (Some("-1"), Some("9"), Some(9_000)),
            (Some("rubbish"), None, None),
        ];
        for (millis, plain, expected) in cases {
            let millis = millis.map(|text| ("retry-after-ms", text));
            let plain = plain.map(|text| ("retry-after", text));
            let headers: Vec<_> = millis.into_iter().chain(plain).collect();
            assert_eq!(told(&headers, &Failure::default()), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_date_is_seen_from_the_providers_own_clock() {
        let later = ("retry-after", "Sat, 21 Nov 2026 15:00:07 GMT");
        for (date, expected) in [
            ("Sat, 21 Nov 2026 15:00:00 GMT", Some(7_000)),
            (" Sat, 21 Nov 2026 15:00:00 GMT ", Some(7_000)),
            ("Sat, 21 Nov 2026 15:00:08 GMT", None),
            ("rubbish", Some(10_807_000)),
        ] {
            assert_eq!(
                told(&[("date", date), later], &Failure::default()),
                expected,
                "{date}"
            );
        }
        let reset = [
            ("date", "Sat, 21 Nov 2026 15:00:00 GMT"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T15:00:07Z"),
        ];
        assert_eq!(told(&reset, &Failure::default()), Some(7_000));
    }

    #[test]
    fn the_sources_are_asked_in_order_and_nonsense_leads_to_the_next() {
        let all = [
            ("retry-after-ms", "1"),
            ("retry-after", "2"),
            ("x-amz-retry-after", "3000"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "5s"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-21T12:00:06Z"),
        ];
        let mut failure = said("Please try again in 7s.");
        failure.retry_delay = Some("4s".to_owned());
        let spoilt = |names: &[&str]| {
            all.map(|(name, value)| (name, if names.contains(&name) { "-x" } else { value }))
        };
        assert_eq!(told(&all, &failure), Some(1));
        assert_eq!(told(&spoilt(&["retry-after-ms"]), &failure), Some(2_000));
        let names = ["retry-after-ms", "retry-after"];
        assert_eq!(told(&spoilt(&names), &failure), Some(3_000));
        let names = ["retry-after-ms", "retry-after", "x-amz-retry-after"];
        assert_eq!(told(&spoilt(&names), &failure), Some(4_000));
        failure.retry_delay = Some("-4s".to_owned());
        assert_eq!(told(&spoilt(&names), &failure), Some(5_000));
        let names = [&names[..], &["x-ratelimit-reset-tokens"]].concat();
        assert_eq!(told(&spoilt(&names), &failure), Some(6_000));
        let names = [&names[..], &["anthropic-ratelimit-tokens-reset"]].concat();
        assert_eq!(told(&spoilt(&names), &failure), Some(7_000));
        assert_eq!(told(&spoilt(&names), &Failure::default()), None);
    }

    #[test]
    fn only_a_limit_that_is_used_up_tells_its_reset_and_the_last_of_them_counts() {
        for (kinds, expected) in [
            ([("1", "9s"), ("0", "6.57s")], Some(6_570)),
            ([("0", "9s"), ("0", "6.57s")], Some(9_000)),
            ([("0", "120ms"), ("0", "6m0s")], Some(360_000)),
            ([("1", "9s"), ("2", "9s")], None),
            ([("-1", "9s"), ("", "9s")], None),
            ([("x", "9s"), (" 0 ", " 1s ")], Some(1_000)),
            ([("0", "x"), ("0", "12")], Some(12_000)),
            ([("0", "1741305600000"), ("0", "2678400")], None),
            ([("0", "1s x"), ("0", "")], None),
        ] {
            let [requests, tokens] = kinds;
            let headers = [
                ("x-ratelimit-remaining-requests", requests.0),
                ("x-ratelimit-reset-requests", requests.1),
                ("x-ratelimit-remaining-tokens", tokens.0),
                ("x-ratelimit-reset-tokens", tokens.1),
            ];
            assert_eq!(told(&headers, &Failure::default()), expected, "{kinds:?}");
        }
        for name in ["requests", "tokens", "input-tokens", "output-tokens"] {
            let remaining = format!("anthropic-ratelimit-{name}-remaining");
            let reset = format!("anthropic-ratelimit-{name}-reset");
            let headers = |left| {
                [
                    (remaining.as_str(), left),
                    (reset.as_str(), "2026-11-21T12:00:47Z"),
                ]
            };
            assert_eq!(
                told(&headers("0"), &Failure::default()),
                Some(47_000),
                "{name}"
            );
            assert_eq!(told(&headers("1"), &Failure::default()), None, "{name}");
        }
    }

    #[test]
    fn a_delay_in_the_body_is_read_in_googles_form() {
        for (delay, expected) in [
            ("45.25s", Some(45_250)),
            ("37025s", Some(37_025_000)),
            ("0s", Some(0)),
            (" 1S ", Some(1_000)),
            ("3.000000001s", Some(3_000)),
            ("-1s", None),
            ("1.2.3s", None),
            ("45", None),
            ("s", None),
            (".s", None),
            ("", None),
            ("1s, or so", None),
        ] {
            assert_eq!(told(&[], &delayed(delay)), expected, "{delay}");
            let wait = in_words(&delayed(delay)).map(|wait| wait.as_millis());
            assert_eq!(wait, expected, "{delay}");
        }
    }

    #[test]
    fn a_message_that_names_a_delay_is_understood() {
        for (message, expected) in [
            (
                "Rate limit reached. Please try again in 6.57s.",
                Some(6_570),
            ),
            ("Please try again in 20ms. Visit x", Some(20)),
            ("try again in 7m12s", Some(432_000)),
            ("Please retry after 45 seconds.", Some(45_000)),
            ("Please retry after 86400 seconds", Some(86_400_000)),
            ("Please retry in 10h17m5.72s.", Some(37_025_720)),
            ("PLEASE TRY AGAIN IN 1 MINUTE", Some(60_000)),
            ("Try again after 2 hours, 5 minutes", Some(7_200_000)),
            ("try again in 1h 5m 2s", Some(3_902_000)),
            ("try again in 2 days", Some(172_800_000)),
            ("try again in 3 mins", Some(180_000)),
            ("retry in 1 sec", Some(1_000)),
            ("retry in 5µs", Some(0)),
            ("retry in 5000000ns", Some(5)),
            ("retry in 7 milliseconds", Some(7)),
            ("retry in 9000 microseconds", Some(9)),
            ("retry in soon; retry in 3s", Some(3_000)),
            ("retry after 2026-12-01", None),
            ("try again in 5 attempts", None),
            ("try again in -5s", None),
            ("try again in 5", None),
            ("try again in 5.", None),
            ("try again in ", None),
            ("try again later", None),
            ("in 5s", None),
            ("", None),
        ] {
            assert_eq!(told(&[], &said(message)), expected, "{message}");
            let wait = in_words(&said(message)).map(|wait| wait.as_millis());
            assert_eq!(wait, expected, "{message}");
        }
        let endless = format!("retry in {}s", "9".repeat(500));
        assert_eq!(told(&[], &said(&endless)), None);
        let long = format!("retry in {}s", "9".repeat(50));
        assert_eq!(told(&[], &said(&long)), Some(MONTH));
    }

    #[test]
    fn words_alone_know_no_header() {
        assert_eq!(in_words(&Failure::default()), None);
        let mut both = said("try again in 5s");
        both.retry_delay = Some("2s".to_owned());
        assert_eq!(in_words(&both), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_moment_is_read_as_rfc_3339_writes_it() {
        let noon = at("Sat, 21 Nov 2026 12:00:00 GMT");
        for text in [
            "2026-11-21T12:00:00Z",
            "2026-11-21t12:00:00z",
            "2026-11-21 12:00:00Z",
            " 2026-11-21T12:00:00.000Z ",
            "2026-11-21T13:30:00+01:30",
            "2026-11-21T07:00:00-05:00",
            "2026-11-22T01:00:00+13:00",
            "2026-11-21T11:59:60Z",
        ] {
            assert_eq!(rfc_3339(text), Some(noon), "{text}");
        }
        let half = rfc_3339("2026-11-21T12:00:00.5Z").unwrap();
        assert_eq!(half.duration_since(noon).unwrap().as_millis(), 500);
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T12:00:00",
            "2026-11-21T12:00Z",
            "2026-11-21T12:00:61Z",
            "2026-11-21T12:00:-1Z",
            "2026-11-21T12:00:NaNZ",
            "2026-11-21T12:60:00Z",
            "2026-11-21T24:00:00Z",
            "2026-13-21T12:00:00Z",
            "2026-00-21T12:00:00Z",
            "2026-11-00T12:00:00Z",
            "2026-11-32T12:00:00Z",
            "1969-11-21T12:00:00Z",
            "10000-11-21T12:00:00Z",
            "99999999999-11-21T12:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "2026-11T12:00:00Z",
            "2026-11-21-01T12:00:00Z",
            "2026-+1-21T12:00:00Z",
            "2026-11-21T12:00:00+01",
            "2026-11-21T12:00:00+",
            "2026-11-21T12:00:00Z01:00",
            "2026-11-21T12:00:00+-1:00",
            "2026-11-21T12:00:00é",
            "2026-11-21T12:00:00+é",
        ] {
            assert_eq!(rfc_3339(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = 0;
        for year in 1970..2400 {
            for month in 1..=12 {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let length = match month {
                    4 | 6 | 9 | 11 => 30,
                    2 if leap => 29,
                    2 => 28,
                    _ => 31,
                };
                for day in 1..=length {
                    assert_eq!(days(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }

    fn timeish() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9.]{0,24}(ns|us|µs|ms|s|m|h|d| seconds| minutes|)[0-9]{0,3}(s|)",
            "[0-9]{1,5}-[0-9]{1,3}-[0-9]{1,3}T[0-9]{1,3}:[0-9]{1,3}:[0-9.]{1,5}(Z|[+-][0-9]{2}:[0-9]{2})",
            "(Sat|Sun), [0-9]{2} (Nov|Dec) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
            "-?[0-9]{1,30}(e[0-9]{1,3})?",
            ".{0,20}",
        ]
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_wait_is_endless(
            names in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            texts in prop::collection::vec(timeish(), 6),
            delay in prop::option::of(timeish()),
            message in prop::option::of(timeish()),
            date in 0_u64..253_402_300_800,
        ) {
            let all: Vec<&str> = LIMITS.iter().chain(&DATED_LIMITS).flatten().copied()
                .chain(["date", "retry-after", "retry-after-ms", "x-amz-retry-after"]).collect();
            let headers: BTreeMap<&str, &str> = names.iter().zip(&texts)
                .map(|(name, text)| (all[name.index(all.len())], text.as_str())).collect();
            let failure = Failure {
                retry_delay: delay,
                message: message.map(|text| format!("try again in {text}")),
                ..Failure::default()
            };
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(date);
            let told = wait(|name| headers.get(name).copied(), &failure, now);
            prop_assert!(told.is_none_or(|wait| wait <= LONGEST));
            prop_assert!(in_words(&failure).is_none_or(|wait| wait <= LONGEST));
        }

        #[test]
        fn a_moment_is_the_same_in_both_forms(seconds in 0_u64..253_402_300_800) {
            let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let day = i64::try_from(seconds / 86_400).unwrap();
            let date = httpdate::fmt_http_date(moment);
            let words: Vec<&str> = date.split(' ').collect();
            let (date, year, clock) = (words[1], words[3], words[4]);
            let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(words[2]).unwrap() / 3 + 1;
            prop_assert_eq!(rfc_3339(&format!("{year}-{month:02}-{date}T{clock}Z")), Some(moment));
            let month = i64::try_from(month).unwrap();
            prop_assert_eq!(days(year.parse().unwrap(), month, date.parse().unwrap()), day);
        }

        #[test]
        fn a_duration_is_the_sum_of_its_parts(hours in 0_u32..700, minutes in 0_u32..60, millis in 0_u32..60_000) {
            let text = format!("{hours}h{minutes}m{}.{:03}s", millis / 1000, millis % 1000);
            let expected = u128::from(hours) * 3_600_000 + u128::from(minutes) * 60_000 + u128::from(millis);
            prop_assert_eq!(whole_duration(&text).unwrap().as_micros(), expected * 1000);
        }
    }
}
