//! The door to providers: pools of peers, connections and calls. Knows nothing of LLMs.
//!
//! Everything upstream goes through one Pingora connector; what waits between two requests of
//! HTTP/1.1 lies in `idle`. A [`Provider`] picks a peer of its
//! pool and sends a request ([`Provider::call`]); the [`Call`] that comes back gives the answer.

mod address;
mod answer;
mod answered;
mod blame;
mod breaker;
mod call;
mod discover;
mod error;
mod failure;
mod idle;
mod inflate;
mod keeper;
mod line;
mod members;
mod message;
mod peer;
mod pool;
mod probe;
mod provider;
mod roster;
mod spec;
mod tally;
mod template;
mod upstreams;
mod write;
mod write_h2;

#[cfg(test)]
mod tests;

pub use address::is_public;
pub use answer::AnswerHead;
pub use breaker::{
    Admission, Ailment, Breaker, BreakerPolicy, BreakerRecord, BreakerState, Permit, Settled,
    SharedBreaker, Ticket,
};
pub use call::{Call, CallBounds, Timings};
pub use error::{CallError, ConnectFailure, Flaw, InflateError, Phase};
pub use message::Outgoing;
pub use peer::{LastError, PeerLease, PeerStatus};
pub use pool::{Berth, PoolStatus};
pub use provider::Provider;
pub use spec::{
    Balance, BaseUrl, Credential, HealthCheck, HealthProbe, Peers, PoolSpec, ProviderSpec, Scheme,
    TlsSpec,
};
pub use tally::PeerHealth;
pub use upstreams::Upstreams;
