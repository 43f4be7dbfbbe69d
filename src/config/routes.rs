//! `routes`: the model names on offer and what stands behind them.

use super::cursor::{Cursor, Read, all};
use super::policy::Layer;
use super::section::Section;
use super::targets::Providers;
use super::tiers::{self, OpenTier};
use crate::route::{Policy, Route, Routes};

/// The longest name of a route.
pub(super) const LONGEST_NAME: usize = 128;

/// Reads all routes. `defaults` is what they inherit, not yet cut to fit.
pub(super) fn read(
    cursor: &Cursor<'_>,
    defaults: &Read<Policy>,
    providers: &Providers<'_>,
) -> Read<Routes> {
    let named = cursor.named()?;
    let routes = all(named.iter().map(|(name, cursor)| {
        let checked = cursor.check_key(name, LONGEST_NAME);
        let route = route(name, cursor, defaults, providers);
        checked.and(route)
    }));
    Ok(routes?.into_iter().collect())
}

fn route(
    name: &str,
    cursor: &Cursor<'_>,
    defaults: &Read<Policy>,
    providers: &Providers<'_>,
) -> Read<Route> {
    let (tiers, layer) = if cursor.is_text() {
        let tier = OpenTier::single(cursor, providers);
        (tier.map(|tier| vec![tier]), Ok(Layer::default()))
    } else {
        let mut section = Section::open_or(cursor, "provider/model or a map")?;
        let tiers = section
            .required("tiers")
            .and_then(|cursor| tiers::read(&cursor, providers));
        let layer = Layer::read(&mut section);
        section.close();
        (tiers, layer)
    };
    let layer = layer?;
    let defaults = defaults.as_ref().map_err(|reported| *reported)?;
    let whole = layer.over(defaults);
    let policy = layer.fit(&whole);
    let fit = |tier: OpenTier<'_>| tier.fit(&whole.timeouts, whole.deadline);
    let tiers = tiers.and_then(|tiers| all(tiers.into_iter().map(fit)));
    Ok(Route {
        name: name.into(),
        tiers: tiers?,
        policy: policy?,
    })
}
