//! The values of a script's text: quoted strings, durations and sizes, both ways.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// The longest duration a script may name: a day.
pub(super) const LONGEST: Duration = Duration::from_hours(24);

/// Units of time, longest first, in nanoseconds.
const TIMES: [(&str, u128); 4] = [
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// Units of size, largest first, in bytes.
const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads `20ms`, `2s`, `1m`, `300us`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, nanos) = TIMES.iter().find(|(name, _)| *name == unit)?;
    let nanos = number
        .parse::<u64>()
        .ok()
        .map(u128::from)?
        .checked_mul(*nanos)?;
    let duration = Duration::from_nanos(u64::try_from(nanos).ok()?);
    (duration <= LONGEST).then_some(duration)
}

/// Writes a duration so that it is read as the same. Parts below a microsecond are dropped.
pub(super) fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let whole = |(_, unit): &&(&str, u128)| nanos > 0 && nanos.is_multiple_of(*unit);
    let (name, unit) = TIMES.iter().find(whole).unwrap_or(&("us", 1_000));
    format!("{}{name}", nanos / unit)
}

/// Reads `300`, `64KiB`, `4MiB`, `1GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number = number.parse::<u64>().ok()?;
    if unit.is_empty() {
        return Some(number);
    }
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*bytes)
}

/// Writes a size so that it is read as the same.
pub(super) fn show_size(size: u64) -> String {
    let whole = |(_, unit): &&(&str, u64)| size > 0 && size.is_multiple_of(*unit);
    match SIZES.iter().find(whole) {
        Some((name, unit)) => format!("{}{name}", size / unit),
        None => size.to_string(),
    }
}

/// Bytes as a value: bare where they read back as the same, else quoted with escapes.
pub(super) struct Quoted<'a>(pub(super) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'"' | b'\\');
        if !self.0.is_empty() && self.0.iter().all(plain) {
            return self
                .0
                .iter()
                .try_for_each(|byte| out.write_char(char::from(*byte)));
        }
        out.write_char('"')?;
        for byte in self.0 {
            match byte {
                b'"' => out.write_str("\\\"")?,
                b'\\' => out.write_str("\\\\")?,
                b'\n' => out.write_str("\\n")?,
                b'\r' => out.write_str("\\r")?,
                b'\t' => out.write_str("\\t")?,
                b' '..=b'~' => out.write_char(char::from(*byte))?,
                other => write!(out, "\\x{other:02x}")?,
            }
        }
        out.write_char('"')
    }
}

/// Reads what follows an opening quote: the bytes, and the text after the closing one. `None`
/// where the quote is not closed or an escape is unknown.
pub(super) fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut letters = text.chars();
    loop {
        match letters.next()? {
            '"' => return Some((bytes, letters.as_str())),
            '\\' => bytes.push(match letters.next()? {
                '"' => b'"',
                '\\' => b'\\',
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'x' => {
                    let high = letters.next()?.to_digit(16)?;
                    let low = letters.next()?.to_digit(16)?;
                    u8::try_from(high * 16 + low).ok()?
                }
                _ => return None,
            }),
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
