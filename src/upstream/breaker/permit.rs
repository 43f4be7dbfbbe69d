//! A breaker that many attempts share, and the leave that each of them holds.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::machine::{
    Admission, Ailment, Breaker, BreakerPolicy, BreakerRecord, BreakerState, Settled, Ticket,
};

/// A [`Breaker`] behind a lock that is held for a few instructions.
#[derive(Debug, Default)]
pub struct SharedBreaker(Mutex<Breaker>);

impl SharedBreaker {
    /// See [`Breaker::admission`].
    pub fn admission(&self, now: Instant) -> Admission {
        self.0.lock().admission(now)
    }

    /// See [`Breaker::admit`]. Between a look at [`SharedBreaker::admission`] and this another
    /// attempt may have taken the one place there was.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Option<Permit> {
        let ticket = self.0.lock().admit(now)?;
        Some(self.permit(ticket))
    }

    /// See [`Breaker::resort`].
    pub fn resort(self: &Arc<Self>) -> Permit {
        let ticket = self.0.lock().resort();
        self.permit(ticket)
    }

    /// See [`Breaker::cool`].
    pub fn cool(&self, until: Instant, now: Instant) {
        self.0.lock().cool(until, now);
    }

    /// See [`Breaker::ailment`].
    pub fn ailment(&self, now: Instant) -> Option<Ailment> {
        self.0.lock().ailment(now)
    }

    /// See [`Breaker::join`].
    pub fn join(&self, until: Instant, now: Instant) {
        self.0.lock().join(until, now);
    }

    /// See [`Breaker::hasten`].
    pub fn hasten(&self, now: Instant) {
        self.0.lock().hasten(now);
    }

    /// See [`Breaker::state`].
    pub fn state(&self, now: Instant) -> BreakerState {
        self.0.lock().state(now)
    }

    /// See [`Breaker::record`].
    pub fn record(&self, now: Instant) -> BreakerRecord {
        self.0.lock().record(now)
    }

    /// Takes over how a predecessor's breaker stood: before any attempt is made.
    pub fn inherit(&self, record: BreakerRecord, now: Instant) {
        *self.0.lock() = Breaker::inherited(record, now);
    }

    fn permit(self: &Arc<Self>, ticket: Ticket) -> Permit {
        Permit {
            breaker: Arc::clone(self),
            ticket: Some(ticket),
        }
    }
}

/// Leave to make one attempt. Dropped unsettled, it is given back as if nothing was learnt, so
/// that a cancelled probe never keeps its place.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    breaker: Arc<SharedBreaker>,
    /// `None` once settled.
    ticket: Option<Ticket>,
}

impl Permit {
    /// Whether this attempt is the one that probes.
    pub fn is_probe(&self) -> bool {
        matches!(self.ticket, Some(Ticket::Probe(_)))
    }

    /// Whether nothing spoke against this attempt when it began.
    pub fn is_plain(&self) -> bool {
        matches!(self.ticket, Some(Ticket::Plain(_)))
    }

    /// See [`Breaker::settle`].
    pub fn settle(mut self, end: Settled, now: Instant, policy: &BreakerPolicy) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.0.lock().settle(ticket, end, now, policy);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.0.lock().take_back(ticket);
        }
    }
}
