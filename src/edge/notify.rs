//! What the service manager is told: ready, reloading, stopping, alive (`sd_notify(3)`).
//!
//! Without `NOTIFY_SOCKET` nobody listens and nothing is said.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;

/// The longest time between two signs of life.
const BEAT: Duration = Duration::from_secs(10);

/// How much longer the manager is asked to wait, at each beat of a drain.
const EXTENSION: Duration = Duration::from_secs(30);

/// How long the manager may take to read a message.
const SEND_TIMEOUT: Duration = Duration::from_millis(200);

/// The way to the service manager. A message that cannot be sent is logged and lost.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
    /// Set by a drain: until when it may ask for more time.
    extend_until: OnceLock<Instant>,
}

impl Notifier {
    /// The one that the environment names, or a silent one.
    pub fn from_env() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|address| {
            connect(&address)
                .inspect_err(|error| log::warn!("cannot reach the service manager: {error}"))
                .ok()
        });
        Self::of(socket, sd_notify::watchdog_enabled())
    }

    fn of(socket: Option<UnixDatagram>, watchdog: Option<Duration>) -> Self {
        Self {
            socket,
            watchdog,
            extend_until: OnceLock::new(),
        }
    }

    /// The process serves: after the start, and after each reload, good or bad.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// The config is being read again; [`Notifier::ready`] must follow.
    pub fn reloading(&self) {
        // Newer managers (systemd 253) tell this reload's end from an earlier one's by the time.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(_) => self.send(&[NotifyState::Reloading]),
        }
    }

    /// Another process is the service from now on. To be followed by nothing: the manager does not
    /// listen to us any more.
    pub fn hand_over(&self, pid: i32) {
        if let Ok(pid) = u32::try_from(pid) {
            self.send(&[NotifyState::MainPid(pid)]);
        }
    }

    /// Whether there is a manager.
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// The process drains, for `drain` at most; meanwhile the heartbeat asks for time.
    pub fn stopping(&self, drain: Duration, status: &str) {
        if let Some(until) = Instant::now().checked_add(drain) {
            // A second call changes nothing.
            let _ = self.extend_until.set(until);
        }
        self.send(&[
            NotifyState::Stopping,
            NotifyState::Status(&one_line(status)),
        ]);
    }

    /// Changes the line that `systemctl status` shows.
    pub fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status))]);
    }

    /// Gives signs of life, forever. It must run on the runtime that serves: when that hangs, the
    /// signs stop, and the manager restarts the process.
    pub async fn heartbeat(&self) {
        if self.socket.is_none() {
            return std::future::pending().await;
        }
        // Half the watchdog's time, as sd_watchdog_enabled(3) advises.
        let half = self
            .watchdog
            .map(|whole| whole / 2)
            .filter(|half| !half.is_zero());
        let mut beat = tokio::time::interval(half.map_or(BEAT, |half| half.min(BEAT)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            self.beat(Instant::now());
        }
    }

    fn beat(&self, now: Instant) {
        let extension = u32::try_from(EXTENSION.as_micros()).unwrap_or(u32::MAX);
        let is_draining = self.extend_until.get().is_some_and(|until| now < *until);
        match (self.watchdog.is_some(), is_draining) {
            (true, true) => {
                self.send(&[
                    NotifyState::Watchdog,
                    NotifyState::ExtendTimeoutUsec(extension),
                ]);
            }
            (true, false) => self.send(&[NotifyState::Watchdog]),
            (false, true) => self.send(&[NotifyState::ExtendTimeoutUsec(extension)]),
            (false, false) => {}
        }
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let mut message = String::new();
        for state in states {
            // Writing to a string cannot fail.
            let _ = writeln!(message, "{state}");
        }
        if let Err(error) = socket.send(message.as_bytes()) {
            log::warn!("cannot tell the service manager {states:?}: {error}");
        }
    }
}

/// Connects to a path, or to an abstract name written with a leading `@`. The crate's own
/// `notify` knows no abstract names, connects anew for each message and may wait forever.
fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let address = match address.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok(socket)
}

/// A message is lines of assignments: a status must not add one.
fn one_line(status: &str) -> String {
    status.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager() -> (UnixDatagram, std::path::PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        (UnixDatagram::bind(&path).unwrap(), path, folder)
    }

    fn read(manager: &UnixDatagram) -> String {
        let mut bytes = [0; 1024];
        let read = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    }

    #[test]
    fn each_turn_of_a_life_is_told() {
        let (manager, path, _folder) = manager();
        let notifier = Notifier::of(Some(connect(path.as_os_str()).unwrap()), None);
        notifier.ready("generation 1");
        assert_eq!(read(&manager), "READY=1\nSTATUS=generation 1\n");
        notifier.reloading();
        let reloading = read(&manager);
        let time = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        assert!(time.trim_end().parse::<u64>().unwrap() > 0);
        notifier.ready("rejected: line 3\nMAINPID=1");
        assert_eq!(
            read(&manager),
            "READY=1\nSTATUS=rejected: line 3 MAINPID=1\n"
        );
        notifier.hand_over(4711);
        assert_eq!(read(&manager), "MAINPID=4711\n");
        notifier.stopping(Duration::from_mins(10), "draining");
        assert_eq!(read(&manager), "STOPPING=1\nSTATUS=draining\n");
        notifier.status("2 exchanges left");
        assert_eq!(read(&manager), "STATUS=2 exchanges left\n");
    }

    #[test]
    fn more_time_is_asked_for_during_a_drain_and_not_beyond_it() {
        let (manager, path, _folder) = manager();
        let watchdog = Some(Duration::from_secs(10));
        let notifier = Notifier::of(Some(connect(path.as_os_str()).unwrap()), watchdog);
        let now = Instant::now();
        notifier.beat(now);
        assert_eq!(read(&manager), "WATCHDOG=1\n");
        notifier.stopping(Duration::from_mins(1), "draining");
        read(&manager);
        notifier.beat(now);
        assert_eq!(read(&manager), "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=30000000\n");
        notifier.beat(now + Duration::from_hours(1));
        assert_eq!(read(&manager), "WATCHDOG=1\n");
    }

    #[tokio::test]
    async fn the_watchdog_is_fed_again_and_again() {
        let (manager, path, _folder) = manager();
        let watchdog = Some(Duration::from_millis(4));
        let notifier = Notifier::of(Some(connect(path.as_os_str()).unwrap()), watchdog);
        let beats = tokio::spawn(async move { notifier.heartbeat().await });
        let read =
            tokio::task::spawn_blocking(move || (0..3).map(|_| read(&manager)).collect::<String>());
        assert_eq!(read.await.unwrap(), "WATCHDOG=1\n".repeat(3));
        beats.abort();
    }

    #[test]
    fn an_abstract_name_is_reached() {
        let name = format!("segue-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let socket = connect(OsStr::new(&format!("@{name}"))).unwrap();
        Notifier::of(Some(socket), None).ready("up");
        assert_eq!(read(&manager), "READY=1\nSTATUS=up\n");
    }

    #[test]
    fn without_a_manager_or_with_one_that_left_nothing_happens() {
        let silent = Notifier::of(None, Some(Duration::from_secs(1)));
        silent.ready("up");
        silent.beat(Instant::now());
        let (manager, path, _folder) = manager();
        let notifier = Notifier::of(Some(connect(path.as_os_str()).unwrap()), None);
        drop(manager);
        notifier.ready("up");
    }
}
