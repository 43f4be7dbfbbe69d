//! The door to clients: listeners, TLS, guard, and the proxy that Pingora drives.

mod settings;

pub use settings::{
    AdminSettings, CertifiedName, ClientAuth, Limits, ListenerSettings, ListenerTls, LogSettings,
    LogTarget, Passthrough, ProviderSettings, Settings, TlsVersions,
};
