//! `routes`: the model names on offer and the targets behind them.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Read, Reported, all};
use super::hint::hint;
use super::path::quoted;
use super::policy::Layer;
use super::section::{LATER, Section};
use crate::exchange::Dialect;
use crate::route::{Balance, Route, Routes, Target, Tier, Timeouts};

/// The longest name of a route.
pub(super) const LONGEST_NAME: usize = 128;

/// The longest model name of a provider; deployments and fine-tunes have long ones.
const LONGEST_MODEL: usize = 256;

/// The providers that targets may name; `None` for one with mistakes of its own.
pub(super) type Providers<'a> = BTreeMap<&'a str, Option<Dialect>>;

/// Reads all routes. `defaults` is what they inherit.
pub(super) fn read<'a>(
    cursor: &Cursor<'a>,
    defaults: &Read<Layer<'a>>,
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

fn route<'a>(
    name: &str,
    cursor: &Cursor<'a>,
    defaults: &Read<Layer<'a>>,
    providers: &Providers<'_>,
) -> Read<Route> {
    let (target, own) = if cursor.is_text() {
        (target_name(cursor, providers), Ok(Layer::default()))
    } else {
        let mut section = Section::open_or(cursor, "provider/model or a map")?;
        let tiers = section
            .required("tiers")
            .and_then(|cursor| tiers(&cursor, providers));
        let layer = Layer::read(&mut section);
        section.close();
        match (tiers, layer) {
            (Ok((target, own)), Ok(layer)) => (Ok(target), Ok(own.or(layer))),
            (tiers, layer) => (tiers.map(|(target, _)| target), layer),
        }
    };
    let policy = match (own, defaults) {
        (Ok(own), Ok(defaults)) => own.resolve(defaults),
        _ => Err(Reported),
    };
    let policy = policy?;
    let target = Target {
        timeouts: policy.timeouts.clone(),
        ..target?
    };
    let tier = Tier {
        balance: Balance::default(),
        targets: vec![target],
    };
    Ok(Route {
        name: name.into(),
        tiers: vec![tier],
        policy,
    })
}

/// The tiers: in this version one, of one target.
fn tiers<'a>(cursor: &Cursor<'a>, providers: &Providers<'_>) -> Read<(Target, Layer<'a>)> {
    let tiers = cursor.some_items()?;
    let read = all(tiers.iter().map(|cursor| tier(cursor, providers)))?;
    let mut targets = read.into_iter().flatten();
    match (targets.next(), targets.next()) {
        (Some(target), None) => Ok(target),
        _ => cursor.fail(format_args!("more than one target is {LATER}")),
    }
}

/// A tier: a list of targets, or a map with `targets`.
fn tier<'a>(cursor: &Cursor<'a>, providers: &Providers<'_>) -> Read<Vec<(Target, Layer<'a>)>> {
    let targets = if cursor.is_list() {
        cursor.clone()
    } else {
        let mut section = Section::open_or(cursor, "a list of targets or a map")?;
        section.later(&["balance"]);
        let targets = section.required("targets");
        section.close();
        targets?
    };
    all(targets
        .some_items()?
        .iter()
        .map(|cursor| target(cursor, providers)))
}

/// A target: `provider/model`, or a map with `target`.
fn target<'a>(cursor: &Cursor<'a>, providers: &Providers<'_>) -> Read<(Target, Layer<'a>)> {
    if cursor.is_text() {
        return Ok((target_name(cursor, providers)?, Layer::default()));
    }
    let mut section = Section::open_or(cursor, "provider/model or a map")?;
    section.later(&["weight", "price", "capabilities", "profile"]);
    let target = section
        .required("target")
        .and_then(|cursor| target_name(&cursor, providers));
    let timeouts = section.maybe("timeouts", Layer::timeouts);
    section.close();
    Ok((target?, timeouts?.unwrap_or_default()))
}

/// Splits `provider/model` at the first slash: a model's name may hold more of them.
fn target_name(cursor: &Cursor<'_>, providers: &Providers<'_>) -> Read<Target> {
    let text = cursor.text()?;
    let Some((provider, model)) = text.split_once('/') else {
        return cursor.fail(format_args!(
            "{} is not a target: provider/model",
            quoted(text)
        ));
    };
    let dialect = known_provider(cursor, provider, providers);
    let visible = model.bytes().all(|byte| byte.is_ascii_graphic());
    if model.is_empty() || model.len() > LONGEST_MODEL || !visible {
        return cursor.fail(format_args!(
            "{} is not a model's name: 1 to {LONGEST_MODEL} visible ASCII characters",
            quoted(model)
        ));
    }
    Ok(Target {
        name: text.into(),
        provider: provider.into(),
        model: model.into(),
        dialect: dialect?,
        weight: 1,
        price: None,
        timeouts: Timeouts::default(),
    })
}

/// The dialect of a provider that must be in the file.
pub(super) fn known_provider(
    cursor: &Cursor<'_>,
    name: &str,
    providers: &Providers<'_>,
) -> Read<Dialect> {
    let Some(dialect) = providers.get(name) else {
        let known: Vec<&str> = providers.keys().copied().collect();
        let hint = hint(name, &known);
        return cursor.fail(format_args!(
            "there is no provider {}; {hint}",
            quoted(name)
        ));
    };
    dialect.ok_or(Reported)
}
