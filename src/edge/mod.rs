//! The door to clients: listeners, TLS, guard, and the proxy that Pingora drives.

mod admin;
mod admit;
mod birth;
mod body;
mod booking;
mod caps;
mod ceiling;
mod chat;
mod connection;
mod desk;
mod drain;
mod drill;
mod exchange;
mod fault;
mod front;
mod generation;
mod gossip;
mod guard;
mod handover;
mod head;
mod http1;
mod http2;
mod inbound;
mod linger;
mod listen;
mod notify;
mod opening;
mod outbound;
mod pace;
mod page;
mod page_data;
mod passthrough;
mod places;
mod proxy;
mod reception;
mod refusal;
mod remainder;
mod sampling;
mod serve;
mod server;
mod settings;
mod signals;
#[cfg(test)]
mod socket_tests;
mod sockets;
mod start;
mod status;
mod strikes;
mod tls;
mod upgrades;
mod visit;

pub use admin::{Admin, Readiness, StatusSource};
pub use birth::birth;
pub use caps::{ConnectionCounts, Connections};
pub use drain::Drained;
pub use generation::Load;
pub use guard::{Guard, RefusalRenderer};
pub use handover::{
    Birth, Cradle, HeirError, Predecessor, Program, Successor, UpgradeError, deliver,
};
pub use head::{Framing, Head, HeadLimits, HeadScan, Refusal, Rule, check};
pub use listen::Listener;
pub use notify::Notifier;
pub use server::Running;
pub use settings::{
    AdminSettings, CertifiedName, ClientAuth, Drills, Limits, ListenerSettings, ListenerTls,
    LogSettings, LogTarget, Passthrough, ProviderSettings, RevokedCertificates, Settings,
    TlsVersions,
};
pub use signals::{Action, Phase, Signal, SignalStream, Signals};
pub use sockets::{Giver, Passed, Role, Sockets, SocketsError};
pub use start::StartError;
pub use tls::{PreparedTls, Tls, TlsError};
pub use upgrades::Upgrades;
