//! What was spent of a budget, in the words that a store keeps.

use std::sync::Arc;

use crate::account::instance::{Instance, Kind};
use crate::account::period::Period;
use crate::units::{Day, MicroUsd};

/// What one count of a quota has spent in a period: what a store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The kind of the quota's scope.
    pub kind: Kind,
    /// The quota's name.
    pub quota: Arc<str>,
    /// Whose count it is.
    pub instance: Instance,
    /// The period.
    pub per: Period,
    /// Its first day.
    pub start: Day,
    /// The amount.
    pub amount: MicroUsd,
}
