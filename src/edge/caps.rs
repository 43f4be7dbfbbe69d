//! How many connections there are, in all and from each address, and what became of the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::head::Refusal;
use super::settings::Limits;
use crate::telemetry::{ConnectionState, Gauged, Metrics};

/// The connections of all listeners together.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Open>,
    none_open: Notify,
    accepted: AtomicU64,
    accept_errors: AtomicU64,
    handshake_failures: AtomicU64,
    over_cap: AtomicU64,
    over_cap_per_address: AtomicU64,
    malformed: AtomicU64,
    too_large: AtomicU64,
    timed_out: AtomicU64,
    /// Where the operators read it, unless the connections are their own.
    metrics: Option<Arc<Metrics>>,
}

/// What `Connections` counts. All but `open` only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Connections open now.
    pub open: u64,
    /// Connections taken, open or closed.
    pub accepted: u64,
    /// Failed calls of `accept`: descriptors or memory ran out.
    pub accept_errors: u64,
    /// TLS handshakes and HTTP/2 prefaces that failed or took too long.
    pub handshake_failures: u64,
    /// Closed at once: the cap on all connections.
    pub refused_over_cap: u64,
    /// Closed at once: the cap on one address.
    pub refused_over_cap_per_address: u64,
    /// Requests refused before the proxy saw them: malformed head, or chunked body.
    pub refused_malformed: u64,
    /// Requests refused before the proxy saw them: head too large.
    pub refused_too_large: u64,
    /// Requests refused before the proxy saw them: head too slow.
    pub refused_timed_out: u64,
}

#[derive(Debug, Default)]
struct Open {
    all: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// What a connection must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverCap {
    /// One more than `Limits::connections`.
    All,
    /// One more than `Limits::connections_per_address`.
    Address,
}

/// An open connection's place in the count.
#[derive(Debug)]
pub(super) struct Permit {
    connections: Arc<Connections>,
    address: IpAddr,
    gauged: Option<Gauged>,
}

impl Permit {
    /// Notes what the connection does from now on.
    pub(super) fn enter(&mut self, state: ConnectionState) {
        let metrics = self.connections.metrics.as_ref();
        self.gauged = metrics.map(|metrics| metrics.connection(state));
    }
}

impl Connections {
    /// No connections.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// No connections; those to come are also counted in the metrics.
    pub fn counted_by(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            metrics: Some(metrics),
            ..Self::default()
        })
    }

    /// The counts as they are.
    pub fn snapshot(&self) -> ConnectionCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectionCounts {
            open: self.open.lock().all.into(),
            accepted: count(&self.accepted),
            accept_errors: count(&self.accept_errors),
            handshake_failures: count(&self.handshake_failures),
            refused_over_cap: count(&self.over_cap),
            refused_over_cap_per_address: count(&self.over_cap_per_address),
            refused_malformed: count(&self.malformed),
            refused_too_large: count(&self.too_large),
            refused_timed_out: count(&self.timed_out),
        }
    }

    /// Waits until no connection is open. Worth asking once every listener has stopped.
    pub async fn drained(&self) {
        loop {
            let mut closed = std::pin::pin!(self.none_open.notified());
            // Registered before looking, so that a close between the two is not missed.
            closed.as_mut().enable();
            if self.open.lock().all == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Makes place for a connection from `peer`, and counts it.
    pub(super) fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
        limits: &Limits,
    ) -> Result<Permit, OverCap> {
        let address = network(peer);
        let admitted = self.open.lock().add(address, limits);
        let counter = match admitted {
            Ok(()) => &self.accepted,
            Err(OverCap::All) => &self.over_cap,
            Err(OverCap::Address) => &self.over_cap_per_address,
        };
        count(counter);
        match admitted {
            Ok(()) => {}
            Err(OverCap::All) => self.unserved("connections"),
            Err(OverCap::Address) => self.unserved("connections_per_address"),
        }
        admitted.map(|()| Permit {
            connections: Arc::clone(self),
            address,
            gauged: None,
        })
    }

    /// Counts a failed `accept`.
    pub(super) fn accept_failed(&self) {
        count(&self.accept_errors);
    }

    /// Counts a failed handshake.
    pub(super) fn handshake_failed(&self) {
        count(&self.handshake_failures);
        self.unserved("handshake");
    }

    /// Counts a connection that was cut off for its frames.
    pub(super) fn flooded(&self) {
        self.unserved("http2_flood");
    }

    /// Counts a refused request.
    pub(super) fn refused(&self, refusal: Refusal) {
        let (counter, reason) = match refusal {
            Refusal::Malformed(_) => (&self.malformed, "malformed"),
            Refusal::TooLarge | Refusal::TooManyFields => (&self.too_large, "head_too_large"),
            Refusal::TimedOut => (&self.timed_out, "head_timeout"),
        };
        count(counter);
        self.unserved(reason);
    }

    fn unserved(&self, reason: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.connection_refused(reason);
        }
    }
}

impl Open {
    fn add(&mut self, address: IpAddr, limits: &Limits) -> Result<(), OverCap> {
        if self.all >= limits.connections {
            return Err(OverCap::All);
        }
        let here = self.by_address.get(&address).copied().unwrap_or(0);
        if here >= limits.connections_per_address {
            return Err(OverCap::Address);
        }
        self.by_address.insert(address, here.saturating_add(1));
        self.all += 1;
        Ok(())
    }

    fn remove(&mut self, address: IpAddr) {
        self.all = self.all.saturating_sub(1);
        let Entry::Occupied(mut here) = self.by_address.entry(address) else {
            return;
        };
        if *here.get() <= 1 {
            here.remove();
        } else {
            *here.get_mut() -= 1;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let left = {
            let mut open = self.connections.open.lock();
            open.remove(self.address);
            open.all
        };
        if left == 0 {
            self.connections.none_open.notify_waiters();
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What counts as one address: an IPv4 address, or an IPv6 /64, for that is what one host is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: u32, connections_per_address: u32) -> Limits {
        Limits {
            connections,
            connections_per_address,
            ..Limits::default()
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_cap_on_all_connections_holds_and_a_closed_one_makes_place() {
        let connections = Connections::new();
        let limits = limits(2, 2);
        let first = connections.admit(ip("192.0.2.1"), &limits).unwrap();
        let _second = connections.admit(ip("192.0.2.2"), &limits).unwrap();
        assert_eq!(
            connections.admit(ip("192.0.2.3"), &limits).unwrap_err(),
            OverCap::All
        );
        drop(first);
        let _third = connections.admit(ip("192.0.2.3"), &limits).unwrap();
        let counts = connections.snapshot();
        assert_eq!(
            (counts.open, counts.accepted, counts.refused_over_cap),
            (2, 3, 1)
        );
    }

    #[test]
    fn the_cap_on_an_address_spares_the_others() {
        let connections = Connections::new();
        let limits = limits(9, 1);
        let _one = connections.admit(ip("192.0.2.1"), &limits).unwrap();
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert_eq!(
                connections.admit(ip(same), &limits).unwrap_err(),
                OverCap::Address
            );
        }
        let _other = connections.admit(ip("192.0.2.2"), &limits).unwrap();
        assert_eq!(connections.snapshot().refused_over_cap_per_address, 2);
    }

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one_address() {
        let connections = Connections::new();
        let limits = limits(9, 1);
        let _one = connections.admit(ip("2001:db8:1:2::1"), &limits).unwrap();
        assert!(
            connections
                .admit(ip("2001:db8:1:2:ffff::9"), &limits)
                .is_err()
        );
        let _other = connections.admit(ip("2001:db8:1:3::1"), &limits).unwrap();
    }

    #[test]
    fn nothing_is_remembered_of_an_address_without_connections() {
        let connections = Connections::new();
        drop(connections.admit(ip("192.0.2.1"), &limits(9, 9)).unwrap());
        assert!(connections.open.lock().by_address.is_empty());
    }

    #[tokio::test]
    async fn drained_waits_for_the_last_connection() {
        let connections = Connections::new();
        connections.drained().await;
        let permit = connections.admit(ip("192.0.2.1"), &limits(9, 9)).unwrap();
        let waiting = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(permit);
        waiting.await.unwrap();
    }
}
