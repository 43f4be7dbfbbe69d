//! Durations and sizes as text, both ways: `400ms`, `8s`, `32MiB`.

use std::time::Duration;

use crate::units::ByteSize;

/// Milliseconds per unit, the longest unit first.
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes per unit, the largest unit first.
const SIZES: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

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
}
