//! The door to clients: listeners, TLS, guard, and the proxy that Pingora drives.

mod caps;
mod connection;
mod guard;
mod head;
mod listen;
mod settings;
#[cfg(test)]
mod socket_tests;
mod tls;

pub use caps::{ConnectionCounts, Connections};
pub use guard::{Guard, RefusalRenderer};
pub use head::{Framing, Head, HeadLimits, HeadScan, Refusal, Rule, check};
pub use listen::Listener;
pub use settings::{
    AdminSettings, CertifiedName, ClientAuth, Limits, ListenerSettings, ListenerTls, LogSettings,
    LogTarget, Passthrough, ProviderSettings, Settings, TlsVersions,
};
pub use tls::{Tls, TlsError};
