//! Durations, sizes and money as text, both ways: `400ms`, `8s`, `32MiB`, `1.25`.

use std::time::Duration;

use crate::units::{ByteSize, MicroUsd};

/// Milliseconds per unit, the longest unit first.
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes per unit, the largest unit first.
const SIZES: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Millionths of a dollar.
const MICROS: u64 = 1_000_000;

/// More digits than anybody means.
const LONGEST_DECIMAL: usize = 20;

/// Reads a whole number with its unit, nothing between them. `None` also past the range.
pub(super) fn duration(text: &str) -> Option<Duration> {
    measure(text, &TIMES).map(Duration::from_millis)
}

/// Reads a size; units are powers of 1,024.
pub(super) fn size(text: &str) -> Option<ByteSize> {
    measure(text, &SIZES).map(ByteSize)
}

/// The duration in the longest unit that keeps it whole; below a millisecond it is cut.
pub fn show_duration(duration: Duration) -> String {
    show(
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        &TIMES,
    )
}

/// The size in the largest unit that keeps it whole.
pub fn show_size(size: ByteSize) -> String {
    show(size.0, &SIZES)
}

/// Reads digits, and a point with digits behind it if there is one: no sign, no exponent.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let (whole, fraction) = digits(text)?;
    let bounded = whole.len() + fraction.len() <= LONGEST_DECIMAL;
    bounded.then(|| text.parse().ok()).flatten()
}

/// Reads an amount of USD. `None` also for what is finer than a millionth, or past the range.
pub(super) fn usd(text: &str) -> Option<MicroUsd> {
    let (whole, fraction) = digits(text)?;
    let micros = match fraction.len() {
        0 => 0,
        1..=6 => format!("{fraction:0<6}").parse().ok()?,
        _ => return None,
    };
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(MICROS)?.checked_add(micros).map(MicroUsd)
}

/// The amount in USD, exactly, without idle zeros.
pub fn show_usd(amount: MicroUsd) -> String {
    let (whole, micros) = (amount.0 / MICROS, amount.0 % MICROS);
    let text = format!("{whole}.{micros:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share in percent: `7%`.
pub fn show_share(share: f64) -> String {
    // Rounded, for a hundred times 0.07 is not quite 7.
    format!("{}%", (share * 1e8).round() / 1e6)
}

/// What stands before and after the point.
fn digits(text: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() && all_digits(whole) && all_digits(fraction)).then_some((whole, fraction))
}

fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let whole = units
        .iter()
        .find(|(_, factor)| value.is_multiple_of(*factor) && value != 0);
    match whole
        .or(units.iter().find(|(name, _)| *name == "s"))
        .or(units.last())
    {
        Some((name, factor)) => format!("{}{name}", value / factor.max(&1)),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_a_whole_number_with_its_unit() {
        let cases = [
            ("400ms", 400),
            ("8s", 8_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        assert_eq!(size("512B"), Some(ByteSize(512)));
        assert_eq!(size("64KiB"), Some(ByteSize::kib(64)));
        assert_eq!(size("1GiB"), Some(ByteSize::mib(1024)));
        let bad = [
            "", "8", "s", " 8s", "8 s", "-8s", "+8s", "1.5s", "8S", "8sec", "1m30s", "８s",
        ];
        for text in bad
            .into_iter()
            .chain(["99999999999999999999s", "18446744073709551615h"])
        {
            assert_eq!((duration(text), size(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_the_same() {
        for text in ["400ms", "1500ms", "8s", "90s", "2m", "1h", "0s"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
        for text in [
            "0B", "512B", "1KiB", "1537B", "64KiB", "32MiB", "1GiB", "1025MiB",
        ] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
    }
    #[test]
    fn a_decimal_is_digits_and_at_most_one_point() {
        for (text, value) in [("0", 0.0), ("10", 10.0), ("0.5", 0.5), ("007.250", 7.25)] {
            assert_eq!(decimal(text), Some(value), "{text}");
        }
        let bad = [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e3",
            "0x1",
            ".inf",
            "nan",
            "1.2.3",
            "1_000",
            "１",
            "123456789012345678901",
            "1.23456789012345678901",
        ];
        for text in bad {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert!(decimal("12345678901234567890").is_some());
    }

    #[test]
    fn money_is_exact_both_ways() {
        let cases = [
            ("0", 0),
            ("10", 10_000_000),
            ("1.25", 1_250_000),
            ("0.000001", 1),
            ("0.1", 100_000),
            ("100.5", 100_500_000),
            ("18446744073709.551615", u64::MAX),
        ];
        for (text, micros) in cases {
            assert_eq!(usd(text), Some(MicroUsd(micros)), "{text}");
            assert_eq!(show_usd(MicroUsd(micros)), text);
        }
        assert_eq!(usd("2.500000"), Some(MicroUsd(2_500_000)));
        for text in [
            "",
            "-1",
            "1.",
            ".5",
            "1.2345678",
            "1e3",
            "18446744073709.551616",
        ] {
            assert_eq!(usd(text), None, "{text}");
        }
        assert_eq!(usd("99999999999999999999"), None);
    }
}
