//! The simulator: its listeners and the tasks it owns.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::sim::http1;
use crate::sim::http2;
use crate::sim::journal::{Connected, Journal};
use crate::sim::script::Script;
use crate::sim::state::State;
use crate::sim::tally::Tally;
use crate::sim::wire::{Stream, Wire};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long an accept that failed (no descriptors left) waits for the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections may wait to be accepted, as tokio has it.
const BACKLOG: u32 = 1024;

/// How a simulator is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub addresses: Vec<SocketAddr>,
    /// Scripts by model name or path, each used after the one before; the last one stays. The
    /// name `*` stands for all models.
    pub scripts: Vec<(String, Vec<Script>)>,
    /// For random cuts whose script names no seed, and for scripts with a share.
    pub seed: u64,
    /// How many requests the journal keeps; 0 records nothing.
    pub journal: usize,
    /// How many connections may be open at once; more wait to be accepted.
    pub connections: usize,
    /// The largest body that is read whole, in bytes.
    pub largest_body: u64,
    /// Speaks TLS; HTTP/2 if the configuration has `h2` among its ALPN protocols, as that of
    /// `server_config` does. Without TLS a client may speak HTTP/2 with prior knowledge.
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
    doors: Doors,
    listeners: Mutex<Listeners>,
}

/// Whether the ports are open.
enum Listeners {
    /// The tasks that accept.
    Up(Vec<JoinHandle<()>>),
    /// Sockets that are bound and do not listen: connects are refused, and nobody who asks for a
    /// free port is given this one. None where that did not work.
    Down(Vec<Option<TcpSocket>>),
}

/// How a simulator stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Connections that are open.
    pub open_connections: usize,
    /// Requests whose exchange has not ended.
    pub under_way: usize,
    /// Requests since the start, kept or not.
    pub received: u64,
    /// Requests that made room for newer ones in the journal.
    pub dropped: u64,
    /// What is counted of each model that was asked for; begun anew by `Journal::clear`.
    pub models: BTreeMap<String, Tally>,
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
            state,
            tls: options.tls.map(TlsAcceptor::from),
            numbers: Arc::default(),
            permits: Arc::new(Semaphore::new(
                options.connections.min(Semaphore::MAX_PERMITS),
            )),
        };
        let listeners = Mutex::new(Listeners::Up(doors.open(bound)));
        Ok(Self {
            addresses,
            doors,
            listeners,
        })
    }

    /// Goes down as a whole: no port listens any more (connects are refused), and every
    /// connection is cut. Returns when that is so. Scripts, journal and counts stay.
    pub async fn down(&self) {
        let before = std::mem::replace(&mut *self.listeners.lock(), Listeners::Down(Vec::new()));
        let tasks = match before {
            Listeners::Up(tasks) => tasks,
            down @ Listeners::Down(_) => {
                *self.listeners.lock() = down;
                return;
            }
        };
        close(tasks).await;
        let kept = self
            .addresses
            .iter()
            .map(|address| keep_port(*address).ok());
        *self.listeners.lock() = Listeners::Down(kept.collect());
        // It ends with the last connection; one that outlasts this is cut all the same.
        let _ = self.journal().wait_for_no_connection(HANDSHAKE).await;
    }

    /// Comes up again, on the same ports.
    ///
    /// # Errors
    /// When somebody else has taken a port.
    pub async fn up(&self) -> io::Result<()> {
        let before = std::mem::replace(&mut *self.listeners.lock(), Listeners::Down(Vec::new()));
        let mut kept = match before {
            Listeners::Down(kept) => kept.into_iter(),
            up @ Listeners::Up(_) => {
                *self.listeners.lock() = up;
                return Ok(());
            }
        };
        let mut bound = Vec::with_capacity(self.addresses.len());
        for address in &self.addresses {
            bound.push(match kept.next().flatten() {
                Some(socket) => socket.listen(BACKLOG)?,
                None => TcpListener::bind(address).await?,
            });
        }
        *self.listeners.lock() = Listeners::Up(self.doors.open(bound));
        Ok(())
    }

    /// How it stands now.
    pub fn state(&self) -> Snapshot {
        let journal = self.journal();
        Snapshot {
            open_connections: journal.open_connections(),
            under_way: journal.under_way(),
            received: journal.received(),
            dropped: journal.dropped(),
            models: journal.tallies(),
        }
    }

    /// What is counted of a model; zeros for one that nobody asked for.
    pub fn tally(&self, model: &str) -> Tally {
        self.state().models.remove(model).unwrap_or_default()
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
        &self.doors.state.journal
    }

    /// Sets or replaces what a model name, a path or `*` does from now on. A script with a share
    /// (`30% status=500`) leaves the rest to a good answer.
    pub fn script(&self, name: &str, script: Script) {
        self.doors.state.set(name, vec![script]);
    }

    /// The same with scripts used one after the other; the last one stays. Those with a share are
    /// drawn by chance before that; of shares beyond 100% the last ones have no chance. No
    /// scripts at all forget the name.
    pub fn scripts(&self, name: &str, scripts: Vec<Script>) {
        self.doors.state.set(name, scripts);
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.journal().open_connections()
    }

    /// Requests whose exchange has not ended.
    pub fn under_way(&self) -> usize {
        self.journal().under_way()
    }

    /// Stops, and returns when every port is closed and every connection is dropped.
    pub async fn stop(self) {
        let before = std::mem::replace(&mut *self.listeners.lock(), Listeners::Down(Vec::new()));
        if let Listeners::Up(tasks) = before {
            close(tasks).await;
        }
        let gone = self.journal().wait_for_no_connection(HANDSHAKE).await;
        debug_assert!(gone.is_ok(), "a connection outlived its simulator");
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if let Listeners::Up(tasks) = self.listeners.get_mut() {
            tasks.iter().for_each(JoinHandle::abort);
        }
    }
}

/// Ends the tasks that accept, and with them their listeners and connections.
async fn close(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.abort();
        // An aborted task ends in an error, which is what was wanted.
        let _ = task.await;
    }
}

/// Binds a port without listening.
fn keep_port(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
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
    /// Begins to accept.
    fn open(&self, listeners: Vec<TcpListener>) -> Vec<JoinHandle<()>> {
        let open = |listener| tokio::spawn(self.clone().accept(listener));
        listeners.into_iter().map(open).collect()
    }

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
                if let Some((wire, protocol)) = open(tcp, tls).await {
                    match protocol {
                        Protocol::Http1 => http1::connection(state, wire, number).await,
                        Protocol::Http2 => http2::connection(state, wire, number).await,
                    }
                }
                drop(connected);
                drop(permit);
            });
        }
    }
}

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Makes a connection ready. Under TLS the handshake (ALPN) says what is spoken, else the first
/// bytes do.
async fn open(tcp: TcpStream, tls: Option<TlsAcceptor>) -> Option<(Wire, Protocol)> {
    tcp.set_nodelay(true).ok()?;
    let Some(tls) = tls else {
        let mut wire = Wire::new(Stream::Plain(tcp));
        let protocol = if http2::is_spoken(&mut wire).await {
            Protocol::Http2
        } else {
            Protocol::Http1
        };
        return Some((wire, protocol));
    };
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(tcp))
        .await
        .ok()?
        .ok()?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    Some((Wire::new(Stream::Tls(Box::new(stream))), protocol))
}
