//! A provider's peers, and the one task that keeps them: it asks for their names and checks them.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hickory_resolver::TokioResolver;
use http::HeaderValue;
use pingora_core::connectors::http::Connector;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::error::CallError;
use super::keeper;
use super::members::Members;
use super::peer::{Peer, PeerLease, PeerStatus};
use super::spec::{BaseUrl, Peers, PoolSpec, ProviderSpec};
use super::template::Template;

/// What makes two pools the same across a reload. The credential and the path are not in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    name: Arc<str>,
    base: BaseUrl,
    spec: PoolSpec,
}

impl Identity {
    pub(super) fn of(spec: &ProviderSpec) -> Self {
        Self {
            name: Arc::clone(&spec.name),
            base: BaseUrl {
                prefix: String::new(),
                ..spec.base.clone()
            },
            spec: spec.pool.clone(),
        }
    }
}

/// A pool that lives as long as a generation holds it; its task ends with it.
pub(super) struct Pool {
    identity: Identity,
    pub(super) inner: Arc<Inner>,
    task: OnceLock<AbortHandle>,
}

/// What the pool shares with its task.
pub(super) struct Inner {
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

/// A pool for a status page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Its peers by address.
    pub peers: Vec<PeerStatus>,
}

impl Pool {
    /// A pool with its fixed peers at once, those behind a name once they are asked for.
    pub(super) fn raise(
        identity: Identity,
        connector: Arc<Connector>,
        resolver: Option<TokioResolver>,
        key: u64,
    ) -> Arc<Self> {
        let template = Template::new(&identity.base, identity.spec.tls.as_ref(), key);
        let authority = HeaderValue::from_str(&identity.base.authority());
        let addresses = match &identity.spec.peers {
            Peers::Static(addresses) => addresses.as_slice(),
            Peers::Dns { .. } => &[],
        };
        let members = Members::new(identity.spec.balance, addresses, |address| {
            Peer::new(address, template.peer(address))
        });
        let inner = Inner {
            spec: identity.spec.clone(),
            // A host that is no header value fails its calls, and only those.
            authority: authority.unwrap_or_else(|_| HeaderValue::from_static("invalid")),
            template: Arc::new(template),
            connector,
            resolver,
            members: ArcSwap::from_pointee(members),
            asked: watch::Sender::new(0),
            wanted: Notify::new(),
        };
        let pool = Arc::new(Self {
            identity,
            inner: Arc::new(inner),
            task: OnceLock::new(),
        });
        pool.keep();
        pool
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A place at the next peer, none of `tried`.
    pub(super) fn lease(&self, affinity: &[u8], tried: &[SocketAddr]) -> Option<PeerLease> {
        self.keep();
        let members = self.inner.members.load();
        members
            .pick(affinity, tried, Instant::now())
            .map(Peer::lease)
    }

    pub(super) fn len(&self) -> usize {
        self.inner.members.load().peers().len()
    }

    pub(super) fn status(&self) -> PoolStatus {
        let members = self.inner.members.load();
        PoolStatus {
            peers: members.peers().iter().map(|peer| peer.status()).collect(),
        }
    }

    /// Waits until there is a peer, at most until the current question for the name has ended.
    pub(super) async fn ready(&self, budget: Duration) -> Result<(), CallError> {
        if self.len() > 0 {
            return Ok(());
        }
        let Peers::Dns { .. } = self.inner.spec.peers else {
            return Err(CallError::NoPeer);
        };
        let mut asked = self.inner.asked.subscribe();
        self.keep();
        self.inner.wanted.notify_one();
        // The question may have ended between the two looks.
        if self.len() == 0 {
            let _ = timeout(budget, asked.changed()).await;
        }
        match self.len() {
            0 => Err(CallError::Resolve),
            _ => Ok(()),
        }
    }

    /// Starts the pool's task, if it needs one, once there is a runtime to run it.
    fn keep(&self) {
        if !self.inner.needs_keeper() || self.task.get().is_some() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        self.task.get_or_init(|| {
            runtime
                .spawn(keeper::keep(Arc::clone(&self.inner)))
                .abort_handle()
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Inner {
    fn needs_keeper(&self) -> bool {
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
