//! Counters of money: whole millionths of a dollar inside, dollars when they are rendered.

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, MetricFamily};
use prometheus::{IntCounterVec, Opts};

use super::names::Family;
use crate::units::MicroUsd;

/// A family of counters of money.
#[derive(Clone, Debug)]
pub(super) struct Money(pub(super) IntCounterVec);

impl Money {
    /// A family without series.
    ///
    /// # Errors
    /// When its name is illegal.
    pub(super) fn try_new(family: Family) -> prometheus::Result<Self> {
        let opts = Opts::new(family.name, family.help);
        IntCounterVec::new(opts, family.labels).map(Self)
    }

    /// Adds an amount to a series.
    pub(super) fn add(&self, labels: &[&str], amount: MicroUsd) {
        self.0.with_label_values(labels).inc_by(amount.0);
    }
}

impl Collector for Money {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        for family in &mut families {
            for metric in family.mut_metric() {
                let mut dollars = Counter::default();
                dollars.set_value(metric.get_counter().get_value() / 1e6);
                metric.set_counter(dollars);
            }
        }
        families
    }
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn sums_are_exact_to_the_last_millionth() {
        let money = Money::try_new(names::KEY_COST).unwrap();
        for _ in 0..100_000 {
            money.add(&["k", "delivered"], MicroUsd(10_000_003));
        }
        let collected = money.collect();
        let value = collected[0].get_metric()[0].get_counter().get_value();
        assert_eq!(format!("{value}"), "1000000.3");
    }
}
