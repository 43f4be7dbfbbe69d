//! The same sums out of three books: the store, the metrics and the access log.

use std::collections::BTreeMap;

use segue::account::store::{By, Reader, Span};
use serde_json::Value;

use super::stage::{Told, micros};

/// Millionths of a dollar by a name.
type Costs = BTreeMap<String, u64>;

/// Holds the three against each other: in all, by key, by route.
pub fn agree(told: &Told) {
    for (by, series, label) in [
        (By::Key, "segue_key_cost_usd_total", "key"),
        (By::Route, "segue_cost_usd_total", "route"),
    ] {
        let logged = logged(&told.lines, label);
        assert!(logged.len() >= 3, "{logged:?}");
        assert_eq!(metered(&told.metrics, series, label), logged, "{label}");
        assert_eq!(stored(told, by), logged, "{label}");
    }
}

fn logged(lines: &[Value], field: &str) -> Costs {
    let mut costs = Costs::new();
    for line in lines {
        let name = line[field].as_str().unwrap().to_owned();
        for attempt in line["attempts"].as_array().unwrap() {
            let cost = attempt["cost_usd"].as_f64().map_or(0, micros);
            *costs.entry(name.clone()).or_default() += cost;
        }
    }
    costs
}

fn metered(metrics: &str, series: &str, label: &str) -> Costs {
    let mut costs = Costs::new();
    for line in metrics.lines() {
        let series = line
            .strip_prefix(series)
            .and_then(|rest| rest.strip_prefix('{'));
        let Some((labels, value)) = series.and_then(|rest| rest.split_once("} ")) else {
            continue;
        };
        let of = |pair: &str| Some(pair.strip_prefix(label)?.strip_prefix('=')?.to_owned());
        let name = labels.split(',').find_map(of).unwrap();
        let name = name.trim_matches('"').to_owned();
        *costs.entry(name).or_default() += micros(value.parse().unwrap());
    }
    costs
}

fn stored(told: &Told, by: By) -> Costs {
    let always = Span {
        from: 0,
        until: i64::MAX,
        is_days: false,
    };
    let sums = Reader::open(&told.store).unwrap().sums(&always, &[by]);
    let cost = |sum: segue::account::store::Sum| {
        let cost = sum.delivered.cost + sum.wasted.cost;
        (sum.names.concat(), cost.0)
    };
    sums.unwrap().into_iter().map(cost).collect()
}
