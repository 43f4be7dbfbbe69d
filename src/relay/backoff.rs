//! How long to wait before the same target is tried again: exponential, with full jitter.
//!
//! Full: anywhere between nothing and the bound, so that those who failed together do not come
//! back together. Pure: chance comes in as an argument.

use std::time::Duration;

/// Before the first retry, at most.
const BASE: Duration = Duration::from_millis(200);
/// Before any retry, at most.
const CAP: Duration = Duration::from_secs(5);

/// A wait between nothing and `BASE`, doubled for each try made beyond the first, `CAP` at most.
/// `chance` is a random number, all 64 bits of it; where it lies is where the wait lies.
pub(super) fn full_jitter(tries: u32, chance: u64) -> Duration {
    let doublings = tries.saturating_sub(1);
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let most = BASE.saturating_mul(factor).min(CAP);
    let micros = (u128::from(chance) * (most.as_micros() + 1)) >> 64;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound before each retry, in milliseconds; `tries` have been made.
    const BOUNDS: [(u32, u64); 10] = [
        (0, 200),
        (1, 200),
        (2, 400),
        (3, 800),
        (4, 1600),
        (5, 3200),
        (6, 5000),
        (32, 5000),
        (33, 5000),
        (u32::MAX, 5000),
    ];

    /// The n-th of a well mixed sequence (the finalizer of `SplitMix64`).
    fn mixed(n: u64) -> u64 {
        let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    #[test]
    fn the_wait_lies_between_nothing_and_a_bound_that_doubles_up_to_five_seconds() {
        for (tries, millis) in BOUNDS {
            assert_eq!(full_jitter(tries, 0), Duration::ZERO, "{tries}");
            let most = Duration::from_millis(millis);
            assert_eq!(full_jitter(tries, u64::MAX), most, "{tries}");
        }
    }

    #[test]
    fn the_waits_are_spread_evenly() {
        for (tries, millis) in BOUNDS {
            let mut tenths = [0_u32; 10];
            for n in 0..10_000 {
                let wait = full_jitter(tries, mixed(n)).as_micros();
                let tenth = wait * 10 / u128::from(millis * 1000 + 1);
                tenths[usize::try_from(tenth).unwrap()] += 1;
            }
            // Five standard deviations.
            assert!(
                tenths.iter().all(|count| (850..1150).contains(count)),
                "{tries}: {tenths:?}"
            );
        }
    }
}
