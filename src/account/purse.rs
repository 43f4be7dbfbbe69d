//! What one exchange may still take, asked before each of its attempts.
//!
//! An attempt is covered before anything is sent: the most that it can take is set aside in every
//! quota that holds for the exchange, or in none. When it ends, what it really took is booked and
//! the rest given back. A stake that is dropped gives everything back.

use std::sync::Arc;
use std::time::Duration;

use crate::exchange::{Bill, Fault, FaultKind};
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

/// What is left of the windows that hold for an exchange: of those of a kind, the one with least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Requests a minute.
    pub requests: Option<Window>,
    /// Tokens a minute.
    pub tokens: Option<Window>,
}

/// What is left of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What it has when it is full.
    pub limit: u64,
    /// What is left of that.
    pub remaining: u64,
    /// When it is full again.
    pub reset: Duration,
}

/// What one exchange may still take.
#[derive(Debug, Default)]
pub struct Purse {}

impl Purse {
    /// Whether anything holds for the exchange: if not, nobody has to reckon what it may take.
    pub fn is_bounded(&self) -> bool {
        false
    }

    /// The length of an answer that a request sets no bound to, for what is set aside for it.
    pub fn assumed_output(&self) -> Tokens {
        Tokens(4096)
    }

    /// What is left of the windows that hold for it, for the headers of its answer.
    pub fn left(&self) -> Left {
        Left::default()
    }

    /// Sets aside the most that an attempt can take.
    ///
    /// # Cancel safety
    /// Dropped, it has set nothing aside.
    #[expect(
        clippy::unused_async,
        reason = "quotas that machines share are asked over the network"
    )]
    pub async fn cover(&self, _claim: Claim) -> Result<Stake<'_>, Short> {
        Ok(Stake { _purse: self })
    }
}

/// What is set aside for one attempt.
#[derive(Debug)]
pub struct Stake<'p> {
    _purse: &'p Purse,
}

impl Stake<'_> {
    /// Books what the attempt took.
    pub fn settle(self, _bill: Option<&Bill>, _fate: Fate) {}
}
