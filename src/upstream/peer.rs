//! One address of a provider: how it is connected to, what we know of it, who uses it now.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use pingora_core::upstreams::peer::{HttpPeer, Peer as _};

use super::blame::{FAILING, UNREACHED, blame};
use super::breaker::{Admission, BreakerPolicy, BreakerState, Permit, Settled, SharedBreaker};
use super::error::CallError;
use super::tally::{Outcome, PeerHealth, Tally, Thresholds};

/// One address of a pool.
pub(super) struct Peer {
    /// Where it is.
    pub(super) address: SocketAddr,
    /// How Pingora connects to it; built once, for it is not cheap.
    pub(super) http: HttpPeer,
    /// By what its idle connections are known: a hash of all that a connection depends on.
    pub(super) reuse: u64,
    in_flight: AtomicUsize,
    /// What calls say.
    breaker: Arc<SharedBreaker>,
    record: Mutex<Record>,
}

/// What is known of a peer.
#[derive(Default)]
struct Record {
    /// What active checks say.
    tally: Tally,
    /// Whether the last connection of a request succeeded.
    reached: Option<bool>,
    /// When a call failed last, if none has succeeded since.
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
    /// Whether it is passed over for the way its calls ended.
    pub breaker: BreakerState,
    /// Calls under way.
    pub in_flight: usize,
    /// The last failure of any kind.
    pub last_error: Option<LastError>,
}

/// How good a choice a peer is; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Up, or not known to be anything else; or a call may probe it.
    Usable,
    /// A call probes it.
    Probed,
    /// Its last calls failed.
    Resting,
    /// Down by its checks.
    Down,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, http: HttpPeer) -> Arc<Self> {
        Arc::new(Self {
            address,
            reuse: http.reuse_hash(),
            http,
            in_flight: AtomicUsize::new(0),
            breaker: Arc::default(),
            record: Mutex::default(),
        })
    }

    /// A place for a call, if its breaker has one.
    pub(super) fn lease(self: &Arc<Self>, now: Instant) -> Option<PeerLease> {
        let permit = self.breaker.admit(now)?;
        Some(PeerLease::new(self, permit))
    }

    /// A place for a call that has no better one to go to.
    pub(super) fn resort(self: &Arc<Self>, now: Instant) -> PeerLease {
        let permit = self.breaker.admit(now);
        PeerLease::new(self, permit.unwrap_or_else(|| self.breaker.resort()))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        if self.record.lock().tally.health() == PeerHealth::Down {
            return Standing::Down;
        }
        match self.breaker.admission(now) {
            Admission::Free | Admission::Probe => Standing::Usable,
            Admission::Probed => Standing::Probed,
            Admission::Shut { .. } => Standing::Resting,
        }
    }

    /// Since when it has not failed: the longer, the likelier that it is back.
    pub(super) fn failed_at(&self) -> Option<Instant> {
        self.record.lock().failed_at
    }

    /// A request's connection was made.
    pub(super) fn note_reached(&self) {
        self.record.lock().reached = Some(true);
    }

    /// Something went wrong that does not count against it.
    pub(super) fn note_error(&self, error: CallError) {
        self.record.lock().last_error = Some(LastError::now(error));
    }

    /// The next call may probe it.
    pub(super) fn hasten(&self, now: Instant) {
        self.breaker.hasten(now);
    }

    fn settle(&self, permit: Permit, end: Settled, now: Instant, policy: &BreakerPolicy) {
        permit.settle(end, now, policy);
        let mut record = self.record.lock();
        record.failed_at = match end {
            Settled::Success => None,
            Settled::Failure => Some(now),
            Settled::Neutral => record.failed_at,
        };
    }

    /// An active check ended.
    pub(super) fn note_check(
        &self,
        result: Result<(), CallError>,
        thresholds: Thresholds,
        now: Instant,
    ) {
        let mut record = self.record.lock();
        let outcome = match result {
            Ok(()) => {
                // It has just connected: where that was what failed, a call should see for itself.
                if record.reached == Some(false) {
                    self.hasten(now);
                }
                Outcome::Passed
            }
            Err(error) => {
                record.last_error = Some(LastError::now(error));
                Outcome::Failed
            }
        };
        record.tally = record.tally.observe(outcome, thresholds);
    }

    pub(super) fn status(&self, now: Instant) -> PeerStatus {
        let record = self.record.lock();
        let health = match (record.tally.health(), record.reached) {
            (PeerHealth::Unknown, Some(true)) => PeerHealth::Up,
            (PeerHealth::Unknown, Some(false)) => PeerHealth::Down,
            (health, _) => health,
        };
        PeerStatus {
            address: self.address,
            health,
            breaker: self.breaker.state(now),
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

/// A call's place at a peer, given back when dropped. Whoever says how the call ended says so
/// before; else nothing is learnt from it.
pub struct PeerLease {
    peer: Arc<Peer>,
    /// `None` once the call's end is known.
    permit: Option<Permit>,
}

impl PeerLease {
    fn new(peer: &Arc<Peer>, permit: Permit) -> Self {
        peer.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            peer: Arc::clone(peer),
            permit: Some(permit),
        }
    }

    /// Where the peer is.
    pub fn address(&self) -> SocketAddr {
        self.peer.address
    }

    /// How the call ended, as far as the peer is to blame. The first word counts: what failed
    /// before an answer's head has been noted already.
    pub fn note(&mut self, end: Settled) {
        self.settle(end, Instant::now(), &FAILING);
    }

    /// The call failed before there was an answer.
    pub(super) fn failed(&mut self, error: CallError, now: Instant) {
        self.peer.note_error(error);
        let Some(policy) = blame(error) else {
            return;
        };
        if *policy == UNREACHED {
            self.peer.record.lock().reached = Some(false);
        }
        self.settle(Settled::Failure, now, policy);
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    fn settle(&mut self, end: Settled, now: Instant, policy: &BreakerPolicy) {
        if let Some(permit) = self.permit.take() {
            self.peer.settle(permit, end, now, policy);
        }
    }
}

impl Drop for PeerLease {
    fn drop(&mut self) {
        self.peer.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::upstream::error::{InflateError, Phase};

    const SECOND: Duration = Duration::from_secs(1);
    const THRESHOLDS: Thresholds = Thresholds {
        failures: 1,
        successes: 1,
    };

    fn peer() -> Arc<Peer> {
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        Peer::new(address, HttpPeer::new(address, false, String::new()))
    }

    fn fail(peer: &Arc<Peer>, error: CallError, now: Instant, times: usize) {
        for _ in 0..times {
            peer.resort(now).failed(error, now);
        }
    }

    #[test]
    fn one_failed_connection_is_enough_but_of_failed_answers_it_takes_three() {
        let reset = CallError::Reset(Phase::BeforeHead);
        for (error, times) in [(CallError::Tls, 1), (reset, 3)] {
            let (peer, now) = (peer(), Instant::now());
            fail(&peer, error, now, times - 1);
            assert_eq!(peer.standing(now), Standing::Usable, "{error}");
            fail(&peer, error, now, 1);
            assert_eq!(peer.standing(now), Standing::Resting, "{error}");
            let status = peer.status(now);
            assert_eq!(status.breaker, BreakerState::Open);
            assert_eq!(status.last_error.unwrap().error, error);
            let late = now + 5 * SECOND;
            assert_eq!(peer.status(late).breaker, BreakerState::HalfOpen);
            assert_eq!(peer.standing(late), Standing::Usable);
            let _probe = peer.lease(late).unwrap();
            assert_eq!(peer.standing(late), Standing::Probed);
            assert!(peer.lease(late).is_none());
        }
    }

    #[test]
    fn what_is_not_its_fault_is_shown_and_not_counted() {
        let (peer, now) = (peer(), Instant::now());
        let error = CallError::Inflate(InflateError::Corrupt);
        fail(&peer, error, now, 10);
        assert_eq!(peer.standing(now), Standing::Usable);
        assert_eq!(peer.failed_at(), None);
        assert_eq!(peer.status(now).last_error.unwrap().error, error);
    }

    #[test]
    fn the_first_word_about_a_call_counts() {
        let (peer, now) = (peer(), Instant::now());
        let reset = CallError::Reset(Phase::BeforeHead);
        for _ in 0..3 {
            let mut lease = peer.resort(now);
            lease.failed(reset, now);
            lease.note(Settled::Success);
        }
        assert_eq!(peer.standing(now), Standing::Resting);
        assert_eq!(peer.failed_at(), Some(now));
        let mut lease = peer.resort(now);
        lease.note(Settled::Success);
        lease.failed(CallError::Tls, now);
        assert_eq!(peer.standing(now), Standing::Usable);
        assert_eq!(peer.failed_at(), None);
    }

    #[test]
    fn a_call_of_which_nothing_is_said_changes_nothing() {
        let (peer, now) = (peer(), Instant::now());
        fail(&peer, CallError::Reset(Phase::BeforeHead), now, 2);
        drop(peer.lease(now));
        peer.lease(now).unwrap().note(Settled::Neutral);
        assert_eq!(peer.failed_at(), Some(now));
        fail(&peer, CallError::Reset(Phase::BeforeHead), now, 1);
        assert_eq!(peer.standing(now), Standing::Resting);
    }

    #[test]
    fn a_check_that_connects_lets_a_call_see_for_itself_where_connecting_was_what_failed() {
        let (peer, now) = (peer(), Instant::now());
        fail(&peer, CallError::ConnectTimeout, now, 1);
        peer.note_check(Err(CallError::ConnectTimeout), THRESHOLDS, now);
        assert_eq!(peer.standing(now), Standing::Down);
        peer.note_check(Ok(()), THRESHOLDS, now);
        assert_eq!(peer.standing(now), Standing::Usable);
        assert_eq!(peer.status(now).breaker, BreakerState::HalfOpen);

        peer.note_reached();
        peer.lease(now).unwrap().note(Settled::Success);
        fail(&peer, CallError::Closed(Phase::BeforeHead), now, 3);
        peer.note_check(Ok(()), THRESHOLDS, now);
        assert_eq!(peer.standing(now), Standing::Resting);
    }
}
