//! What segue's threads share, built from its own sources over loom's locks, so that `tests/` can
//! run every interleaving of them.
//!
//! The sources are included as they are. They say `parking_lot::Mutex`: in here that is this
//! crate's, which is loom's.

// The sources' own tests run in their own crate.
#![cfg(not(test))]
// A source may have more than the models use, and counts that nobody shares never come to anything.
#![allow(dead_code, unreachable_code, unused_mut)]

extern crate self as parking_lot;

#[path = "../../src/relay/hedge.rs"]
mod hedge;
mod lock;

pub mod account;
#[path = "../../src/relay/allowance.rs"]
pub mod allowance;
#[path = "../../src/upstream/breaker/mod.rs"]
pub mod breaker;
pub mod exchange;
#[path = "../../src/hex.rs"]
mod hex;
#[path = "../../src/units/mod.rs"]
pub mod units;

use std::future::Future;

pub use lock::{Mutex, MutexGuard};

/// The hedge's race, whose sides decide it with a value for which `decides` holds.
pub async fn race<T, S: Future<Output = T>>(
    first: impl Future<Output = T>,
    silence: impl Future<Output = ()>,
    second: impl FnOnce() -> Option<S>,
    decides: impl Fn(&T) -> bool,
) -> (Option<T>, Option<T>) {
    let ended = |_: hedge::Side, value: &T| match decides(value) {
        true => hedge::Ended::Decided,
        false => hedge::Ended::Failed,
    };
    hedge::race(first, silence, second, ended).await
}
