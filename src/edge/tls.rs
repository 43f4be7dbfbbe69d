//! A listener's TLS: versions, suites, certificates by name, client certificates.
//!
//! A reload swaps the whole configuration; handshakes under way keep the one they began with. Each
//! has its own ticket keys and session cache, so nothing is resumed that an older one allowed.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoClientAuth, ResolvesServerCert, ServerSessionMemoryCache, VerifierBuilderError,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::settings::{CertifiedName, ClientAuth, ListenerTls, TlsVersions};

/// Why a TLS configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate at all.
    #[error("a TLS listener needs a certificate")]
    NoCertificate,
    /// The bundle for client certificates is empty or unusable.
    #[error("client certificates cannot be verified")]
    ClientAuth(#[from] VerifierBuilderError),
    /// Versions without a suite, or no random numbers for the ticket keys.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// A listener's TLS as it is now.
#[derive(Debug)]
pub struct Tls(ArcSwap<Loaded>);

/// A TLS configuration that is ready to be put in place.
#[derive(Debug)]
pub struct PreparedTls(Loaded);

#[derive(Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    resolver: Arc<Resolver>,
    /// Until when the lists of revoked client certificates hold, in seconds since 1970.
    lists_until: Option<i64>,
}

/// Sessions that TLS 1.2 clients without tickets may resume.
const SESSIONS: usize = 1_024;

impl Tls {
    /// TLS by `settings`.
    pub fn new(settings: &ListenerTls) -> Result<Self, TlsError> {
        Ok(Self(ArcSwap::from_pointee(Loaded::new(settings)?)))
    }

    /// Makes ready what [`Tls::swap`] puts in place: all that can fail of it.
    pub fn prepare(settings: &ListenerTls) -> Result<PreparedTls, TlsError> {
        Loaded::new(settings).map(PreparedTls)
    }

    /// Makes what was prepared hold for the handshakes to come.
    pub fn swap(&self, prepared: PreparedTls) {
        self.0.store(Arc::new(prepared.0));
    }

    /// The certificates now served, with the times of their expiry.
    pub fn certificates(&self) -> Vec<CertifiedName> {
        self.0.load().resolver.0.clone()
    }

    /// Until when the lists of revoked client certificates hold, in seconds since 1970: behind it no
    /// client certificate is taken.
    pub fn lists_until(&self) -> Option<i64> {
        self.0.load().lists_until
    }

    /// What the next handshake uses.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.load().config)
    }
}

impl Loaded {
    fn new(settings: &ListenerTls) -> Result<Self, TlsError> {
        if settings.certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let resolver = Arc::new(Resolver(settings.certificates.clone()));
        let provider = Arc::new(ring::default_provider());
        let versions: &[&SupportedProtocolVersion] = match settings.versions {
            TlsVersions::From12 => &[&TLS13, &TLS12],
            TlsVersions::Only13 => &[&TLS13],
        };
        let verifier = client_verifier(settings, &provider)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::<Resolver>::clone(&resolver));
        config.ticketer = ring::Ticketer::new()?;
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        let offered: &[&[u8]] = if settings.http2 {
            &[b"h2", b"http/1.1"]
        } else {
            &[b"http/1.1"]
        };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        // All suites are good ones; scanners want the order to be somebody's, and it is ours then.
        config.ignore_client_order = true;
        // 0-RTT data can be replayed by whoever records it; this is also rustls's default.
        config.max_early_data_size = 0;
        Ok(Self {
            config: Arc::new(config),
            resolver,
            lists_until: settings.revoked.as_ref().map(|revoked| revoked.until),
        })
    }
}

/// Every certificate of a client's chain must be on a list's good side, and the list must still
/// hold: what is not known to be good is refused.
fn client_verifier(
    settings: &ListenerTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let builder = |roots: &Arc<RootCertStore>| {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider));
        match &settings.revoked {
            Some(revoked) => builder
                .with_crls(revoked.lists.iter().cloned())
                .enforce_revocation_expiration(),
            None => builder,
        }
    };
    match &settings.client_auth {
        ClientAuth::Off => Ok(Arc::new(NoClientAuth)),
        ClientAuth::Optional(roots) => builder(roots).allow_unauthenticated().build(),
        ClientAuth::Required(roots) => builder(roots).build(),
    }
}

/// Chooses a certificate: by exact name, else by wildcard, else the first. Of equals it takes the
/// first whose key can sign in a way that the client knows.
#[derive(Debug)]
struct Resolver(Vec<CertifiedName>);

impl Resolver {
    fn choose(
        &self,
        name: Option<&str>,
        signs: impl Fn(&CertifiedKey) -> bool,
    ) -> Option<&Arc<CertifiedKey>> {
        let find = |matches: &dyn Fn(&str) -> bool| {
            let of_name = |it: &&CertifiedName| it.names.iter().any(|own| matches(own));
            let mut able = self.0.iter().filter(of_name).filter(|it| signs(&it.key));
            able.next().map(|it| &it.key)
        };
        let by_name = name.and_then(|name| {
            find(&|own| own == name).or_else(|| find(&|own| is_wildcard_for(own, name)))
        });
        let default = || self.0.iter().find(|it| signs(&it.key)).or(self.0.first());
        by_name.or_else(|| default().map(|it| &it.key))
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives the name in lower case.
        let signs = |key: &CertifiedKey| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.choose(hello.server_name(), signs).cloned()
    }
}

/// A wildcard stands for exactly one label (RFC 6125 section 6.4.3).
fn is_wildcard_for(own: &str, name: &str) -> bool {
    let Some(parent) = own.strip_prefix("*.") else {
        return false;
    };
    name.split_once('.')
        .is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
}
