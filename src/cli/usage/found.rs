//! What was asked for, and the sums that were found.

use super::span::Asked;
use crate::account::store::{By, Sum};

/// A question and its answer.
pub(super) struct Usage {
    pub(super) asked: Asked,
    pub(super) by: Vec<By>,
    pub(super) sums: Vec<Sum>,
}

impl Usage {
    /// All groups together.
    pub(super) fn total(&self) -> Sum {
        let mut total = Sum::default();
        self.sums.iter().for_each(|sum| total.add(sum));
        total
    }
}
