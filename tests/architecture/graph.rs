//! Who imports whom, and the rings in it.

use std::collections::{BTreeMap, BTreeSet};

/// Who imports whom, with one place that shows it.
#[derive(Default)]
pub(crate) struct Graph {
    edges: BTreeMap<String, BTreeMap<String, String>>,
}

impl Graph {
    pub(crate) fn add(&mut self, from: &str, to: &str, place: &str) {
        if from != to {
            let edges = self.edges.entry(from.to_owned()).or_default();
            edges
                .entry(to.to_owned())
                .or_insert_with(|| place.to_owned());
        }
    }

    /// A shortest ring through each node that is in one, each ring once.
    pub(crate) fn rings(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut rings = Vec::new();
        for start in self.edges.keys() {
            let Some(ring) = self.way_back(start) else {
                continue;
            };
            let members: BTreeSet<_> = ring.iter().copied().collect();
            if found.insert(members) {
                rings.push(self.describe(&ring));
            }
        }
        rings
    }

    fn way_back<'a>(&'a self, start: &'a String) -> Option<Vec<&'a String>> {
        let mut ways: Vec<Vec<&String>> = vec![vec![start]];
        let mut seen = BTreeSet::new();
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                for next in way.last().and_then(|end| self.edges.get(*end))?.keys() {
                    if next == start {
                        return Some(way);
                    }
                    if seen.insert(next) && self.edges.contains_key(next) {
                        longer.push([way.as_slice(), &[next]].concat());
                    }
                }
            }
            ways = longer;
        }
        None
    }

    fn describe(&self, ring: &[&String]) -> String {
        let names: Vec<_> = ring
            .iter()
            .chain(ring.first())
            .map(|name| name.as_str())
            .collect();
        let places: Vec<_> = names
            .windows(2)
            .filter_map(|pair| Some(self.edges.get(*pair.first()?)?.get(*pair.last()?)?.as_str()))
            .collect();
        format!("{}: {}", names.join(" -> "), places.join(", "))
    }
}
