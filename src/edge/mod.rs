//! The door to clients: listeners, TLS, guard, and the proxy that Pingora drives.

mod admin;
mod notify;
mod settings;
mod signals;

pub use admin::{Admin, Readiness, StatusSource};
pub use notify::Notifier;
pub use settings::{
    AdminSettings, CertifiedName, ClientAuth, Limits, ListenerSettings, ListenerTls, LogSettings,
    LogTarget, Passthrough, ProviderSettings, Settings, TlsVersions,
};
pub use signals::{Action, Phase, Signal, SignalStream, Signals};
