//! Exchanges worth a look: the latest of a kind, each as a compact copy.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::telemetry::record::{Attempt, Outcome, Record};
use crate::telemetry::time::Timestamp;

/// Exchanges of a kind that are kept.
pub(super) const KEPT: usize = 50;

/// Attempts of an exchange that are kept: the first ones.
const ATTEMPTS: usize = 16;

/// Letters of a request id that are kept.
const ID: usize = 128;

/// An exchange that was kept. Times are milliseconds from its beginning.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// When it began.
    #[serde(serialize_with = "as_text")]
    pub time: Timestamp,
    /// Its id.
    pub request_id: String,
    /// Its route; `None` for a model that no route has.
    #[serde(serialize_with = "as_name")]
    pub route: Option<Arc<str>>,
    /// The variant of the route that served.
    #[serde(serialize_with = "as_name")]
    pub variant: Option<Arc<str>>,
    /// How it ended.
    pub outcome: &'static str,
    /// Why it ended so; of one that was rescued, why another target answered.
    pub reason: Option<&'static str>,
    /// From its beginning to its end.
    pub total_ms: f64,
    /// When the first byte of the answer went to the client.
    pub commit_ms: Option<f64>,
    /// Its attempts, in order.
    pub attempts: Vec<KeptAttempt>,
    /// Attempts beyond those.
    pub more_attempts: usize,
}

/// An attempt of an exchange that was kept.
#[derive(Clone, Debug, Serialize)]
pub struct KeptAttempt {
    /// `provider/model`.
    #[serde(serialize_with = "as_text")]
    pub target: Arc<str>,
    /// Why it was made.
    pub kind: &'static str,
    /// What ended it, if it did not end well.
    pub error: Option<&'static str>,
    /// Whether the client got its words.
    pub delivered: bool,
    /// When it began, from the beginning of the exchange.
    pub begin_ms: f64,
    /// From its beginning to its first token.
    pub first_token_ms: Option<f64>,
    /// From its beginning to its end.
    pub total_ms: f64,
    /// What it cost, in millionths of a dollar; `None` if that is not known.
    pub cost_micro_usd: Option<u64>,
}

/// The latest of a kind.
#[derive(Debug, Default)]
pub(super) struct Latest(VecDeque<Arc<Kept>>);

impl Latest {
    pub(super) fn push(&mut self, kept: Arc<Kept>) {
        self.0.truncate(KEPT - 1);
        self.0.push_front(kept);
    }

    /// Newest first.
    pub(super) fn list(&self) -> Vec<Arc<Kept>> {
        self.0.iter().cloned().collect()
    }
}

/// A kind of exchange that is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another target answered than the first.
    Rescued,
    /// The client got no answer, or not all of it, and not because it left.
    Failed,
}

/// Whether another target answered than the first that was asked.
pub(super) fn fell_back(record: &Record) -> bool {
    let answering = record.answered_by().filter(|one| one.delivered);
    let first = record.attempts.first();
    match (first, answering) {
        (Some(first), Some(answering)) => first.target != answering.target,
        _ => false,
    }
}

/// What is worth a look about an exchange.
pub(super) fn kind(record: &Record) -> Option<Kind> {
    match record.outcome {
        Outcome::Served => fell_back(record).then_some(Kind::Rescued),
        Outcome::Failed | Outcome::Broken | Outcome::Panicked => Some(Kind::Failed),
        Outcome::ClientError | Outcome::Refused | Outcome::ProviderError | Outcome::Aborted => None,
    }
}

impl Kept {
    /// The copy of an exchange that began at `begun`.
    pub(super) fn of(record: &Record, begun: Instant) -> Self {
        let of = |attempt: &Attempt| KeptAttempt::of(attempt, begun);
        Self {
            time: Timestamp(record.began),
            request_id: record.request_id.chars().take(ID).collect(),
            route: record.route.clone(),
            variant: record.variant.clone(),
            outcome: record.outcome.name(),
            reason: match record.outcome {
                Outcome::Served => record.fallback_reason(),
                _ => record.reason,
            },
            total_ms: millis(record.total),
            commit_ms: record.first_byte.map(millis),
            attempts: record.attempts.iter().take(ATTEMPTS).map(of).collect(),
            more_attempts: record.attempts.len().saturating_sub(ATTEMPTS),
        }
    }
}

impl KeptAttempt {
    fn of(attempt: &Attempt, begun: Instant) -> Self {
        let wait = attempt.begun.map(|at| at.saturating_duration_since(begun));
        Self {
            target: Arc::clone(&attempt.target),
            kind: attempt.kind.name(),
            error: attempt.error,
            delivered: attempt.delivered,
            begin_ms: millis(wait.unwrap_or_default()),
            first_token_ms: attempt.first_token.map(millis),
            total_ms: millis(attempt.total),
            cost_micro_usd: attempt.bill.and_then(|bill| bill.cost).map(|cost| cost.0),
        }
    }
}

/// To the tenth.
pub(super) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// For a list of them.
pub(super) fn as_list<S: Serializer>(kept: &[Arc<Kept>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(kept.iter().map(|kept| &**kept))
}

fn as_text<T: fmt::Display, S: Serializer>(text: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(text)
}

#[expect(clippy::ref_option, reason = "serde hands a field over as it is")]
fn as_name<S: Serializer>(name: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
    name.as_deref().serialize(to)
}
