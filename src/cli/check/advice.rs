//! What is no mistake, but hardly meant.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::Price;
use crate::config::show_usd;
use crate::edge::{ProviderSettings, Settings};
use crate::exchange::{Abilities, Need, Needs};
use crate::route::{self, Family, Route, Target};

/// The providers by name.
type Providers<'a> = BTreeMap<&'a str, &'a ProviderSettings>;

/// A line for each thing to think about, none of them twice.
pub(super) fn advice(settings: &Settings) -> Vec<String> {
    let providers = providers(settings);
    let mut lines = Vec::new();
    for route in settings.routes.iter().flat_map(|route| route.forms()) {
        lines.extend(one_provider(route, &providers));
        lines.extend(route.targets().filter_map(moving));
        lines.extend(route.targets().filter_map(|it| unknown(it, &providers)));
        lines.extend(route.targets().filter_map(|it| retiring(it, &providers)));
        lines.extend(dearer(route));
        lines.extend(unable(route));
    }
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

fn providers(settings: &Settings) -> Providers<'_> {
    let named = |provider| -> (_, _) {
        let provider: &ProviderSettings = provider;
        (provider.spec.name.as_ref(), provider)
    };
    settings.providers.iter().map(named).collect()
}

/// Fallback is for the day on which a provider is down, and a chain within it is down with it.
fn one_provider(route: &Route, providers: &Providers<'_>) -> Option<String> {
    let alone = at_one_place(route, providers)?;
    Some(format!("route {}: {alone}", route.title()))
}

/// What is said of a route whose several targets are all at one place.
pub(in crate::cli) fn alone(route: &Route, settings: &Settings) -> Option<String> {
    at_one_place(route, &providers(settings))
}

/// Two accounts at one host are one provider.
fn at_one_place(route: &Route, providers: &Providers<'_>) -> Option<String> {
    let count = route.targets().count();
    let names: BTreeSet<&str> = route.targets().map(|it| it.provider.as_ref()).collect();
    let hosts: BTreeSet<(&str, u16)> = names
        .iter()
        .filter_map(|name| providers.get(name))
        .map(|it| (it.spec.base.host.as_str(), it.spec.base.port))
        .collect();
    let ([(host, _)], true) = (&*hosts.into_iter().collect::<Vec<_>>(), count > 1) else {
        return None;
    };
    let place = match *names.into_iter().collect::<Vec<_>>() {
        [name] => format!("the provider {name}"),
        _ => format!("the host {host}"),
    };
    Some(format!(
        "all {count} targets are at {place}, and when it is down, so are they"
    ))
}

/// Answers were tried out with one model, and come from another on the day the vendor likes.
fn moving(target: &Target) -> Option<String> {
    route::is_moving(&target.model).then(|| {
        format!(
            "target {}: its name stands for whichever model the vendor likes; name one edition",
            target.name
        )
    })
}

fn known(target: &Target, providers: &Providers<'_>) -> Option<&'static route::Model> {
    let provider = providers.get(target.provider.as_ref())?;
    let family = Family::of(
        provider.dialect,
        &provider.spec.base.host,
        &target.profile.name,
    )?;
    route::model(family, &target.model)
}

/// A server in one's own network calls its models as it likes.
fn unknown(target: &Target, providers: &Providers<'_>) -> Option<String> {
    let own = providers
        .get(target.provider.as_ref())?
        .spec
        .pool
        .private_peers;
    let silent = *target.abilities == Abilities::UNKNOWN && !own;
    (silent && known(target, providers).is_none()).then(|| {
        format!(
            "target {}: the model is not in the catalogue, so nothing is known of its window and \
             abilities; `capabilities` can say it",
            target.name
        )
    })
}

fn retiring(target: &Target, providers: &Providers<'_>) -> Option<String> {
    let day = known(target, providers)?.retires.as_ref()?;
    Some(format!(
        "target {}: the vendor switches the model off on {day}",
        target.name
    ))
}

/// A fallback that nobody thought through costs most on the day on which everybody takes it.
fn dearer(route: &Route) -> Vec<String> {
    let mut dearest: Option<(&Target, Price)> = None;
    let mut lines = Vec::new();
    for (index, tier) in route.tiers.iter().enumerate() {
        let priced = tier.targets.iter();
        let priced: Vec<(&Target, Price)> = priced
            .filter_map(|target| Some((target, target.price?)))
            .collect();
        if let Some((before, least)) = dearest.filter(|_| index > 0) {
            let over = |(_, price): &&(&Target, Price)| price.typical() > least.typical();
            lines.extend(priced.iter().filter(over).map(|(target, price)| {
                format!(
                    "route {}: {} falls back to {}, which is dearer: {} and {} USD for a million \
                     tokens in and out, against {} and {}",
                    route.title(),
                    before.name,
                    target.name,
                    show_usd(price.input),
                    show_usd(price.output),
                    show_usd(least.input),
                    show_usd(least.output),
                )
            }));
        }
        let most = priced.into_iter().max_by_key(|(_, price)| price.typical());
        dearest = dearest
            .into_iter()
            .chain(most)
            .max_by_key(|(_, price)| price.typical());
    }
    lines
}

/// What the tier above serves and a fallback never can: those requests have nowhere to go.
fn unable(route: &Route) -> Vec<String> {
    let mut lines = Vec::new();
    let pairs = route.tiers.iter().zip(route.tiers.iter().skip(1));
    for (above, below) in pairs {
        let lacked = above.targets.iter().map(|it| it.abilities.lacks);
        let lacked = lacked.reduce(Needs::common).unwrap_or_default();
        let window = above.targets.iter().map(Target::window).max().flatten();
        for target in &below.targets {
            let missing = target.abilities.lacks.except(lacked);
            let missing = missing.without(Need::Streaming).without(Need::Reasoning);
            let mut missing: Vec<String> =
                missing.iter().map(|need| need.name().to_owned()).collect();
            if let Some((own, above)) = target.window().zip(window)
                && own < above
            {
                missing.push(format!("prompts over {} tokens", own.0));
            }
            if !missing.is_empty() {
                lines.push(format!(
                    "route {}: {} cannot take over what the tier above serves: {}",
                    route.title(),
                    target.name,
                    missing.join(", ")
                ));
            }
        }
    }
    lines
}
