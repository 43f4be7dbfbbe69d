//! `routes`: the model names on offer and what stands behind them.

use std::sync::Arc;

use super::allotment::Allotment;
use super::cursor::{Cursor, Read, all};
use super::policy::Layer;
use super::section::Section;
use super::targets::Providers;
use super::tiers::{self, OpenTier};
use super::variants::{self, OpenVariant};
use crate::account::{Each, Quota, Scope};
use crate::route::{Policy, Route, Routes, Variant};

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
    if cursor.is_text() {
        let tier = OpenTier::single(cursor, providers).map(|tier| vec![tier]);
        let defaults = defaults.as_ref().map_err(|reported| *reported)?;
        return Ok((raised(name, tier, &Layer::default(), defaults)?, None));
    }
    let mut section = Section::open_or(cursor, "provider/model or a map")?;
    let tiers_at = section.required("tiers");
    let tiers = tiers_at
        .clone()
        .and_then(|cursor| tiers::read(&cursor, providers));
    let layer = Layer::read(&mut section);
    let open = section.maybe("variants", variants::read);
    let allotment = Allotment::read(&mut section);
    section.close();
    let layer = layer?;
    let defaults = defaults.as_ref().map_err(|reported| *reported)?;
    let inherited = layer.over(defaults);
    // What is wrong with them was said once.
    let own = tiers.as_ref().map(|_| ()).map_err(|reported| *reported);
    let shared = || {
        own?;
        tiers::read(&tiers_at.clone()?, providers)
    };
    let variants = all(open?
        .into_iter()
        .flatten()
        .map(|one| variant(name, one, &inherited, providers, shared)));
    let route = Route {
        variants: variants?,
        ..raised(name, tiers, &layer, defaults)?
    };
    let scope = Scope::Route(Arc::clone(&route.name));
    let named = Arc::clone(&route.name);
    let quota = allotment?.map(|own| own.quota(named, scope, Each::Together));
    Ok((route, quota))
}

/// A variant; its targets are those of its route where it has none.
fn variant<'a>(
    name: &str,
    open: OpenVariant<'a>,
    inherited: &Policy,
    providers: &Providers<'_>,
    shared: impl Fn() -> Read<Vec<OpenTier<'a>>>,
) -> Read<Variant> {
    let OpenVariant {
        name: own,
        when,
        mut section,
    } = open;
    let tiers = section
        .maybe("tiers", |at| tiers::read(at, providers))
        .and_then(|tiers| tiers.map_or_else(shared, Ok));
    let layer = Layer::read(&mut section);
    section.close();
    let route = raised(name, tiers, &layer?, inherited);
    Ok(Variant {
        when: when?,
        route: Arc::new(Route {
            variant: Some(own?),
            ..route?
        }),
    })
}

/// A route whose inherited bounds are cut to fit.
fn raised(
    name: &str,
    tiers: Read<Vec<OpenTier<'_>>>,
    layer: &Layer<'_>,
    inherited: &Policy,
) -> Read<Route> {
    let whole = layer.over(inherited);
    let policy = layer.fit(&whole);
    let fit = |tier: OpenTier<'_>| tier.fit(&whole.timeouts, whole.deadline);
    let tiers = tiers.and_then(|tiers| all(tiers.into_iter().map(fit)));
    Ok(Route {
        name: name.into(),
        variant: None,
        tiers: tiers?,
        policy: policy?,
        variants: Vec::new(),
    })
}
