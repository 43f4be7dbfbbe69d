//! Listening sockets and their accept loops: from `accept` to a guarded stream in Pingora's hands.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use log::{debug, error};
use pingora_core::apps::ServerApp;
use pingora_core::protocols::ALPN;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::caps::{Connections, Permit};
use super::connection::Connection;
use super::guard::{Door, Guard, RefusalRenderer};
use super::settings::{Limits, ListenerSettings};
use super::sockets::{Passed, Role, Sockets};
use super::tls::Tls;
use crate::telemetry::ConnectionState;

/// A bound socket that is not yet served.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    tls: Option<Arc<Tls>>,
}

/// Connections that the kernel may hold before they are accepted (it caps this by
/// `net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// How long to wait after a failed `accept`, at first and at most.
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_MOST: Duration = Duration::from_millis(100);

/// How often the log hears of it.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

impl Listener {
    /// Takes the socket that was passed for this listener, or opens one.
    ///
    /// # Errors
    /// As `bind`, and `InvalidInput` for a socket that is meant for something else.
    pub(super) fn open(
        settings: &ListenerSettings,
        role: Role,
        sockets: &mut Sockets,
    ) -> io::Result<Self> {
        match sockets.take(settings.address, role)? {
            Some(socket) => Self::adopt(socket, settings),
            None => Self::bind(settings),
        }
    }

    /// The socket, to be passed on.
    pub(super) fn pass(&self, role: Role) -> io::Result<Passed> {
        let socket = self.socket.try_clone()?.into();
        Ok(Passed { role, socket })
    }

    /// Binds and listens. `[::]` takes IPv4 too; any other IPv6 address takes IPv6 alone.
    ///
    /// # Errors
    /// What the kernel said; `InvalidInput` with a `TlsError` inside for TLS that cannot be set up.
    pub fn bind(settings: &ListenerSettings) -> io::Result<Self> {
        let address = settings.address;
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
        }
        // A restart must not wait for the connections of the process before.
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        Self::adopt(socket.into(), settings)
    }

    /// Takes over a socket that listens already: one that systemd or a predecessor opened.
    ///
    /// # Errors
    /// As `bind`.
    pub fn adopt(socket: std::net::TcpListener, settings: &ListenerSettings) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let tls = settings
            .tls
            .as_ref()
            .map(Tls::new)
            .transpose()
            .map_err(invalid)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            tls: tls.map(Arc::new),
        })
    }

    /// The address, with the port that the kernel chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The listener's TLS, to swap it at a reload and to look at its certificates.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Accepts connections for `app` until `shutdown` turns true. What is under way goes on, each
    /// connection to the end of its next request (`Connections::drained` waits for them).
    ///
    /// Those end only once `hang_up` turns true, or their time to idle is over, which may be later:
    /// a client that knows of no end should not find the connection closed under its next request,
    /// which is answered as the last one.
    ///
    /// `limits` holds for each connection or request that begins after it was stored.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub async fn serve<A>(
        self,
        app: Arc<A>,
        connections: Arc<Connections>,
        limits: Arc<ArcSwap<Limits>>,
        refuse: RefusalRenderer,
        shutdown: watch::Receiver<bool>,
        hang_up: watch::Receiver<bool>,
    ) -> io::Result<()>
    where
        A: ServerApp + Send + Sync + 'static,
    {
        let listener = TcpListener::from_std(self.socket)?;
        let mut stop = shutdown.clone();
        let door = Arc::new(Door {
            connections,
            limits,
            refuse,
            closing: shutdown,
            hang_up,
        });
        let accepting = async {
            let mut trouble = Trouble::default();
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        trouble.over();
                        admit(stream, peer, self.tls.as_deref(), &door, &app);
                    }
                    Err(error) => {
                        door.connections.accept_failed();
                        sleep(trouble.pause(&error)).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            () = accepting => Ok(()),
        }
    }
}

/// Serves a new connection in a task of its own, if there is place for it.
fn admit<A>(stream: TcpStream, peer: SocketAddr, tls: Option<&Tls>, door: &Arc<Door>, app: &Arc<A>)
where
    A: ServerApp + Send + Sync + 'static,
{
    let mut permit = match door.connections.admit(peer.ip(), &door.limits.load()) {
        Ok(permit) => permit,
        Err(cap) => return debug!("{peer}: closed at once, over the cap: {cap:?}"),
    };
    let config = tls.map(Tls::config);
    permit.enter(match config {
        Some(_) => ConnectionState::Handshake,
        None => ConnectionState::Open,
    });
    let (door, app) = (Arc::clone(door), Arc::clone(app));
    tokio::spawn(async move {
        let shutdown = door.closing.clone();
        if let Some(guard) = greet(stream, peer, config, door, permit).await {
            app.process_new(Box::new(guard), &shutdown).await;
        }
    });
}

/// Brings a connection to where its first request can be read.
async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    config: Option<Arc<rustls::ServerConfig>>,
    door: Arc<Door>,
    mut permit: Permit,
) -> Option<Guard> {
    // Without it, a frame would wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        debug!("{peer}: {error}");
        return None;
    }
    let Some(config) = config else {
        return Some(Guard::new(Connection::Plain(stream), peer, door, permit));
    };
    let (connections, patience) = (Arc::clone(&door.connections), door.limits.load().head_time);
    let handshake = async {
        let connection = Connection::accept(stream, config).await?;
        permit.enter(ConnectionState::Open);
        let http2 = connection.alpn() == Some(ALPN::H2);
        let mut guard = Guard::new(connection, peer, door, permit);
        // Pingora would log a bad preface as an error.
        if http2 {
            guard.expect_http2().await?;
        }
        Ok::<_, io::Error>(guard)
    };
    let error = match timeout(patience, handshake).await {
        Ok(Ok(guard)) => return Some(guard),
        Ok(Err(error)) => error,
        Err(late) => late.into(),
    };
    connections.handshake_failed();
    debug!("{peer}: handshake: {error}");
    None
}

/// A run of failed `accept`s. None of the kernel's reasons (descriptors, memory, a client that left)
/// gets better by trying at once, and none is worth a second of deafness.
#[derive(Debug, Default)]
struct Trouble {
    pause: Option<Duration>,
    complained: Option<Instant>,
}

impl Trouble {
    /// The pause before the next try: 5 ms, doubling to 100 ms.
    fn pause(&mut self, error: &io::Error) -> Duration {
        let now = Instant::now();
        if self
            .complained
            .is_none_or(|last| now.duration_since(last) >= COMPLAIN_EVERY)
        {
            error!("accepting connections: {error}");
            self.complained = Some(now);
        }
        let pause = self
            .pause
            .map_or(RETRY_FIRST, |last| last.saturating_mul(2).min(RETRY_MOST));
        self.pause = Some(pause);
        pause
    }

    fn over(&mut self) {
        self.pause = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_to_its_bound_and_begins_anew_after_a_success() {
        let mut trouble = Trouble::default();
        let error = io::Error::from_raw_os_error(libc::EMFILE);
        let pauses: Vec<_> = (0..7).map(|_| trouble.pause(&error).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 100, 100]);
        trouble.over();
        assert_eq!(trouble.pause(&error), RETRY_FIRST);
    }
}
