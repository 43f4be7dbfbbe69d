//! What an attempt claims, and why it may not have it.

use std::sync::Arc;
use std::time::Duration;

use crate::exchange::{Fault, FaultKind};
use crate::units::{MicroUsd, Tokens};

/// The most that an attempt can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Its prompt and the longest answer that it was asked for.
    pub tokens: Tokens,
    /// What they cost; 0 where the target has no price.
    pub cost: MicroUsd,
}

/// Whether the client got the answer of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It did, or a part of it.
    Delivered,
    /// It was thrown away: the price of falling back, retrying and hedging.
    Wasted,
}

impl Fate {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Delivered, Self::Wasted];

    /// The name in log, store and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Wasted => "wasted",
        }
    }
}

/// Why an attempt is not covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// The quota that has too little left, by its name in the config.
    pub quota: Arc<str>,
    /// What it has too little of.
    pub of: Scarce,
    /// When it will have more; `None` if never.
    pub retry_after: Option<Duration>,
}

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scarce {
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Exchanges at a time.
    Concurrency,
    /// Money, over a period.
    Budget,
    /// Money, of one exchange.
    Ceiling,
}

impl Scarce {
    /// The name in log, headers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
            Self::Concurrency => "concurrent",
            Self::Budget => "over_budget",
            Self::Ceiling => "over_ceiling",
        }
    }
}

impl Short {
    /// What the caller is told. It names the quota, not what others take of it.
    pub fn fault(&self) -> Fault {
        let quota = &self.quota;
        let (kind, message) = match self.of {
            Scarce::Requests => (
                FaultKind::OverLimit,
                format!("{quota:?} allows no more requests for now"),
            ),
            Scarce::Tokens => (
                FaultKind::OverLimit,
                format!("{quota:?} allows no more tokens for now"),
            ),
            Scarce::Concurrency => (
                FaultKind::OverLimit,
                format!("{quota:?} allows no more requests at a time"),
            ),
            Scarce::Budget => (
                FaultKind::OverBudget,
                format!("{quota:?} has too little of its budget left for this request"),
            ),
            Scarce::Ceiling => (
                FaultKind::OverBudget,
                format!("this request could cost more than {quota:?} allows for one"),
            ),
        };
        Fault {
            retry_after: self.retry_after,
            ..Fault::new(kind, message)
        }
    }
}
