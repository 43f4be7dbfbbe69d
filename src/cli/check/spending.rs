//! What is hardly meant of keys and quotas.

use std::time::{Duration, SystemTime};

use super::accounts::holders;
use crate::account::{Each, Key, KeyEntry, Quota, Scope};
use crate::edge::Settings;
use crate::route::Route;
use crate::telemetry::Timestamp;

/// As long as it takes to replace a key without haste.
const SOON: Duration = Duration::from_hours(30 * 24);

/// A line for each thing to think about.
pub(super) fn advice(settings: &Settings, now: SystemTime) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in settings.keys.entries() {
        lines.extend(ending(entry, now));
    }
    for quota in &settings.quotas.all {
        lines.extend(unpriced(quota, settings));
        lines.extend(of_nobody(quota, settings));
        lines.extend(nameless(quota));
    }
    lines
}

/// A key that ends by itself stops its application on a day that nobody thinks of.
fn ending(entry: &KeyEntry, now: SystemTime) -> Vec<String> {
    let name = &entry.key.name;
    let count = entry.proofs.len();
    let secrets = entry.proofs.iter().zip(1..).map(|(proof, number)| {
        let what = format!("key {name}: its secret {number} of {count}");
        (what, proof.not_after)
    });
    let whole = (format!("key {name}"), entry.terms.expires);
    std::iter::once(whole)
        .chain(secrets)
        .filter_map(|(what, end)| {
            let end = end?;
            let shown = Timestamp(end).to_second();
            match end.duration_since(now) {
                Ok(rest) if rest.is_zero() => Some(format!("{what} has expired on {shown}")),
                Err(_) => Some(format!("{what} has expired on {shown}")),
                Ok(rest) if rest <= SOON => Some(format!("{what} expires on {shown}")),
                Ok(_) => None,
            }
        })
        .collect()
}

/// Money is counted by prices: where none is known, all is free.
fn unpriced(quota: &Quota, settings: &Settings) -> Option<String> {
    if quota.budgets.is_empty() && quota.ceiling.is_none() {
        return None;
    }
    let routes = settings.routes.iter();
    let concerns = |route: &&std::sync::Arc<Route>| reaches(quota, route, settings);
    let priced = routes
        .filter(concerns)
        .any(|route| route.targets().any(|target| target.price.is_some()));
    (!priced).then(|| {
        format!(
            "quota {} of {}: its budget counts nothing, for no price of the targets that it pays \
             for is known; `price` can say it",
            quota.name,
            holders(&quota.scope)
        )
    })
}

/// Whether a quota can pay for what a route does.
fn reaches(quota: &Quota, route: &Route, settings: &Settings) -> bool {
    let of = |holds: &dyn Fn(&Key) -> bool| {
        let mut keys = settings.keys.iter();
        keys.any(|key| holds(key) && key.routes.allows(&route.name))
    };
    match &quota.scope {
        Scope::All => true,
        Scope::Route(name) => *name == route.name,
        Scope::Key(name) => of(&|key| key.name == *name),
        Scope::Tag(name, value) => of(&|key| key.tags.get(name) == Some(value)),
    }
}

/// A tag that no key has is a slip of the pen, or of a colleague who took it away.
fn of_nobody(quota: &Quota, settings: &Settings) -> Option<String> {
    let Scope::Tag(name, value) = &quota.scope else {
        return None;
    };
    let mut keys = settings.keys.iter();
    let found = keys.any(|key| key.tags.get(name) == Some(value));
    (!found).then(|| {
        format!(
            "quota {}: no key has the tag {name} {value}, so it holds for nobody",
            quota.name
        )
    })
}

/// A client that likes another count takes another name.
fn nameless(quota: &Quota) -> Option<String> {
    let (each, named) = match quota.each {
        Each::User => ("user", "`user`"),
        Each::Session => ("session", "x-segue-session"),
        Each::Together | Each::Key => return None,
    };
    Some(format!(
        "quota {}: a count for each {each} holds for clients that are trusted with {named}: \
         nobody need name one, and those that do not share one count",
        quota.name
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    /// What is said of a file with these keys and quotas, on 2026-12-20.
    fn advised(rest: &str) -> Vec<String> {
        let text = format!(
            "listen: [{{address: 127.0.0.1:8080}}]\n\
             allow_literal_secrets: true\n\
             providers: {{a: {{dialect: openai, base_url: https://a.example}}}}\n\
             routes:\n  free: a/m\n  \
             paid: {{tiers: [[{{target: a/p, price: {{input: 1, output: 2}}}}]]}}\n{rest}\n"
        );
        let settings = config::parse(&text, Path::new("segue.yaml"), &|_: &str| None);
        let settings = settings.unwrap_or_else(|errors| panic!("{errors}"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(20_807 * 24);
        advice(&settings, now)
    }

    /// Keys and quotas, and the one line that is said of them.
    const HARDLY_MEANT: [(&str, &str); 17] = [
        ("keys: [{name: k, secret: s, expires: 2027-03-01}]", ""),
        (
            "keys: [{name: k, secret: s, expires: 2026-12-31}]",
            "key k expires on 2027-01-01T00:00:00Z",
        ),
        (
            "keys: [{name: k, secret: s, expires: 2026-12-19}]",
            "key k has expired on 2026-12-20T00:00:00Z",
        ),
        (
            "keys: [{name: k, secrets: [s, {secret: t, not_after: 2026-12-20}]}]",
            "key k: its secret 2 of 2 expires on 2026-12-21T00:00:00Z",
        ),
        (
            "keys: [{name: k, secret: s, budget: {usd: 1, per: day}}]",
            "",
        ),
        (
            "keys: [{name: k, secret: s, routes: [paid], budget: {usd: 1, per: day}}]",
            "",
        ),
        (
            "keys: [{name: k, secret: s, routes: [free], budget: {usd: 1, per: day}}]",
            "quota k of key k: its budget counts nothing",
        ),
        (
            "keys: [{name: k, secret: s, routes: [free], limits: {usd_per_exchange: 1}}]",
            "quota k of key k: its budget counts nothing",
        ),
        (
            "keys: [{name: k, secret: s, routes: [free], limits: {concurrent: 1}}]",
            "",
        ),
        (
            "quotas: [{name: q, for: {route: free}, budget: {usd: 1, per: day}}]",
            "quota q of route free: its budget counts nothing",
        ),
        (
            "quotas: [{name: q, for: {route: paid}, budget: {usd: 1, per: day}}]",
            "",
        ),
        (
            "quotas: [{name: q, for: all, budget: {usd: 1, per: day}}]",
            "",
        ),
        (
            "quotas: [{name: q, for: {tag: {tier: free}}, limits: {concurrent: 1}}]",
            "quota q: no key has the tag tier free",
        ),
        (
            "keys: [{name: k, secret: s, tags: {tier: free}}]\n\
             quotas: [{name: q, for: {tag: {tier: free}}, limits: {concurrent: 1}}]",
            "",
        ),
        (
            "quotas: [{name: q, for: all, each: user, limits: {concurrent: 1}}]",
            "quota q: a count for each user",
        ),
        (
            "quotas: [{name: q, for: all, each: session, limits: {concurrent: 1}}]",
            "quota q: a count for each session",
        ),
        (
            "quotas: [{name: q, for: all, each: key, limits: {concurrent: 1}}]",
            "",
        ),
    ];

    #[test]
    fn what_is_hardly_meant_of_keys_and_quotas_is_told() {
        for (rest, expected) in HARDLY_MEANT {
            let found = advised(rest);
            if expected.is_empty() {
                assert_eq!(found, Vec::<String>::new(), "{rest}");
                continue;
            }
            assert_eq!(found.len(), 1, "{rest}: {found:#?}");
            assert!(found[0].starts_with(expected), "{rest}: {found:#?}");
        }
    }
}
