//! The door to clients: listeners, TLS, guard, and the proxy that Pingora drives.

mod admin;
mod booking;
mod caps;
mod chat;
mod connection;
mod descriptors;
mod desk;
mod exchange;
mod fault;
mod front;
mod generation;
mod gossip;
mod guard;
mod head;
mod inbound;
mod linger;
mod listen;
mod notify;
mod outbound;
mod page;
mod page_data;
mod passthrough;
mod proxy;
mod refusal;
mod remainder;
mod sampling;
mod server;
mod settings;
mod signals;
#[cfg(test)]
mod socket_tests;
mod start;
mod status;
mod strikes;
mod tls;
mod visit;

pub use admin::{Admin, Readiness, StatusSource};
pub use caps::{ConnectionCounts, Connections};
pub use generation::Load;
pub use guard::{Guard, RefusalRenderer};
pub use head::{Framing, Head, HeadLimits, HeadScan, Refusal, Rule, check};
pub use listen::Listener;
pub use notify::Notifier;
pub use server::{Drained, Running};
pub use settings::{
    AdminSettings, CertifiedName, ClientAuth, Limits, ListenerSettings, ListenerTls, LogSettings,
    LogTarget, Passthrough, ProviderSettings, Settings, TlsVersions,
};
pub use signals::{Action, Phase, Signal, SignalStream, Signals};
pub use start::StartError;
pub use tls::{Tls, TlsError};
