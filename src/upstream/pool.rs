//! A provider's peers, and the one task that keeps them: it asks for their names and checks them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use pingora_core::connectors::http::Connector;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::error::CallError;
use super::keeper;
use super::peer::{PeerLease, PeerStatus};
use super::roster::Roster;
use super::spec::{BaseUrl, Peers, PoolSpec, ProviderSpec};

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
    pub(super) roster: Arc<Roster>,
    task: OnceLock<AbortHandle>,
    /// Calls under way.
    calls: Arc<AtomicU32>,
}

/// A place among the calls of a provider; given back when dropped.
#[derive(Debug)]
pub struct Berth(Arc<AtomicU32>);

impl Drop for Berth {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
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
        let roster = Roster::new(&identity.spec, &identity.base, connector, resolver, key);
        let pool = Arc::new(Self {
            identity,
            roster: Arc::new(roster),
            task: OnceLock::new(),
            calls: Arc::default(),
        });
        pool.keep();
        pool
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A place for a call, unless `most` are under way.
    pub(super) fn berth(&self, most: u32) -> Option<Berth> {
        let one_more = |calls| (calls < most).then_some(calls + 1);
        let order = Ordering::Relaxed;
        let taken = self.calls.fetch_update(order, order, one_more);
        taken.is_ok().then(|| Berth(Arc::clone(&self.calls)))
    }

    /// A place at the next peer, none of `tried`.
    pub(super) fn lease(&self, affinity: &[u8], tried: &[SocketAddr]) -> Option<PeerLease> {
        self.keep();
        let members = self.roster.members.load();
        members.pick(affinity, tried, Instant::now())
    }

    pub(super) fn len(&self) -> usize {
        self.roster.members.load().peers().len()
    }

    pub(super) fn status(&self) -> PoolStatus {
        let (members, now) = (self.roster.members.load(), Instant::now());
        let peers = members.peers().iter().map(|peer| peer.status(now));
        PoolStatus {
            peers: peers.collect(),
        }
    }

    /// Waits until there is a peer, at most until the current question for the name has ended.
    pub(super) async fn ready(&self, budget: Duration) -> Result<(), CallError> {
        if self.len() > 0 {
            return Ok(());
        }
        let Peers::Dns { .. } = self.roster.spec.peers else {
            return Err(CallError::NoPeer);
        };
        let mut asked = self.roster.asked.subscribe();
        self.keep();
        self.roster.wanted.notify_one();
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
        if !self.roster.needs_keeper() || self.task.get().is_some() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        self.task.get_or_init(|| {
            runtime
                .spawn(keeper::keep(Arc::clone(&self.roster)))
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
