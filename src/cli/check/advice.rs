//! What is no mistake, but hardly meant.

use std::collections::BTreeSet;

use crate::edge::Settings;
use crate::route::Route;

/// A line for each thing to think about.
pub(super) fn advice(settings: &Settings) -> Vec<String> {
    settings
        .routes
        .iter()
        .filter_map(|route| one_provider(route))
        .collect()
}

/// Fallback is for the day on which a provider is down, and a chain within it is down with it.
fn one_provider(route: &Route) -> Option<String> {
    let providers: BTreeSet<&str> = route.targets().map(|it| it.provider.as_ref()).collect();
    let count = route.targets().count();
    let [provider] = *providers.into_iter().collect::<Vec<_>>() else {
        return None;
    };
    (count > 1).then(|| {
        let name = &route.name;
        format!(
            "route {name}: all {count} targets are at the provider {provider}, \
             and when it is down, so are they"
        )
    })
}
