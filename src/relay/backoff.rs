//! How long to wait before the same target is tried again: exponential, with full jitter.
//!
//! Pure: chance comes in as an argument.

use std::time::Duration;

/// Before the first retry, at most.
const BASE: Duration = Duration::from_millis(200);
/// Before any retry, at most.
const CAP: Duration = Duration::from_secs(5);

/// A wait between nothing and `BASE` doubled for each try made, evenly spread by `chance`.
pub(super) fn full_jitter(tries: u32, chance: u64) -> Duration {
    let doubled = 1_u32
        .checked_shl(tries.saturating_sub(1))
        .unwrap_or(u32::MAX);
    let most = BASE.saturating_mul(doubled).min(CAP);
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(chance % micros.saturating_add(1))
}
