//! What was spent of a budget, in the words that a store keeps.

use crate::account::instance::Owner;
use crate::account::period::Period;
use crate::units::{Day, MicroUsd};

/// What one count of a quota has spent in a period: what a store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Whose count it is.
    pub owner: Owner,
    /// The period.
    pub per: Period,
    /// Its first day.
    pub start: Day,
    /// The amount.
    pub amount: MicroUsd,
}
