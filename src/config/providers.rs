//! `providers`: the upstream accounts.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::certificate;
use super::cursor::{Cursor, Read, Reported, all};
use super::health;
use super::peers::{self, Reach};
use super::profile;
use super::secret;
use super::section::{LATER, Section};
use super::url::{self, Endpoint};
use crate::dialect::{Auth, Paths, Profile};
use crate::edge::ProviderSettings;
use crate::exchange::Dialect;
use crate::upstream::{Balance, BaseUrl, Credential, PoolSpec, ProviderSpec, Scheme, TlsSpec};

/// The longest name of a provider.
const LONGEST_NAME: usize = 64;

/// The dialects; those of later versions are `None`.
const DIALECTS: [(&str, Option<Dialect>); 5] = [
    ("openai", Some(Dialect::OpenAi)),
    ("openai_responses", None),
    ("anthropic", Some(Dialect::Anthropic)),
    ("gemini", Some(Dialect::Gemini)),
    ("bedrock", None),
];

const BALANCES: [(&str, Balance); 3] = [
    ("round_robin", Balance::RoundRobin),
    ("least_busy", Balance::LeastBusy),
    ("consistent", Balance::Consistent),
];

/// Reads all providers, by name.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Vec<ProviderSettings>> {
    let named = cursor.named()?;
    all(named.iter().map(|(name, cursor)| {
        let checked = check_name(name, cursor);
        let provider = provider(name, cursor);
        checked.and(provider)
    }))
}

/// A provider's name ends at the first slash of `provider/model`.
fn check_name(name: &str, cursor: &Cursor<'_>) -> Read<()> {
    if name.contains('/') {
        return cursor.fail_at_key("a provider's name cannot hold a slash");
    }
    cursor.check_key(name, LONGEST_NAME)
}

fn provider(name: &str, cursor: &Cursor<'_>) -> Read<ProviderSettings> {
    let mut section = Section::open(cursor)?;
    section.later(&["limits"]);
    let dialect = section.required("dialect").and_then(|cursor| {
        let Some(dialect) = cursor.choice(&DIALECTS)? else {
            return cursor.fail(LATER);
        };
        Ok(dialect)
    });
    let url = section
        .required("base_url")
        .and_then(|cursor| Ok((url::read(&cursor)?, cursor)));
    let profile = section.maybe("profile", |cursor| {
        if dialect.is_ok_and(|dialect| dialect != Dialect::OpenAi) {
            return cursor.fail_at_key("only providers of dialect `openai` have one");
        }
        profile::read(cursor, &Profile::PLAIN)
    });
    let version = section.maybe("api_version", |cursor| cursor.name(LONGEST_NAME));
    let auth = section.maybe("auth", |cursor| cursor.choice(&profile::AUTHS));
    let auth = auth.map(|written| {
        let known = profile.as_ref().ok().and_then(Option::as_ref);
        written.unwrap_or_else(|| usual(dialect.ok(), known))
    });
    let credential = section.maybe("credential", |cursor| {
        credential(cursor, auth.unwrap_or_default())
    });
    let balance = section.or("balance", Balance::default(), |cursor| {
        cursor.choice(&BALANCES)
    });
    let pool = pool(&mut section, url);
    section.close();
    let (base, mut pool) = pool?;
    pool.balance = balance?;
    let profile = placed(profile?.unwrap_or_default(), version?, &base);
    auth?;
    let spec = ProviderSpec {
        name: name.into(),
        base,
        credential: credential?,
        pool,
    };
    Ok(ProviderSettings {
        spec,
        dialect: dialect?,
        profile: Arc::new(profile),
    })
}

/// The header of a dialect, or of the profile.
fn usual(dialect: Option<Dialect>, profile: Option<&Profile>) -> Auth {
    match dialect {
        Some(Dialect::Anthropic) => Auth::XApiKey,
        Some(Dialect::Gemini) => Auth::XGoogApiKey,
        Some(Dialect::OpenAi) | None => profile
            .map(|profile| profile.facts.auth)
            .unwrap_or_default(),
    }
}

/// Where the endpoints of a profile are below this URL: Azure's depend on the version.
fn placed(profile: Profile, version: Option<&str>, base: &BaseUrl) -> Profile {
    let paths = match (&*profile.name, version) {
        ("azure", _) if base.prefix.ends_with("/openai/v1") => Paths::Plain,
        ("azure", Some(_)) => Paths::AzureDeployments,
        ("azure", None) => Paths::AzureV1,
        _ => Paths::Plain,
    };
    Profile {
        paths,
        api_version: version.map(Into::into),
        ..profile
    }
}

/// What hangs together with the URL: peers, health checks and TLS.
fn pool(section: &mut Section<'_>, url: Read<(Endpoint, Cursor<'_>)>) -> Read<(BaseUrl, PoolSpec)> {
    let reach = section
        .or("private_peers", false, Cursor::boolean)
        .map(Reach::from);
    let peers = section.maybe("peers", peers::fixed);
    let dns = section.maybe("dns", |cursor| Ok((peers::every(cursor)?, cursor.clone())));
    let health = section.maybe("health", |cursor| {
        Ok((health::read(cursor)?, cursor.clone()))
    });
    let tls = section.maybe("tls", |cursor| Ok((tls(cursor)?, cursor.clone())));
    let (endpoint, base_at) = url?;
    let base = endpoint.base.clone();
    let peers = match (reach, peers, dns) {
        (Ok(reach), Ok(peers), Ok(dns)) => peers::resolve(&endpoint, &base_at, reach, peers, dns),
        _ => Err(Reported),
    };
    let tls = tls.and_then(|tls| tls_spec(tls, &base));
    let health = health.and_then(|health| match health {
        Some((check, cursor)) => health::fits(check, base.scheme, &cursor).map(Some),
        None => Ok(None),
    });
    let pool = PoolSpec {
        peers: peers?,
        balance: Balance::default(),
        health: health?,
        tls: tls?,
        private_peers: reach? == Reach::Private,
    };
    Ok((base, pool))
}

fn tls_spec(written: Option<(Tls, Cursor<'_>)>, base: &BaseUrl) -> Read<Option<TlsSpec>> {
    match (base.scheme, written) {
        (Scheme::Http, None) => Ok(None),
        (Scheme::Http, Some((_, cursor))) => {
            cursor.fail_at_key("has no effect: `base_url` begins with http://")
        }
        (Scheme::Https, written) => {
            let Tls { ca, http2 } = written.map(|(tls, _)| tls).unwrap_or_default();
            Ok(Some(TlsSpec {
                name: base.host.clone(),
                ca,
                http2,
            }))
        }
    }
}

/// `tls` of a provider. HTTP/2 is off unless asked for: on one shared connection a fault of the
/// provider's ends all its streams at once.
#[derive(Default)]
struct Tls {
    ca: Option<Vec<CertificateDer<'static>>>,
    http2: bool,
}

fn tls(cursor: &Cursor<'_>) -> Read<Tls> {
    let mut section = Section::open(cursor)?;
    let ca = section.maybe("ca", certificate::authorities);
    let http2 = section.or("http2", false, Cursor::boolean);
    section.close();
    Ok(Tls {
        ca: ca?,
        http2: http2?,
    })
}

/// The header that proves who we are.
fn credential(cursor: &Cursor<'_>, auth: Auth) -> Read<Credential> {
    if cursor.text()? == "client" {
        return cursor.fail(LATER);
    }
    let secret = secret::read(cursor)?;
    let text = Zeroizing::new(format!("{}{}", auth.scheme(), secret.expose()));
    let Ok(mut value) = HeaderValue::from_str(&text) else {
        return cursor.fail("the secret cannot stand in a header");
    };
    value.set_sensitive(true);
    Ok(Credential {
        header: HeaderName::from_static(auth.header()),
        value,
    })
}
