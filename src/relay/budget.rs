//! The bytes that all exchanges together may hold: bodies and whole answers.
//!
//! Beyond the bound a new claim is refused; nothing that runs is cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::units::ByteSize;

/// A shared bound on buffered bytes.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicU64,
    held: AtomicU64,
}

impl Budget {
    /// A budget of `limit` bytes, none of them taken.
    pub fn new(limit: ByteSize) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicU64::new(limit.0),
            held: AtomicU64::new(0),
        })
    }

    /// Sets the bound anew, at a reload. What is held stays held.
    pub fn set_limit(&self, limit: ByteSize) {
        self.limit.store(limit.0, Ordering::Relaxed);
    }

    /// The bytes held now.
    pub fn held(&self) -> ByteSize {
        ByteSize(self.held.load(Ordering::Relaxed))
    }

    /// An empty hold, to be grown as bytes come.
    pub fn hold(self: &Arc<Self>) -> Hold {
        Hold {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub struct Hold {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Hold {
    /// Takes `more` bytes, or nothing when the budget has not that many left.
    pub fn grow(&mut self, more: usize) -> bool {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        let limit = self.budget.limit.load(Ordering::Relaxed);
        let taken = self
            .budget
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(more).filter(|total| *total <= limit)
            });
        if taken.is_ok() {
            self.bytes = self.bytes.saturating_add(more);
        }
        taken.is_ok()
    }
}

impl Hold {
    /// Takes what is missing up to `total` bytes, or nothing when the budget has not that many left.
    pub fn reach(&mut self, total: usize) -> bool {
        let held = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        total <= held || self.grow(total - held)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_gives_back_what_it_took_however_it_ends() {
        let budget = Budget::new(ByteSize(10));
        let mut hold = budget.hold();
        assert!(hold.grow(6) && !hold.grow(5) && hold.grow(4));
        assert_eq!(budget.held(), ByteSize(10));
        let mut other = budget.hold();
        assert!(!other.grow(1));
        drop(hold);
        assert!(other.grow(10));
        drop(other);
        assert_eq!(budget.held(), ByteSize(0));
    }

    #[test]
    fn an_absurd_claim_does_not_wrap_around() {
        let budget = Budget::new(ByteSize(u64::MAX));
        let mut hold = budget.hold();
        assert!(hold.grow(5) && !hold.grow(usize::MAX));
        assert_eq!(budget.held(), ByteSize(5));
    }
}
