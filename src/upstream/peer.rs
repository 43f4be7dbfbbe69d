//! One address of a provider: how it is connected to, what we know of it, who uses it now.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use pingora_core::upstreams::peer::HttpPeer;

use super::error::CallError;
use super::tally::{Outcome, PeerHealth, Tally, Thresholds};

/// How long a peer that could not be connected to is passed over while others can.
const REST: Duration = Duration::from_secs(5);

/// One address of a pool.
pub(super) struct Peer {
    /// Where it is.
    pub(super) address: SocketAddr,
    /// How Pingora connects to it; built once, for it is not cheap.
    pub(super) http: HttpPeer,
    in_flight: AtomicUsize,
    record: Mutex<Record>,
}

/// What is known of a peer.
#[derive(Default)]
struct Record {
    /// What active checks say.
    tally: Tally,
    /// Whether the last connection of a request succeeded.
    reached: Option<bool>,
    /// When a connection failed last.
    failed_at: Option<Instant>,
    /// The last failure of any kind, for people.
    last_error: Option<LastError>,
}

/// The last thing that went wrong at a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastError {
    /// What.
    pub error: CallError,
    /// When.
    pub at: SystemTime,
}

/// What a status page shows of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Where it is.
    pub address: SocketAddr,
    /// Active checks first; without them, whether the last connection succeeded.
    pub health: PeerHealth,
    /// Calls under way.
    pub in_flight: usize,
    /// The last failure of any kind.
    pub last_error: Option<LastError>,
}

/// How good a choice a peer is; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Up, or not known to be anything else.
    Usable,
    /// A connection failed a moment ago.
    Resting,
    /// Down by its checks.
    Down,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, http: HttpPeer) -> Arc<Self> {
        Arc::new(Self {
            address,
            http,
            in_flight: AtomicUsize::new(0),
            record: Mutex::default(),
        })
    }

    /// Counts a call in; the lease counts it out, however the call ends.
    pub(super) fn lease(self: &Arc<Self>) -> PeerLease {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        PeerLease(Arc::clone(self))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        let record = self.record.lock();
        if record.tally.health() == PeerHealth::Down {
            return Standing::Down;
        }
        match record.failed_at {
            Some(at) if now.saturating_duration_since(at) < REST => Standing::Resting,
            _ => Standing::Usable,
        }
    }

    /// For how long it has not failed: the longer, the likelier that it is back.
    pub(super) fn failed_at(&self) -> Option<Instant> {
        self.record.lock().failed_at
    }

    /// A request's connection was made.
    pub(super) fn note_reached(&self) {
        let mut record = self.record.lock();
        record.reached = Some(true);
        record.failed_at = None;
    }

    /// A request's connection could not be made.
    pub(super) fn note_unreached(&self, error: CallError, now: Instant) {
        let mut record = self.record.lock();
        record.reached = Some(false);
        record.failed_at = Some(now);
        record.last_error = Some(LastError::now(error));
    }

    /// A call failed on a connection.
    pub(super) fn note_error(&self, error: CallError) {
        self.record.lock().last_error = Some(LastError::now(error));
    }

    /// An active check ended.
    pub(super) fn note_check(&self, result: Result<(), CallError>, thresholds: Thresholds) {
        let mut record = self.record.lock();
        let outcome = match result {
            Ok(()) => {
                // A check that succeeds ends the rest: it has just connected.
                record.failed_at = None;
                Outcome::Passed
            }
            Err(error) => {
                record.last_error = Some(LastError::now(error));
                Outcome::Failed
            }
        };
        record.tally = record.tally.observe(outcome, thresholds);
    }

    pub(super) fn status(&self) -> PeerStatus {
        let record = self.record.lock();
        let health = match (record.tally.health(), record.reached) {
            (PeerHealth::Unknown, Some(true)) => PeerHealth::Up,
            (PeerHealth::Unknown, Some(false)) => PeerHealth::Down,
            (health, _) => health,
        };
        PeerStatus {
            address: self.address,
            health,
            in_flight: self.in_flight(),
            last_error: record.last_error,
        }
    }
}

impl LastError {
    fn now(error: CallError) -> Self {
        Self {
            error,
            at: SystemTime::now(),
        }
    }
}

/// A call's place at a peer, given back when dropped.
pub struct PeerLease(Arc<Peer>);

impl PeerLease {
    /// Where the peer is.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.0
    }
}

impl Drop for PeerLease {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
