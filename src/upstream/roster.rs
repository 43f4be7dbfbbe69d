//! Who is in a pool, and how they are connected to: what the pool shares with its keeper.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hickory_resolver::TokioResolver;
use http::HeaderValue;
use pingora_core::connectors::http::Connector;
use tokio::sync::{Notify, watch};

use super::members::Members;
use super::peer::Peer;
use super::spec::{BaseUrl, Peers, PoolSpec};
use super::template::Template;

/// A pool's peers and the means to reach them.
pub(super) struct Roster {
    pub(super) spec: PoolSpec,
    pub(super) authority: HeaderValue,
    pub(super) template: Arc<Template>,
    pub(super) connector: Arc<Connector>,
    pub(super) resolver: Option<TokioResolver>,
    pub(super) members: ArcSwap<Members>,
    /// How many questions for the name have ended, well or not.
    pub(super) asked: watch::Sender<u64>,
    /// Somebody waits for the name.
    pub(super) wanted: Notify,
}

impl Roster {
    /// Fixed peers are there at once, those behind a name once it has been asked for.
    pub(super) fn new(
        spec: &PoolSpec,
        base: &BaseUrl,
        connector: Arc<Connector>,
        resolver: Option<TokioResolver>,
        key: u64,
    ) -> Self {
        let template = Template::new(base, spec.tls.as_ref(), key);
        let addresses = match &spec.peers {
            Peers::Static(addresses) => addresses.as_slice(),
            Peers::Dns { .. } => &[],
        };
        let members = Members::new(spec.balance, addresses, |address| {
            Peer::new(address, template.peer(address))
        });
        Self {
            spec: spec.clone(),
            // A host that is no header value fails its calls, and only those.
            authority: HeaderValue::from_str(&base.authority())
                .unwrap_or_else(|_| HeaderValue::from_static("invalid")),
            template: Arc::new(template),
            connector,
            resolver,
            members: ArcSwap::from_pointee(members),
            asked: watch::Sender::new(0),
            wanted: Notify::new(),
        }
    }

    /// Whether there is anything to do between calls.
    pub(super) fn needs_keeper(&self) -> bool {
        self.spec.health.is_some() || matches!(self.spec.peers, Peers::Dns { .. })
    }

    /// Puts a new set of peers in place; those that stay keep what is known of them.
    pub(super) fn replace(&self, addresses: &[SocketAddr]) {
        let old = self.members.load();
        let new = Members::new(self.spec.balance, addresses, |address| {
            let known = old.find(address).map(Arc::clone);
            known.unwrap_or_else(|| Peer::new(address, self.template.peer(address)))
        });
        self.members.store(Arc::new(new));
    }
}
