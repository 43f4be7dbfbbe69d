//! The door to clients: listeners, TLS, guard, and the proxy that Pingora drives.

mod admin;
mod caps;
mod connection;
mod guard;
mod head;
mod listen;
mod notify;
mod settings;
mod signals;
#[cfg(test)]
mod socket_tests;
mod tls;

pub use admin::{Admin, Readiness, StatusSource};
pub use caps::{ConnectionCounts, Connections};
pub use guard::{Guard, RefusalRenderer};
pub use head::{Framing, Head, HeadLimits, HeadScan, Refusal, Rule, check};
pub use listen::Listener;
pub use notify::Notifier;
pub use settings::{
    AdminSettings, CertifiedName, ClientAuth, Limits, ListenerSettings, ListenerTls, LogSettings,
    LogTarget, Passthrough, ProviderSettings, Settings, TlsVersions,
};
pub use signals::{Action, Phase, Signal, SignalStream, Signals};
pub use tls::{Tls, TlsError};
