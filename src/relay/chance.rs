//! Chance for jitter: not for secrets.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Instant;

/// Differs from process to process.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A stream of numbers of one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    begun: Instant,
    drawn: u32,
}

impl Chance {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, drawn: 0 }
    }

    /// The next number.
    pub(super) fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        SEED.hash_one((self.begun, self.drawn))
    }
}
