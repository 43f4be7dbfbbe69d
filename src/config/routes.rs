//! `routes`: the model names on offer and what stands behind them.

use std::sync::Arc;

use super::allotment::Allotment;
use super::cursor::{Cursor, Read, all};
use super::policy::Layer;
use super::section::Section;
use super::targets::Providers;
use super::tiers::{self, OpenTier};
use crate::account::{Each, Quota, Scope};
use crate::route::{Policy, Route, Routes};

/// The longest name of a route.
pub(super) const LONGEST_NAME: usize = 128;

/// Reads all routes, and the quotas that stand with them. `defaults` is what they inherit, not yet
/// cut to fit.
pub(super) fn read(
    cursor: &Cursor<'_>,
    defaults: &Read<Policy>,
    providers: &Providers<'_>,
) -> Read<(Routes, Vec<Quota>)> {
    let named = cursor.named()?;
    let routes = all(named.iter().map(|(name, cursor)| {
        let checked = cursor.check_key(name, LONGEST_NAME);
        let route = route(name, cursor, defaults, providers);
        checked.and(route)
    }));
    let (routes, quotas): (Vec<_>, Vec<_>) = routes?.into_iter().unzip();
    let quotas = quotas.into_iter().flatten().collect();
    Ok((routes.into_iter().collect(), quotas))
}

fn route(
    name: &str,
    cursor: &Cursor<'_>,
    defaults: &Read<Policy>,
    providers: &Providers<'_>,
) -> Read<(Route, Option<Quota>)> {
    let (tiers, layer, allotment) = if cursor.is_text() {
        let tier = OpenTier::single(cursor, providers);
        (tier.map(|tier| vec![tier]), Ok(Layer::default()), Ok(None))
    } else {
        let mut section = Section::open_or(cursor, "provider/model or a map")?;
        let tiers = section
            .required("tiers")
            .and_then(|cursor| tiers::read(&cursor, providers));
        let layer = Layer::read(&mut section);
        let allotment = Allotment::read(&mut section);
        section.close();
        (tiers, layer, allotment)
    };
    let layer = layer?;
    let defaults = defaults.as_ref().map_err(|reported| *reported)?;
    let whole = layer.over(defaults);
    let policy = layer.fit(&whole);
    let fit = |tier: OpenTier<'_>| tier.fit(&whole.timeouts, whole.deadline);
    let tiers = tiers.and_then(|tiers| all(tiers.into_iter().map(fit)));
    let route = Route {
        name: name.into(),
        tiers: tiers?,
        policy: policy?,
    };
    let (name, scope) = (
        Arc::clone(&route.name),
        Scope::Route(Arc::clone(&route.name)),
    );
    let quota = allotment?.map(|own| own.quota(name, scope, Each::Together));
    Ok((route, quota))
}
