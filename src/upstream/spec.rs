//! What a provider is, checked: built by `config`, compared at a reload, never wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;

/// A provider as configured: everything that `Upstreams` needs to raise it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderSpec {
    /// The name in the config: for logs, metrics and `provider/model`.
    pub name: Arc<str>,
    /// Scheme, authority and path prefix. `peers` replaces its address, never its name.
    pub base: BaseUrl,
    /// What proves who we are; `None` for providers that ask for nothing.
    pub credential: Option<Credential>,
    /// Where it lives and how it is balanced.
    pub pool: PoolSpec,
}

/// The part of a provider that owns connections and health: pools with equal specs are kept
/// across a reload.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolSpec {
    /// The addresses, or the name to ask for.
    pub peers: Peers,
    /// How one peer is chosen.
    pub balance: Balance,
    /// Active checks; `None` leaves health to the requests themselves.
    pub health: Option<HealthCheck>,
    /// TLS towards the peers; `None` is plain HTTP.
    pub tls: Option<TlsSpec>,
    /// Whether names may resolve to loopback, private or link-local addresses.
    pub private_peers: bool,
}

/// Scheme, host, port and path prefix of a provider's endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// The host: the name of the certificate and of the `Host` header. No brackets for IPv6.
    pub host: String,
    /// The port, from the URL or the scheme.
    pub port: u16,
    /// The path before the endpoint's own, without a trailing slash: `/v1` or empty.
    pub prefix: String,
}

/// How the peers are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// A header that proves who we are. The value is marked sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `authorization`, `x-api-key`, `api-key`, …
    pub header: HeaderName,
    /// The whole value, scheme included. `Debug` prints `Sensitive`.
    pub value: HeaderValue,
}

/// Where peers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// Fixed addresses, at least one.
    Static(Vec<SocketAddr>),
    /// A name that is asked for on a timer.
    Dns {
        /// The name.
        host: String,
        /// The port of every answer.
        port: u16,
        /// The time between two questions.
        every: Duration,
    },
}

/// How one peer of a pool is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The one with the fewest calls under way.
    LeastBusy,
    /// By a hash of the prompt's head, so that equal prefixes meet a warm prompt cache.
    Consistent,
}

/// Active checks of a pool's peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: HealthProbe,
    /// The time between two rounds; each peer's start is spread within it.
    pub every: Duration,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// Failures in a row until a peer counts as down.
    pub failures: u32,
    /// Successes in a row until it counts as up again.
    pub successes: u32,
}

/// What an active check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthProbe {
    /// A TCP connection.
    Tcp,
    /// A TLS handshake with the provider's name and trust.
    Tls,
    /// A GET of this path that answers 2xx. Choose one that is not billed.
    Http(String),
}

/// TLS towards a provider. Verification cannot be switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    /// The name that the certificate must carry; also sent as SNI.
    pub name: String,
    /// A private CA instead of the public ones.
    pub ca: Option<Vec<CertificateDer<'static>>>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}
