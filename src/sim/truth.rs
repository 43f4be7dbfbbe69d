//! What a provider would bill for a request, whether it said so or not: what its model had read and
//! written when the exchange ended.

use crate::sim::speech::Counts;

/// What a request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Until its end, whoever ended it.
    pub taken: Counts,
    /// What the answer said that it took; `None` if it did not come to say it.
    pub told: Option<Counts>,
}
