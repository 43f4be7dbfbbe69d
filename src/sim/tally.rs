//! Requests by model: how many there were, how many are under way, and the most at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// The most models that are counted; those beyond are not.
const MOST_MODELS: usize = 10_000;

/// The longest name that is counted, in bytes.
pub(crate) const LONGEST_MODEL: usize = 256;

/// What is counted of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that have named it.
    pub total: u64,
    /// Those whose exchange has not ended.
    pub under_way: usize,
    /// The most that were under way at once.
    pub most: usize,
}

/// The counts of all models.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<BTreeMap<Arc<str>, Tally>>);

impl Tallies {
    /// A request names a model.
    pub(crate) fn begin(&self, model: &Arc<str>) {
        let mut all = self.0.lock();
        if all.len() >= MOST_MODELS && !all.contains_key(model) {
            return;
        }
        let tally = all.entry(model.clone()).or_default();
        tally.total = tally.total.saturating_add(1);
        tally.under_way = tally.under_way.saturating_add(1);
        tally.most = tally.most.max(tally.under_way);
    }

    /// Its exchange has ended.
    pub(crate) fn end(&self, model: &str) {
        if let Some(tally) = self.0.lock().get_mut(model) {
            tally.under_way = tally.under_way.saturating_sub(1);
        }
    }

    /// Begins anew with what is under way.
    pub(crate) fn clear(&self) {
        self.0.lock().retain(|_, tally| {
            *tally = Tally {
                total: tally.under_way as u64,
                under_way: tally.under_way,
                most: tally.under_way,
            };
            tally.under_way > 0
        });
    }

    /// The counts by model.
    pub(crate) fn all(&self) -> BTreeMap<String, Tally> {
        let all = self.0.lock();
        all.iter()
            .map(|(model, tally)| (model.to_string(), *tally))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_once_outlasts_its_moment_and_is_forgotten_on_demand() {
        let tallies = Tallies::default();
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        tallies.begin(&one);
        tallies.begin(&one);
        tallies.end(&one);
        tallies.begin(&one);
        tallies.begin(&two);
        tallies.end(&two);
        let tally = |total, under_way, most| Tally {
            total,
            under_way,
            most,
        };
        assert_eq!(tallies.all()["one"], tally(3, 2, 2));
        assert_eq!(tallies.all()["two"], tally(1, 0, 1));
        tallies.clear();
        assert_eq!(tallies.all().len(), 1);
        assert_eq!(tallies.all()["one"], tally(2, 2, 2));
        tallies.end("unknown");
    }

    #[test]
    fn models_are_bounded() {
        let tallies = Tallies::default();
        for model in 0..=MOST_MODELS {
            tallies.begin(&model.to_string().into());
        }
        assert_eq!(tallies.all().len(), MOST_MODELS);
        tallies.begin(&"7".into());
        assert_eq!(tallies.all()["7"].total, 2);
    }
}
