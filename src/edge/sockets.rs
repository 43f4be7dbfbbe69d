//! Listening sockets that were open before this process: from the service manager, or from the
//! process before it.
//!
//! Both pass them alike (`sd_listen_fds(3)`): the first is descriptor 3, `LISTEN_FDS` says how many
//! there are, `LISTEN_FDNAMES` what each is called.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt::AcceptConn};

/// More than anybody listens on; what says so is no list of sockets.
const MOST: usize = 256;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// For clients, without TLS.
    Plain,
    /// For clients, with TLS.
    Tls,
    /// For operators.
    Admin,
}

impl Role {
    /// The name of its sockets (`FileDescriptorName=` in a socket unit).
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Admin => "admin",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Plain, Self::Tls, Self::Admin];
        all.into_iter().find(|role| role.name() == name)
    }
}

/// Who has opened the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Giver {
    /// The service manager, by its own configuration.
    Manager,
    /// The process that this one is to succeed.
    Predecessor,
}

/// What is wrong with the sockets that were passed.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// The number of them is none.
    #[error("LISTEN_FDS is no number of sockets: {0:?}")]
    Count(String),
    /// One cannot be used.
    #[error("the socket {name:?} that was passed is no listening TCP socket")]
    Unfit {
        /// Its name.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Open sockets that wait for a listener to take them.
#[derive(Debug)]
pub struct Sockets {
    giver: Giver,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    name: String,
    address: SocketAddr,
    socket: TcpListener,
}

impl Sockets {
    /// None: each listener opens its own.
    pub fn none() -> Self {
        Self {
            giver: Giver::Manager,
            open: Vec::new(),
        }
    }

    /// Those that this process was started with. To be called once, before there are threads: the
    /// environment is changed, so that no child takes them for its own.
    ///
    /// # Errors
    /// What was passed is no listening TCP socket: who passed it meant something else.
    pub fn from_env(giver: Giver) -> Result<Self, SocketsError> {
        let mut sockets = Self {
            giver,
            open: Vec::new(),
        };
        let Ok(count) = env::var("LISTEN_FDS") else {
            return Ok(sockets);
        };
        // A predecessor cannot know our number before we are there.
        let ours = env::var("LISTEN_PID").is_ok_and(|pid| pid == std::process::id().to_string());
        if giver == Giver::Manager && !ours {
            return Ok(sockets);
        }
        if !count.parse::<usize>().is_ok_and(|count| count <= MOST) {
            return Err(SocketsError::Count(count));
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        for place in 0..passed.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let taken = take(&mut passed, place);
            let (socket, address) = taken.map_err(|source| SocketsError::Unfit {
                name: name.clone(),
                source,
            })?;
            sockets.open.push(Open {
                name,
                address,
                socket,
            });
        }
        Ok(sockets)
    }

    /// The socket for a listener at `address`, if one was passed. A predecessor's for port 0 is the
    /// first of the same address and role.
    ///
    /// # Errors
    /// The manager's socket is there, and its name says that it is for something else.
    pub(super) fn take(
        &mut self,
        address: SocketAddr,
        role: Role,
    ) -> io::Result<Option<TcpListener>> {
        let chosen = |open: &Open| {
            address.port() == 0
                && self.giver == Giver::Predecessor
                && open.address.ip() == address.ip()
                && Role::named(&open.name) == Some(role)
        };
        let fits = |open: &Open| open.address == address || chosen(open);
        let Some(place) = self.open.iter().position(fits) else {
            return Ok(None);
        };
        let open = self.open.remove(place);
        match Role::named(&open.name) {
            Some(named) if named != role && self.giver == Giver::Manager => {
                let (is, wanted) = (named.name(), role.name());
                let why = format!(
                    "the service manager passed a socket named {is:?} here, and this is a listener of the kind {wanted:?}"
                );
                Err(io::Error::new(io::ErrorKind::InvalidInput, why))
            }
            _ => Ok(Some(open.socket)),
        }
    }

    /// Says of the manager's sockets that nobody took, that their clients wait in vain. Those of a
    /// predecessor are closed: the config has no listener there any more.
    pub(super) fn release(&mut self) {
        for open in self.open.drain(..) {
            let (name, address) = (open.name, open.address);
            match self.giver {
                Giver::Manager => log::error!(
                    "the service manager listens on {address} (socket {name:?}), but no listener of the config has that address: whoever connects there waits in vain"
                ),
                Giver::Predecessor => log::info!("no longer listening on {address}"),
            }
        }
    }
}

/// A socket to be passed on.
#[derive(Debug)]
pub struct Passed {
    /// What it is for.
    pub role: Role,
    /// The socket, which stays open here as well.
    pub socket: OwnedFd,
}

impl Passed {
    /// The same socket once more.
    pub(super) fn again(&self) -> io::Result<Self> {
        Ok(Self {
            role: self.role,
            socket: self.socket.try_clone()?,
        })
    }
}

fn take(passed: &mut ListenFd, place: usize) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = passed.take_tcp_listener(place)?;
    let socket = socket.ok_or(io::ErrorKind::NotFound)?;
    if !getsockopt(&socket, AcceptConn)? {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it does not listen",
        ));
    }
    let address = socket.local_addr()?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, address: &str) -> Open {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        Open {
            name: name.to_owned(),
            address: address.parse().unwrap(),
            socket,
        }
    }

    fn sockets(giver: Giver) -> Sockets {
        let open = vec![
            open("tls", "192.0.2.1:443"),
            open("segue.socket", "192.0.2.1:80"),
            open("admin", "127.0.0.1:9464"),
            open("plain", "127.0.0.1:8080"),
        ];
        Sockets { giver, open }
    }

    fn taken(sockets: &mut Sockets, address: &str, role: Role) -> Result<bool, String> {
        let taken = sockets.take(address.parse().unwrap(), role);
        taken
            .map(|socket| socket.is_some())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_listener_gets_the_socket_of_its_address_once() {
        let mut sockets = sockets(Giver::Manager);
        assert_eq!(taken(&mut sockets, "192.0.2.1:443", Role::Tls), Ok(true));
        assert_eq!(taken(&mut sockets, "192.0.2.1:443", Role::Tls), Ok(false));
        assert_eq!(taken(&mut sockets, "192.0.2.1:80", Role::Plain), Ok(true));
        assert_eq!(taken(&mut sockets, "0.0.0.0:9464", Role::Admin), Ok(false));
        assert_eq!(sockets.open.len(), 2);
    }

    #[test]
    fn a_name_of_ours_is_a_promise_that_the_manager_has_to_keep() {
        let mut manager = sockets(Giver::Manager);
        let why = taken(&mut manager, "192.0.2.1:443", Role::Plain).unwrap_err();
        assert!(
            why.contains("\"tls\"") && why.contains("\"plain\""),
            "{why}"
        );
        // A listener may get TLS by an upgrade.
        let mut predecessor = sockets(Giver::Predecessor);
        assert_eq!(
            taken(&mut predecessor, "127.0.0.1:8080", Role::Tls),
            Ok(true)
        );
    }

    #[test]
    fn a_port_that_the_kernel_chose_is_found_by_what_it_was_for() {
        let mut sockets = sockets(Giver::Predecessor);
        assert_eq!(taken(&mut sockets, "127.0.0.1:0", Role::Plain), Ok(true));
        assert_eq!(taken(&mut sockets, "127.0.0.1:0", Role::Plain), Ok(false));
        assert_eq!(taken(&mut sockets, "127.0.0.1:0", Role::Admin), Ok(true));
        let mut manager = self::sockets(Giver::Manager);
        assert_eq!(taken(&mut manager, "127.0.0.1:0", Role::Plain), Ok(false));
    }
}
