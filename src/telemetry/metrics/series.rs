//! Which names may be labels: those of the config. A series of a name that left the config goes
//! with it, so that no number of reloads makes the metrics grow.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::proto::LabelPair;

use crate::telemetry::record::Outcome;

use super::Metrics;

/// The label of everything that the config does not name.
pub(super) const OTHER: &str = "other";

/// The names in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its routes.
    pub routes: BTreeSet<Arc<str>>,
    /// Its targets, `provider/model`.
    pub targets: BTreeSet<Arc<str>>,
    /// The names of its client keys.
    pub keys: BTreeSet<Arc<str>>,
}

impl Known {
    /// The route's name as a label.
    pub(super) fn route<'a>(&self, name: Option<&'a Arc<str>>) -> &'a str {
        name.filter(|name| self.routes.contains(*name))
            .map_or(OTHER, |name| name)
    }

    /// The key's name as a label; also where none was asked for.
    pub(super) fn key<'a>(&self, name: Option<&'a Arc<str>>) -> &'a str {
        name.filter(|name| self.keys.contains(*name))
            .map_or(OTHER, |name| name)
    }

    /// The target's name as a label.
    pub(super) fn target<'a>(&self, name: &'a Arc<str>) -> &'a str {
        if self.targets.contains(name) {
            name
        } else {
            OTHER
        }
    }
}

impl Metrics {
    /// Takes over the names of a new configuration. Exchanges that still run by an older one are
    /// counted as `other` where their names are gone.
    pub fn know(&self, known: Known) {
        // From zero, for a rate needs a first sample.
        for route in &known.routes {
            for outcome in Outcome::ALL {
                self.exchanges
                    .with_label_values(&[route.as_ref(), outcome.name()]);
            }
        }
        let known = Arc::new(known);
        self.known.store(known.clone());
        let route = |value: &str| value == OTHER || known.routes.contains(value);
        let target = |value: &str| value == OTHER || known.targets.contains(value);
        retain(&self.exchanges, |labels| has(labels, "route", route));
        retain(&self.first_token, |labels| has(labels, "route", route));
        retain(&self.duration, |labels| has(labels, "route", route));
        retain(&self.attempts, |labels| has(labels, "target", target));
        let both =
            |labels: &[LabelPair]| has(labels, "route", route) && has(labels, "target", target);
        retain(&self.tokens, both);
        retain(&self.cost.0, both);
        let key = |value: &str| value == OTHER || known.keys.contains(value);
        retain(&self.key_cost.0, |labels| has(labels, "key", key));
        retain(&self.suspicious, |labels| has(labels, "target", target));
        retain(&self.discarded, |labels| has(labels, "target", target));
        retain(&self.breakers, |labels| has(labels, "target", target));
        retain(&self.held, |labels| has(labels, "route", route));
        retain(&self.fallbacks, |labels| {
            has(labels, "route", route) && has(labels, "from", target) && has(labels, "to", target)
        });
    }
}

/// Whether the label of that name has a value that `keep` wants.
pub(super) fn has(labels: &[LabelPair], name: &str, keep: impl Fn(&str) -> bool) -> bool {
    labels
        .iter()
        .any(|label| label.name() == name && keep(label.value()))
}

/// Drops the series whose labels `keep` does not want.
pub(super) fn retain<T: MetricVecBuilder>(
    series: &MetricVec<T>,
    keep: impl Fn(&[LabelPair]) -> bool,
) {
    for family in Collector::collect(series) {
        for metric in family.get_metric() {
            let labels = metric.get_label();
            if keep(labels) {
                continue;
            }
            let labels: HashMap<_, _> = labels
                .iter()
                .map(|label| (label.name(), label.value()))
                .collect();
            // One that is gone already is as good.
            let _ = series.remove(&labels);
        }
    }
}
