//! The top of the file: all sections, and the rules between them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::accounts;
use super::cursor::{Cursor, Literals, Read, all};
use super::drills;
use super::keys::{self, Callers};
use super::limits;
use super::listen::{self, Bound};
use super::passthrough;
use super::policy::Layer;
use super::providers;
use super::quotas::{self, Known};
use super::routes;
use super::samples;
use super::section::Section;
use super::shared;
use super::store;
use super::targets::{Providers, Vendor};
use super::traces;
use super::watch;
use crate::account::shared::SharedSettings;
use crate::account::store::StoreSettings;
use crate::account::{Quota, Quotas};
use crate::edge::{Drills, Limits, ProviderSettings, Settings};
use crate::route::{Family, Policy};

/// Reads the whole file.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Settings> {
    let mut section = Section::open(cursor)?;
    // First, since it decides how every secret is read.
    if section.or("allow_literal_secrets", false, Cursor::boolean) == Ok(true) {
        cursor.reading.literals.set(Literals::Allowed);
    }
    let listen_at = section.required("listen");
    let mut bound = Vec::new();
    let listeners = listen_at.and_then(|cursor| listen::read(&cursor, &mut bound));
    let admin = listen::admin(&mut section, &bound);

    let providers_at = section.required("providers");
    let providers = providers_at
        .clone()
        .and_then(|cursor| providers::read(&cursor));
    let known = known(
        providers_at.as_ref().ok(),
        providers.as_deref().unwrap_or_default(),
    );
    let defaults = defaults(&mut section);
    let routes_at = section.required("routes");
    let routes = routes_at
        .clone()
        .and_then(|cursor| routes::read(&cursor, &defaults, &known));
    let passthrough = section.maybe("passthrough", |at| passthrough::read(at, &known));

    let names = names(routes_at.as_ref().ok());
    let callers = callers(&mut section, &names, &bound);
    let (routes, of_routes) = match routes {
        Ok((routes, quotas)) => (Ok(routes), quotas),
        Err(reported) => (Err(reported), Vec::new()),
    };
    let accounts = accounts(&mut section, cursor);
    let quotas = quotas(&mut section, &callers, accounts.rules, of_routes, &names);
    let limits = section.or("limits", Limits::default(), limits::read);
    let log = section.or("log", limits::shipped_log(), limits::log);
    let secrets = providers.as_deref().unwrap_or_default();
    let samples = section.maybe("samples", |at| samples::read(at, secrets));
    let watch = section.or("reload", None, watch::read);
    let drain = section.or("drain", limits::DRAIN, limits::drain);
    let traces = section.maybe("traces", traces::read);
    let drills = drills(&mut section, &callers);
    section.close();
    Ok(Settings {
        admin: admin?,
        keys: callers?.keys,
        quotas: Arc::new(quotas?),
        providers: providers?,
        routes: routes?,
        passthrough: passthrough?,
        limits: limits?,
        log: log?,
        samples: samples?.flatten(),
        traces: traces?,
        store: accounts.store?,
        shared: accounts.shared?,
        watch: watch?,
        drain: drain?,
        drills: drills?,
        listeners: listeners?,
    })
}

/// The rules between all quotas, where usage is kept, and where counts are shared.
struct Accounts {
    rules: Read<Quotas>,
    store: Read<Option<StoreSettings>>,
    shared: Read<Option<SharedSettings>>,
}

fn accounts(section: &mut Section<'_>, root: &Cursor<'_>) -> Accounts {
    let Some(cursor) = section.optional("accounts") else {
        return Accounts {
            rules: Ok(Quotas::default()),
            store: Ok(store::shipped(root)),
            shared: Ok(None),
        };
    };
    let mut section = match Section::open(&cursor) {
        Ok(section) => section,
        Err(reported) => {
            return Accounts {
                rules: Err(reported),
                store: Err(reported),
                shared: Err(reported),
            };
        }
    };
    let accounts = Accounts {
        rules: accounts::read(&mut section),
        store: store::read(&mut section, root),
        shared: shared::read(&mut section),
    };
    section.close();
    accounts
}

/// What routes inherit, not yet cut to fit. What `defaults` says must make sense by itself before
/// routes build on it.
fn defaults(section: &mut Section<'_>) -> Read<Policy> {
    let shipped = Policy::default();
    let Some(cursor) = section.optional("defaults") else {
        return Ok(shipped);
    };
    let mut section = Section::open(&cursor)?;
    let layer = Layer::read(&mut section);
    section.close();
    let layer = layer?;
    let policy = layer.over(&shipped);
    layer.fit(&policy)?;
    Ok(policy)
}

/// The providers by the names in the file, so that one with mistakes is not unknown as well.
fn known<'a>(cursor: Option<&Cursor<'a>>, read: &[ProviderSettings]) -> Providers<'a> {
    let names = names(cursor);
    let vendor = |name: &str| {
        let found = read
            .iter()
            .find(|provider| provider.spec.name.as_ref() == name);
        found.map(|provider| Vendor {
            dialect: provider.dialect,
            profile: Arc::clone(&provider.profile),
            family: Family::of(
                provider.dialect,
                &provider.spec.base.host,
                &provider.profile.name,
            ),
        })
    };
    names.into_iter().map(|name| (name, vendor(name))).collect()
}

fn names<'a>(cursor: Option<&Cursor<'a>>) -> BTreeSet<&'a str> {
    cursor
        .map(Cursor::key_names)
        .unwrap_or_default()
        .into_iter()
        .collect()
}

/// Without keys anybody may call, and anybody must then be this machine.
fn callers(section: &mut Section<'_>, routes: &BTreeSet<&str>, bound: &Bound<'_>) -> Read<Callers> {
    let callers = section.or("keys", Callers::default(), |at| keys::read(at, routes))?;
    let keys = &callers.keys;
    let open = bound
        .iter()
        .filter(|(address, _)| keys.is_empty() && !address.ip().is_loopback());
    let closed = all(open.map(|(address, cursor)| {
        cursor.fail::<()>(format_args!(
            "anybody could call: {address} is not a loopback address and there are no `keys`"
        ))
    }));
    closed.and(Ok(callers))
}

/// Who may ask for trouble, of the callers that are known.
fn drills(section: &mut Section<'_>, callers: &Read<Callers>) -> Read<Drills> {
    let keys = callers.as_ref().ok().map(|callers| &callers.keys);
    section.or("drills", Drills::default(), |at| drills::read(at, keys))
}

/// The quotas of keys, of routes and of the list, and the rules between them.
fn quotas(
    section: &mut Section<'_>,
    callers: &Read<Callers>,
    rules: Read<Quotas>,
    of_routes: Vec<Quota>,
    routes: &BTreeSet<&str>,
) -> Read<Quotas> {
    let callers = callers.as_ref().ok();
    let mut all = callers.map_or_else(Vec::new, |callers| callers.quotas.clone());
    all.extend(of_routes);
    let listed = section.or("quotas", Vec::new(), |cursor| {
        let name = |callers: &Callers| {
            let keys = callers.keys.iter();
            keys.map(|key| Arc::clone(&key.name)).collect()
        };
        let known = Known {
            keys: callers.map(name),
            routes,
            own: &all,
        };
        quotas::read(cursor, &known)
    });
    all.extend(listed?);
    Ok(Quotas { all, ..rules? })
}
