//! The simulator: its listeners and the tasks it owns.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::sim::journal::{Connected, Journal};
use crate::sim::script::Script;
use crate::sim::serve;
use crate::sim::state::State;
use crate::sim::wire::{Stream, Wire};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long an accept that failed (no descriptors left) waits for the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a simulator is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub addresses: Vec<SocketAddr>,
    /// Scripts by model name or path, each used after the one before; the last one stays. The
    /// name `*` stands for all models.
    pub scripts: Vec<(String, Vec<Script>)>,
    /// For random cuts whose script names no seed.
    pub seed: u64,
    /// How many requests the journal keeps; 0 records nothing.
    pub journal: usize,
    /// How many connections may be open at once; more wait to be accepted.
    pub connections: usize,
    /// The largest body that is read whole, in bytes.
    pub largest_body: u64,
    /// Speaks TLS.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            scripts: Vec::new(),
            seed: 0,
            journal: 10_000,
            connections: 20_000,
            largest_body: 64 << 20,
            tls: None,
        }
    }
}

/// A running simulator. Dropping it stops all that it does.
pub struct Sim {
    addresses: Vec<SocketAddr>,
    state: Arc<State>,
    listeners: Vec<JoinHandle<()>>,
}

impl Sim {
    /// Binds and begins to serve.
    ///
    /// # Errors
    /// When an address cannot be bound, which it names, or none is given.
    pub async fn start(options: Options) -> io::Result<Self> {
        let journal = Arc::new(Journal::new(options.journal));
        let state = Arc::new(State::new(journal, options.seed, options.largest_body));
        for (name, scripts) in options.scripts {
            state.set(&name, scripts);
        }
        let mut bound = Vec::with_capacity(options.addresses.len());
        for address in options.addresses {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            })?;
            bound.push(listener);
        }
        let addresses = bound
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<Vec<_>>>()?;
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no address to listen on",
            ));
        }
        let doors = Doors {
            state: state.clone(),
            tls: options.tls.map(TlsAcceptor::from),
            numbers: Arc::default(),
            permits: Arc::new(Semaphore::new(
                options.connections.min(Semaphore::MAX_PERMITS),
            )),
        };
        let open = |listener| tokio::spawn(doors.clone().accept(listener));
        let listeners = bound.into_iter().map(open).collect();
        Ok(Self {
            addresses,
            state,
            listeners,
        })
    }

    /// The first address.
    pub fn address(&self) -> SocketAddr {
        self.addresses
            .first()
            .copied()
            .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// What a client is given as the provider's base URL (without TLS).
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address())
    }

    /// All addresses, in the order given.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What has been asked and how it went.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.state.journal
    }

    /// Sets or replaces what a model name, a path or `*` does from now on.
    pub fn script(&self, name: &str, script: Script) {
        self.state.set(name, vec![script]);
    }

    /// The same with scripts used one after the other; the last one stays. None at all forgets
    /// the name.
    pub fn scripts(&self, name: &str, scripts: Vec<Script>) {
        self.state.set(name, scripts);
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.state.journal.open_connections()
    }

    /// Requests whose exchange has not ended.
    pub fn under_way(&self) -> usize {
        self.state.journal.under_way()
    }

    /// Stops, and returns when every port is closed and every connection is dropped.
    pub async fn stop(mut self) {
        for listener in std::mem::take(&mut self.listeners) {
            listener.abort();
            // An aborted task ends in an error, which is what was wanted.
            let _ = listener.await;
        }
        let gone = self.state.journal.wait_for_no_connection(HANDSHAKE).await;
        debug_assert!(gone.is_ok(), "a connection outlived its simulator");
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

/// What accepting needs.
#[derive(Clone)]
struct Doors {
    state: Arc<State>,
    tls: Option<TlsAcceptor>,
    numbers: Arc<AtomicU64>,
    permits: Arc<Semaphore>,
}

impl Doors {
    /// Accepts for ever. The connections are the task's own: they end with it.
    async fn accept(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(permit) = self.permits.clone().acquire_owned().await else {
                return;
            };
            let Ok((tcp, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let connected = Connected::new(&self.state.journal);
            let number = self
                .numbers
                .fetch_add(1, Ordering::Relaxed)
                .saturating_add(1);
            let (state, tls) = (self.state.clone(), self.tls.clone());
            connections.spawn(async move {
                if let Some(wire) = open(tcp, tls).await {
                    serve::connection(state, wire, number).await;
                }
                drop(connected);
                drop(permit);
            });
        }
    }
}

async fn open(tcp: TcpStream, tls: Option<TlsAcceptor>) -> Option<Wire> {
    tcp.set_nodelay(true).ok()?;
    let Some(tls) = tls else {
        return Some(Wire::new(Stream::Plain(tcp)));
    };
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(tcp))
        .await
        .ok()?
        .ok()?;
    Some(Wire::new(Stream::Tls(Box::new(stream))))
}
