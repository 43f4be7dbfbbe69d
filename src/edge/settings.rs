//! A whole configuration, checked: what `config` builds and a `Generation` is raised from.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::sign::CertifiedKey;

use crate::account::shared::SharedSettings;
use crate::account::store::StoreSettings;
use crate::account::{Keys, Quotas};
use crate::dialect::Profile;
use crate::exchange::Dialect;
use crate::route::Routes;
use crate::telemetry::{SampleSettings, TraceSettings};
use crate::units::ByteSize;
use crate::upstream::ProviderSpec;

/// Everything that a config file says, in the types of the rooms that use it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients connect; at least one.
    pub listeners: Vec<ListenerSettings>,
    /// The operators' own listener.
    pub admin: AdminSettings,
    /// Who may call. Empty only when every listener is on loopback.
    pub keys: Keys,
    /// What callers may take.
    pub quotas: Arc<Quotas>,
    /// The upstream accounts.
    pub providers: Vec<ProviderSettings>,
    /// The model names on offer. Every target names a provider in `providers`.
    pub routes: Routes,
    /// Where uninterpreted paths go; `None` answers them 404.
    pub passthrough: Option<Passthrough>,
    /// Bounds on what clients may take.
    pub limits: Limits,
    /// Access log and diagnostics.
    pub log: LogSettings,
    /// What is sampled; `None` samples nothing.
    pub samples: Option<SampleSettings>,
    /// Where spans go; `None` makes none.
    pub traces: Option<TraceSettings>,
    /// Where usage is kept; `None` keeps none.
    pub store: Option<StoreSettings>,
    /// Where machines share their counts; `None`: each counts for itself.
    pub shared: Option<SharedSettings>,
    /// How often the files that it was read from are looked at for a change; `None`: never.
    pub watch: Option<Duration>,
    /// How long running streams may go on after TERM.
    pub drain: Duration,
    /// Who may ask for trouble by `x-segue-drill`.
    pub drills: Drills,
}

/// Who may ask for trouble, to see how a program takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Drills {
    /// Nobody: the header is one like any other.
    #[default]
    Off,
    /// Whoever may call.
    Anybody,
    /// The keys of these names.
    Of(BTreeSet<Arc<str>>),
}

/// A provider and the format it speaks.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// What `upstream` needs.
    pub spec: ProviderSpec,
    /// What `dialect` needs.
    pub dialect: Dialect,
    /// How it differs from its format.
    pub profile: Arc<Profile>,
}

/// One listening address.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The address; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// TLS, or plain HTTP.
    pub tls: Option<ListenerTls>,
}

/// TLS on a listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// The certificates, the first of them also for clients that name no known host.
    pub certificates: Vec<CertifiedName>,
    /// The oldest version spoken.
    pub versions: TlsVersions,
    /// Whether clients prove themselves by certificate.
    pub client_auth: ClientAuth,
    /// Client certificates that no longer prove anything.
    pub revoked: Option<RevokedCertificates>,
    /// Whether `h2` is offered beside `http/1.1`.
    pub http2: bool,
}

/// A certificate chain with its key, and the names it serves by SNI.
#[derive(Clone, Debug)]
pub struct CertifiedName {
    /// Exact names and `*.` wildcards, lower case, read from the certificate.
    pub names: Vec<String>,
    /// Chain and key, checked to match.
    pub key: Arc<CertifiedKey>,
    /// When the leaf expires, in seconds since 1970.
    pub not_after: i64,
    /// The file, for messages.
    pub path: PathBuf,
}

/// Lists of revoked client certificates, each well-formed.
#[derive(Clone, Debug)]
pub struct RevokedCertificates {
    /// The lists.
    pub lists: Vec<CertificateRevocationListDer<'static>>,
    /// When the first of them ends to hold, in seconds since 1970.
    pub until: i64,
    /// The file, for messages.
    pub path: PathBuf,
}

/// TLS versions spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// TLS 1.2 and 1.3.
    #[default]
    From12,
    /// TLS 1.3 only.
    Only13,
}

/// Client certificates.
#[derive(Clone, Debug, Default)]
pub enum ClientAuth {
    /// Not asked for.
    #[default]
    Off,
    /// Asked for; a client without one is served.
    Optional(Arc<RootCertStore>),
    /// Asked for; a client without one is refused in the handshake.
    Required(Arc<RootCertStore>),
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// A loopback address, or `None` for no admin listener.
    pub address: Option<SocketAddr>,
}

/// Where paths go that segue does not interpret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passthrough {
    /// The provider's name.
    pub provider: Arc<str>,
    /// Raw path prefixes that may pass, each beginning with `/v1/`.
    pub paths: Vec<String>,
}

/// Bounds on what clients may take (see `docs/configuration.md` for the reasons).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request's head.
    pub head: ByteSize,
    /// The time for a request's head; also for the TLS handshake.
    pub head_time: Duration,
    /// A request's body.
    pub body: ByteSize,
    /// The time for a request's body.
    pub body_time: Duration,
    /// What a body must keep on average once its first ten seconds are over, in bytes a second.
    pub body_rate: ByteSize,
    /// How long a connection may idle between requests.
    pub idle: Duration,
    /// Requests on one connection.
    pub requests_per_connection: u32,
    /// Connections in all.
    pub connections: u32,
    /// Connections from one address.
    pub connections_per_address: u32,
    /// Exchanges under way.
    pub exchanges: u32,
    /// Exchanges under way of one client key.
    pub exchanges_per_key: u32,
    /// Attempts under way at one provider.
    pub attempts_per_provider: u32,
    /// Request bodies and whole answers held in memory, all exchanges together.
    pub buffered: ByteSize,
    /// A whole (not streamed) answer.
    pub answer: ByteSize,
    /// One event of a stream.
    pub event: ByteSize,
    /// The longest time in which a client takes no byte of its answer.
    pub client_write: Duration,
    /// Concurrent HTTP/2 streams of a connection.
    pub h2_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: ByteSize::kib(64),
            head_time: Duration::from_secs(10),
            body: ByteSize::mib(32),
            body_time: Duration::from_mins(1),
            body_rate: ByteSize::kib(1),
            idle: Duration::from_mins(1),
            requests_per_connection: 10_000,
            connections: 10_000,
            connections_per_address: 1_000,
            exchanges: 5_000,
            exchanges_per_key: 500,
            attempts_per_provider: 1_000,
            buffered: ByteSize::mib(512),
            answer: ByteSize::mib(32),
            event: ByteSize::mib(16),
            client_write: Duration::from_mins(1),
            h2_streams: 100,
        }
    }
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The access log.
    pub access: LogTarget,
    /// Lines that may wait for the writer; beyond it they are dropped and counted.
    pub queue: usize,
    /// What the diagnostics say, in the form of `RUST_LOG`.
    pub level: String,
}

/// A sink of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// A file, appended to and opened anew at a reload.
    File(PathBuf),
    /// Nowhere.
    Off,
}
