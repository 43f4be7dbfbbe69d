//! What an exchange counts for.

use crate::exchange::{Bill, Trust};
use crate::telemetry::record::{AttemptKind, Outcome, Record};

use super::Metrics;
use super::series::Known;
use super::state::Gauged;

impl Metrics {
    /// Counts an exchange as under way until the answer is dropped.
    #[must_use]
    pub fn begin(&self) -> Gauged {
        Gauged::raise(&self.in_flight)
    }

    /// Counts an exchange that has ended.
    pub fn observe(&self, record: &Record) {
        let known = self.known.load();
        let route = known.route(record.route.as_ref());
        self.exchanges
            .with_label_values(&[route, record.outcome.name()])
            .inc();
        match record.outcome {
            Outcome::Aborted => self.aborts.inc(),
            Outcome::Panicked => self.panics.inc(),
            Outcome::Served
            | Outcome::ClientError
            | Outcome::Refused
            | Outcome::ProviderError
            | Outcome::Failed
            | Outcome::Broken => {}
        }
        if let Some(first_token) = record.first_token {
            self.first_token
                .with_label_values(&[route])
                .observe(first_token.as_secs_f64());
        }
        // A refusal takes microseconds: it would only make the routes look faster.
        if !record.attempts.is_empty() {
            self.duration
                .with_label_values(&[route])
                .observe(record.total.as_secs_f64());
        }
        for attempt in &record.attempts {
            let outcome = attempt.error.unwrap_or("ok");
            self.attempts
                .with_label_values(&[known.target(&attempt.target), outcome])
                .inc();
        }
        self.count_limits(record);
        self.count_fallbacks(record, route, &known);
        if let Some(commit) = record.commit {
            self.commits.with_label_values(&[commit]).inc();
        }
        if let Some(held) = record.held {
            let held = held.as_secs_f64();
            self.held.with_label_values(&[route]).observe(held);
        }
        self.count_bills(record, route, &known);
    }

    fn count_fallbacks(&self, record: &Record, route: &str, known: &Known) {
        for pair in record.attempts.windows(2) {
            let [from, to] = pair else { continue };
            let is_fallback = match to.kind {
                AttemptKind::Fallback => true,
                AttemptKind::Hedge => to.error.is_none(),
                AttemptKind::First | AttemptKind::Retry => false,
            };
            if is_fallback {
                let reason = from.error.unwrap_or("none");
                let (from, to) = (known.target(&from.target), known.target(&to.target));
                self.fallbacks
                    .with_label_values(&[route, from, to, reason])
                    .inc();
            }
        }
        for attempt in &record.attempts {
            if attempt.discarded.0 > 0 {
                self.discarded
                    .with_label_values(&[known.target(&attempt.target)])
                    .inc_by(attempt.discarded.0);
            }
        }
    }

    fn count_bills(&self, record: &Record, route: &str, known: &Known) {
        let key = known.key(record.key.as_ref());
        for attempt in &record.attempts {
            let Some(Bill {
                usage,
                measure,
                cost,
            }) = attempt.bill
            else {
                continue;
            };
            let target = known.target(&attempt.target);
            let fate = if attempt.delivered {
                "delivered"
            } else {
                "wasted"
            };
            for (kind, tokens) in [
                ("input", usage.input),
                ("output", usage.output),
                ("cached", usage.cached),
                ("cache_write", usage.cache_write),
                ("reasoning", usage.reasoning),
            ] {
                self.tokens
                    .with_label_values(&[route, target, kind, measure.name(), fate])
                    .inc_by(tokens.0);
            }
            if let Some(cost) = cost {
                self.cost.add(&[route, target, fate], cost);
                self.key_cost.add(&[key, fate], cost);
            }
            if usage.trust != Trust::Sound {
                self.suspicious.with_label_values(&[target]).inc();
            }
        }
    }
}
