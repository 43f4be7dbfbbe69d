//! All providers of the process: one connector, and the pools that live on across generations.

use std::sync::{Arc, Weak};

use hickory_resolver::TokioResolver;
use parking_lot::Mutex;
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;

use super::discover::system_resolver;
use super::idle::Idle;
use super::line::Lines;
use super::pool::{Identity, Pool};
use super::provider::Provider;
use super::spec::{Peers, ProviderSpec};

/// Idle connections kept in all, the least recently used closed first.
const IDLE_CONNECTIONS: usize = 1024;

/// The connections and live pools of a process: one of it is enough.
pub struct Upstreams {
    lines: Arc<Lines>,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    pools: Vec<Weak<Pool>>,
    raised: u64,
    /// Instead of the system's.
    resolver: Option<TokioResolver>,
}

impl Upstreams {
    /// Loads the platform's trust store, once: call it at the start, not on a request's path.
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded; proxy variables are not.
    pub fn new() -> Arc<Self> {
        let options = ConnectorOptions::new(IDLE_CONNECTIONS);
        Arc::new(Self {
            lines: Arc::new(Lines {
                connector: Arc::new(Connector::new(Some(options))),
                idle: Idle::new(IDLE_CONNECTIONS),
            }),
            live: Mutex::default(),
        })
    }

    /// The providers of a new generation, in the order given. A pool whose name, base URL (but
    /// for its path) and spec are those of a live one is that one: health, counters and
    /// connections stay. A pool ends when no generation holds its provider any more.
    ///
    /// Names are looked up as the system's resolver is configured now. Tasks start here, inside a
    /// runtime, else with the first call.
    pub fn raise(self: &Arc<Self>, specs: &[ProviderSpec]) -> Vec<Arc<Provider>> {
        let mut live = self.live.lock();
        live.pools.retain(|pool| pool.strong_count() > 0);
        let asks = specs
            .iter()
            .any(|spec| matches!(spec.pool.peers, Peers::Dns { .. }));
        let resolver = match live.resolver.clone() {
            None if asks => system_resolver(),
            given => given,
        };
        let raise = |spec: &ProviderSpec| {
            let pool = self.pool(&mut live, spec, resolver.clone());
            Arc::new(Provider::new(spec.clone(), pool, Arc::clone(&self.lines)))
        };
        specs.iter().map(raise).collect()
    }

    fn pool(
        &self,
        live: &mut Live,
        spec: &ProviderSpec,
        resolver: Option<TokioResolver>,
    ) -> Arc<Pool> {
        let identity = Identity::of(spec);
        let known = live.pools.iter().filter_map(Weak::upgrade);
        if let Some(pool) = known.into_iter().find(|pool| *pool.identity() == identity) {
            return pool;
        }
        live.raised += 1;
        let connector = Arc::clone(&self.lines.connector);
        let pool = Pool::raise(identity, connector, resolver, live.raised);
        live.pools.push(Arc::downgrade(&pool));
        pool
    }

    #[cfg(test)]
    pub(super) fn with_resolver(resolver: TokioResolver) -> Arc<Self> {
        let upstreams = Self::new();
        upstreams.live.lock().resolver = Some(resolver);
        upstreams
    }
}
