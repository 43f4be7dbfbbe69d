//! The limits in force, and how often they were reached.

use super::Metrics;
use crate::telemetry::record::Record;

/// What may be reached, by its name in the config.
const REACHABLE: [&str; 10] = [
    "exchanges",
    "exchanges_per_key",
    "attempts_per_provider",
    "buffered",
    "body",
    "body_time",
    "body_rate",
    "answer",
    "head",
    "hold",
];

impl Metrics {
    /// Sets the limits in force, by their names in the config. From then on each that can be reached
    /// has a count: a rise from nothing is seen by no query.
    pub fn set_limits(&self, limits: impl IntoIterator<Item = (&'static str, f64)>) {
        for limit in REACHABLE {
            self.limits_reached.with_label_values(&[limit]);
        }
        for (limit, value) in limits {
            self.limits.with_label_values(&[limit]).set(value);
        }
    }

    /// Counts the limits that an exchange came to.
    pub(super) fn count_limits(&self, record: &Record) {
        let attempts = record.attempts.iter().filter_map(|attempt| attempt.error);
        let left_out = record.left_out.iter().map(|(_, reason)| *reason);
        // What was made of attempts has the reason of the last one.
        let refused = record.reason.filter(|_| record.attempts.is_empty());
        for reason in attempts.chain(left_out).chain(refused) {
            if let Some(limit) = limit(reason) {
                self.limits_reached.with_label_values(&[limit]).inc();
            }
        }
    }
}

/// The limit that is behind a reason of the access log, if one is.
fn limit(reason: &str) -> Option<&'static str> {
    let limit = match reason {
        "buffer_limit" => "buffered",
        "provider_full" => "attempts_per_provider",
        "body_too_large" => "body",
        "head_too_large" => "head",
        "held_too_much" => "hold",
        "too_large" => "answer",
        other => other,
    };
    REACHABLE.into_iter().find(|known| *known == limit)
}
