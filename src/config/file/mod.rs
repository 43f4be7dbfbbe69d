//! The config file as written: the source of the JSON Schema.
//!
//! Loose on purpose. What a file must keep to beyond its shape is checked by the readers, which
//! tell every mistake with its place; serde would stop at the first. Tests hold the two together.

mod account;
mod policy;
mod profile;
mod route;
mod samples;
mod shared;
mod store;
mod traces;
mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::account::{
    AccountsFile, BudgetFile, DatedDigestFile, DatedSecretFile, EachFile, EverybodyFile,
    KeyDigestFile, KeyFile, KeySecretFile, OnBudgetFile, PeriodFile, QuotaFile, QuotaLimitsFile,
    ScopeFile, TaggedFile, WasteFile,
};
pub use self::policy::{
    BreakerFile, BreakerOnFile, CheckFile, ChoiceFile, ContractFile, DefaultsFile, HedgeAfterFile,
    HedgeFile, HedgeOnFile, HoldFile, HoldHeadFile, HoldWordFile, JsonFile, KeepaliveFile,
    MalformedFile, OnBreakFile, P95File, RefusalsFile, RetriesFile, ShareFile, TimeoutsFile,
    VerdictsFile,
};
pub use self::profile::{AuthFile, FullProfileFile, ProfileFile};
pub use self::route::{
    AbilityFile, CapabilitiesFile, FullRouteFile, FullTargetFile, FullTierFile, FullWhenFile,
    LongPriceFile, PrefillFile, PriceFile, RouteFile, SamplingFile, TargetFile, TargetLimitsFile,
    ThinkingFile, TierBalanceFile, TierFile, UpstreamStreamFile, VariantFile, WhenFile,
};
pub use self::samples::{AlwaysFile, SamplesFile, SamplesOnFile};
pub use self::shared::SharedFile;
pub use self::store::{OnFailureFile, StoreFile, StoreOnFile};
pub use self::traces::TracesFile;
pub use self::value::{
    AddressFile, DaysFile, DigestFile, DurationFile, MomentFile, NetworkFile, OffFile, PercentFile,
    SecretFile, SizeFile, TagFile, TargetName,
};

/// The config file of segue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Where clients connect.
    #[schemars(length(min = 1, max = 32))]
    pub listen: Vec<ListenFile>,
    /// The operators' own listener, for metrics and status: loopback only, or `off`.
    pub admin: Option<AdminFile>,
    /// Who may call. Without keys, every listener must be on loopback.
    pub keys: Option<Vec<KeyFile>>,
    /// What callers may take who are not one key and do not share one route.
    pub quotas: Option<Vec<QuotaFile>>,
    /// The rules between all quotas, and where usage is kept.
    pub accounts: Option<AccountsFile>,
    /// The upstream accounts, by name.
    #[schemars(extend("minProperties" = 1))]
    pub providers: BTreeMap<String, ProviderFile>,
    /// The model names on offer.
    #[schemars(extend("minProperties" = 1))]
    pub routes: BTreeMap<String, RouteFile>,
    /// What routes inherit.
    pub defaults: Option<DefaultsFile>,
    /// Where paths go that segue does not interpret; without it they are answered 404.
    pub passthrough: Option<PassthroughFile>,
    /// Bounds on what clients may take.
    pub limits: Option<LimitsFile>,
    /// Where log lines go.
    pub log: Option<LogFile>,
    /// Exchanges that are told in full, attempt by attempt. Default: none.
    pub samples: Option<SamplesFile>,
    /// OpenTelemetry traces; without it there are none.
    pub traces: Option<TracesFile>,
    /// When this file is read again, beside HUP.
    pub reload: Option<ReloadFile>,
    /// The end of the process.
    pub drain: Option<DrainFile>,
    /// Trouble that callers ask for, for staging.
    pub drills: Option<DrillsFile>,
    /// Whether secrets may stand in this file itself. Default: false.
    pub allow_literal_secrets: Option<bool>,
}

/// A listener.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenFile {
    /// The address; port 0 lets the kernel choose.
    pub address: AddressFile,
    /// TLS; without it the listener speaks plain HTTP.
    pub tls: Option<ListenTlsFile>,
}

/// TLS on a listener. Give `certificate` and `key`, or `certificates`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenTlsFile {
    /// The PEM file of the chain, leaf first.
    pub certificate: Option<String>,
    /// The PEM file of the private key.
    pub key: Option<String>,
    /// Several pairs, chosen by the name that the client asks for; the first is the fallback.
    #[schemars(length(min = 1))]
    pub certificates: Option<Vec<CertificateFile>>,
    /// The oldest version spoken. Default: "1.2".
    pub min_version: Option<VersionFile>,
    /// Whether HTTP/2 is offered. Default: true.
    pub http2: Option<bool>,
    /// The PEM file of the authorities of client certificates.
    pub client_ca: Option<String>,
    /// The PEM file of the lists of client certificates that were revoked. Default: none.
    pub client_crl: Option<String>,
    /// Whether clients show a certificate. Default: `required` with `client_ca`, else `off`.
    pub client_auth: Option<ClientAuthFile>,
}

/// A certificate and its key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFile {
    /// The PEM file of the chain, leaf first.
    pub certificate: String,
    /// The PEM file of the private key.
    pub key: String,
}

/// A TLS version; quoted, for YAML takes it for a number.
#[derive(Debug, Deserialize, JsonSchema)]
pub enum VersionFile {
    /// TLS 1.2 and 1.3.
    #[serde(rename = "1.2")]
    From12,
    /// TLS 1.3 only.
    #[serde(rename = "1.3")]
    Only13,
}

/// Client certificates.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthFile {
    /// Not asked for.
    Off,
    /// Asked for; a client without one is served.
    Optional,
    /// Asked for; a client without one is refused.
    Required,
}

/// The admin listener.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AdminFile {
    /// None.
    Off(OffFile),
    /// An address.
    Address(AdminAddressFile),
}

/// The admin listener's address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminAddressFile {
    /// A loopback address. Default: 127.0.0.1:9464.
    pub address: Option<AddressFile>,
}

/// An upstream account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderFile {
    /// The wire format it speaks.
    pub dialect: DialectFile,
    /// Scheme, host, port and path prefix of its API.
    #[schemars(regex(pattern = r"^https?://[^@?#]+$"))]
    pub base_url: String,
    /// What proves who we are. Default: nothing.
    pub credential: Option<SecretFile>,
    /// How it differs from its dialect. Default: not at all. Only with `dialect: openai`.
    pub profile: Option<ProfileFile>,
    /// The header of the credential. Default: the dialect's, or the profile's.
    pub auth: Option<AuthFile>,
    /// Azure's `api-version`. With it, a model's name is the name of a deployment in the path.
    #[schemars(regex(pattern = r"^[!-~]{1,64}$"))]
    pub api_version: Option<String>,
    /// Fixed addresses in place of the URL's host.
    #[schemars(length(min = 1, max = 256))]
    pub peers: Option<Vec<AddressFile>>,
    /// How a peer is chosen. Default: `round_robin`.
    pub balance: Option<BalanceFile>,
    /// Active checks of the peers. Default: none.
    pub health: Option<HealthFile>,
    /// TLS towards the peers; only with https.
    pub tls: Option<ProviderTlsFile>,
    /// Whether its host may be a loopback, private or link-local address. Default: false.
    pub private_peers: Option<bool>,
    /// How its host's name is resolved.
    pub dns: Option<DnsFile>,
}

/// A wire format.
#[derive(Debug, Deserialize, JsonSchema)]
pub enum DialectFile {
    /// `OpenAI` Chat Completions.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic Messages.
    #[serde(rename = "anthropic")]
    Anthropic,
    /// Gemini `generateContent`.
    #[serde(rename = "gemini")]
    Gemini,
}

/// How one peer of several is chosen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BalanceFile {
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest calls under way.
    LeastBusy,
    /// By a hash of the prompt's head, for warm prompt caches.
    Consistent,
}

/// Active checks. Give one of `tcp`, `tls` and `http`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthFile {
    /// A TCP connection.
    #[schemars(extend("const" = true))]
    pub tcp: Option<bool>,
    /// A TLS handshake.
    #[schemars(extend("const" = true))]
    pub tls: Option<bool>,
    /// A GET of this path that answers 2xx. Choose one that is not billed.
    #[schemars(regex(pattern = r"^/[!-~]*$"))]
    pub http: Option<String>,
    /// The time between two rounds. Default: 5s.
    pub every: Option<DurationFile>,
    /// The longest wait for an answer. Default: 2s, at most `every`.
    pub timeout: Option<DurationFile>,
    /// Failures in a row until a peer is down. Default: 3.
    #[schemars(range(min = 1, max = 100))]
    pub failures: Option<u32>,
    /// Successes in a row until it is up again. Default: 2.
    #[schemars(range(min = 1, max = 100))]
    pub successes: Option<u32>,
}

/// TLS towards a provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderTlsFile {
    /// The PEM file of a private CA. Default: the public authorities.
    pub ca: Option<String>,
    /// Whether HTTP/2 is offered. Default: false.
    pub http2: Option<bool>,
}

/// How a host's name is resolved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsFile {
    /// The time between two questions. Default: 30s.
    pub every: Option<DurationFile>,
}

/// Where uninterpreted paths go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassthroughFile {
    /// The provider's name.
    pub provider: String,
    /// Path prefixes that may pass.
    #[schemars(length(min = 1), inner(regex(pattern = r"^/v1/[^%?#\\@]*$")))]
    pub paths: Vec<String>,
}

/// Bounds on what clients may take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsFile {
    /// A request's head. Default: 64KiB.
    pub head: Option<SizeFile>,
    /// The time for a request's head, and for the TLS handshake. Default: 10s.
    pub head_time: Option<DurationFile>,
    /// A request's body. Default: 32MiB.
    pub body: Option<SizeFile>,
    /// The time for a request's body. Default: 1m.
    pub body_time: Option<DurationFile>,
    /// What a body must keep on average after its first ten seconds, in bytes a second. Default: 1KiB.
    pub body_rate: Option<SizeFile>,
    /// How long a connection may idle between requests. Default: 1m.
    pub idle: Option<DurationFile>,
    /// Requests on one connection. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_connection: Option<u32>,
    /// Connections in all. Default: 10000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: Option<u32>,
    /// Connections from one address. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_address: Option<u32>,
    /// Exchanges under way. Default: 5000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub exchanges: Option<u32>,
    /// Exchanges under way of one client key. Default: 500.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub exchanges_per_key: Option<u32>,
    /// Attempts under way at one provider. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub attempts_per_provider: Option<u32>,
    /// Bodies and whole answers held in memory, all exchanges together. Default: 512MiB.
    pub buffered: Option<SizeFile>,
    /// A whole (not streamed) answer. Default: 32MiB.
    pub answer: Option<SizeFile>,
    /// One event of a stream. Default: 16MiB.
    pub event: Option<SizeFile>,
    /// The longest time in which a client takes no byte of its answer. Default: 1m.
    pub client_write: Option<DurationFile>,
    /// Concurrent HTTP/2 streams of a connection. Default: 100.
    #[schemars(range(min = 1, max = 1000))]
    pub h2_streams: Option<u32>,
}

/// Where log lines go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    /// The access log: `stdout`, `off` or a file's path, with a slash in it. Default: `stdout`.
    pub access: Option<String>,
    /// Lines that may wait for the writer. Default: 8192.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub queue: Option<u32>,
    /// What the diagnostics say, as in `RUST_LOG`, which goes before it. Default: `info`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_:=,]{1,1000}$"))]
    pub level: Option<String>,
}

/// When the file is read again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadFile {
    /// How often this file and those that it names are looked at for a change. Default: `off`.
    pub watch: Option<WatchFile>,
}

/// How often files are looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WatchFile {
    /// Never.
    Off(OffFile),
    /// 1s to 1h.
    Every(DurationFile),
}

/// The end of the process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainFile {
    /// How long streams may go on after TERM. Default: 10m.
    pub deadline: Option<DurationFile>,
}

/// Trouble that callers ask for by the header `x-segue-drill`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillsFile {
    /// Whether the header is heeded. Default: false.
    pub allow_header: Option<bool>,
    /// The names of the keys that may; needed where there are keys.
    #[schemars(length(min = 1))]
    pub keys: Option<Vec<String>>,
}
