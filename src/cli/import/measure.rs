//! LiteLLM's bare numbers -> segue's units, cut to what config takes.

use std::time::Duration;

/// The shortest bound that config takes.
const SHORTEST: Duration = Duration::from_millis(10);
/// The longest time to a first token, and the longest silence.
const LONGEST_SILENCE: Duration = Duration::from_hours(1);
/// The longest attempt.
const LONGEST: Duration = Duration::from_hours(24);

/// Seconds as a bound of a whole attempt, in whole milliseconds; `None` for none.
pub(super) fn time(seconds: f64) -> Option<Duration> {
    if seconds <= 0.0 {
        return None;
    }
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST);
    let whole = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Some(Duration::from_millis(whole).clamp(SHORTEST, LONGEST))
}

/// A time as a bound of a silence.
pub(super) fn silence(time: Duration) -> Duration {
    time.min(LONGEST_SILENCE)
}

/// A count, cut to at most `most`; `None` for what is none.
pub(super) fn count(number: f64, most: u32) -> Option<u32> {
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    let cut = number.min(f64::from(most)).round();
    format!("{cut:.0}").parse().ok()
}

/// USD for a token -> USD for a million of them, as config writes it; `None` past its range.
pub(super) fn price(per_token: f64) -> Option<String> {
    let million = per_token * 1e6;
    if !(0.0..=10_000.0).contains(&million) {
        return None;
    }
    // `abs`: a negative zero is in the range, and written with its sign.
    let text = format!("{:.6}", million.abs());
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// Shares -> weights from 1 to 1,000, in their smallest form.
pub(super) fn weights(shares: &[f64]) -> Vec<u32> {
    let largest = shares.iter().copied().fold(0.0, f64::max);
    let whole = shares.iter().all(|share| share.fract() == 0.0);
    // By tens, so that shares stay what they are.
    let mut scale = 1.0;
    while largest * scale > 1_000.0 {
        scale /= 10.0;
    }
    while !whole && largest * scale * 10.0 <= 1_000.0 {
        scale *= 10.0;
    }
    let weight = |share: &f64| count(share * scale, 1_000).unwrap_or(1).max(1);
    let weights: Vec<u32> = shares.iter().map(weight).collect();
    let common = weights.iter().copied().fold(0, divisor).max(1);
    weights.into_iter().map(|weight| weight / common).collect()
}

/// The greatest common divisor.
fn divisor(one: u32, other: u32) -> u32 {
    if other == 0 {
        one
    } else {
        divisor(other, one % other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_times_that_config_takes() {
        let cases = [
            (30.0, Some(30_000)),
            (0.5, Some(500)),
            (0.001, Some(10)),
            (1e9, Some(86_400_000)),
            (1e300, Some(86_400_000)),
            (0.0, None),
            (-1.0, None),
        ];
        for (seconds, millis) in cases {
            assert_eq!(
                time(seconds),
                millis.map(Duration::from_millis),
                "{seconds}"
            );
        }
        assert_eq!(silence(LONGEST), LONGEST_SILENCE);
    }

    #[test]
    fn prices_are_for_a_million_tokens_with_six_decimals_at_most() {
        let cases = [
            (0.0, Some("0")),
            (-0.0, Some("0")),
            (0.000_002_5, Some("2.5")),
            (0.000_000_15, Some("0.15")),
            (0.000_01, Some("10")),
            (0.000_000_000_000_1, Some("0")),
            (1.0, None),
            (-1.0, None),
            (f64::NAN, None),
        ];
        for (per_token, expected) in cases {
            assert_eq!(price(per_token).as_deref(), expected, "{per_token}");
        }
    }

    #[test]
    fn weights_keep_the_shares() {
        let cases: [(&[f64], &[u32]); 9] = [
            (&[9.0, 1.0], &[9, 1]),
            (&[900.0, 10.0], &[90, 1]),
            (&[100_000.0, 50_000.0], &[2, 1]),
            (&[0.7, 0.3], &[7, 3]),
            (&[60_000.0, 7_000.0], &[60, 7]),
            (&[1e9, 1.0], &[100, 1]),
            (&[1e308, 5e-324], &[100, 1]),
            (&[5e-324], &[1]),
            (&[0.0, 0.0], &[1, 1]),
        ];
        for (shares, expected) in cases {
            assert_eq!(weights(shares), expected, "{shares:?}");
        }
    }

    #[test]
    fn counts_are_whole_and_cut() {
        let cases = [
            (3.0, Some(3)),
            (2.6, Some(3)),
            (99.0, Some(10)),
            (-1.0, None),
            (f64::NAN, None),
        ];
        for (number, expected) in cases {
            assert_eq!(count(number, 10), expected, "{number}");
        }
    }
}
