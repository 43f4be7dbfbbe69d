//! The state of the process: connections, config, certificates, peers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use prometheus::{IntCounter, IntGauge};

use crate::telemetry::traces::TraceMeters;
use crate::units::{ByteSize, MicroUsd};
use crate::upstream::BreakerState;

use super::Metrics;
use super::series::retain;

/// One counted thing: it counts as long as it lives.
#[derive(Debug)]
pub struct Gauged(IntGauge);

impl Gauged {
    pub(super) fn raise(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Gauged {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What a client connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Accepted; in the TLS handshake.
    Handshake,
    /// Served.
    Open,
}

impl ConnectionState {
    fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Open => "open",
        }
    }
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// The generation of that number is served now.
    Applied(u64),
    /// The old one stays.
    Rejected,
}

/// What a peer's checks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It passes them, or has none.
    Up,
    /// It does not.
    Down,
}

/// What is shown of a quota.
#[derive(Clone, Debug)]
pub struct QuotaGauge<'a> {
    /// The kind of its scope.
    pub scope: &'a str,
    /// Its name.
    pub quota: &'a str,
    /// Counts that are kept of it.
    pub counts: usize,
    /// For each of its budgets the period, the share used, and what was spent.
    pub budgets: Vec<(&'a str, f64, MicroUsd)>,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is for people; sums are elsewhere"
)]
fn usd(amount: MicroUsd) -> f64 {
    amount.0 as f64 / 1e6
}

impl Metrics {
    /// Counts a client connection in a state until the answer is dropped.
    #[must_use]
    pub fn connection(&self, state: ConnectionState) -> Gauged {
        Gauged::raise(&self.connections.with_label_values(&[state.name()]))
    }

    /// Counts a client connection closed unserved. The reason is from a set that the code bounds.
    pub fn connection_refused(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Sets the bytes held in memory.
    pub fn set_buffered(&self, bytes: ByteSize) {
        self.buffered
            .set(i64::try_from(bytes.0).unwrap_or(i64::MAX));
    }

    /// Sets the breakers of the targets in force: 0 closed, 1 half open, 2 open.
    pub fn set_breakers<'a>(&self, breakers: impl IntoIterator<Item = (&'a str, BreakerState)>) {
        for (target, state) in breakers {
            self.breakers.with_label_values(&[target]).set(match state {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            });
        }
    }

    /// Sets what is known of the quotas in force; of others nothing is shown.
    pub fn set_quotas<'a>(&self, quotas: impl IntoIterator<Item = QuotaGauge<'a>>, evicted: u64) {
        self.budget_used.reset();
        self.budget_spent.reset();
        self.quota_counts.reset();
        for QuotaGauge {
            scope,
            quota,
            counts,
            budgets,
        } in quotas
        {
            let counts = i64::try_from(counts).unwrap_or(i64::MAX);
            self.quota_counts
                .with_label_values(&[scope, quota])
                .set(counts);
            for (period, used, spent) in budgets {
                let labels = &[scope, quota, period];
                self.budget_used.with_label_values(labels).set(used);
                self.budget_spent.with_label_values(labels).set(usd(spent));
            }
        }
        self.quota_evicted
            .set(i64::try_from(evicted).unwrap_or(i64::MAX));
    }

    /// Counts a panic outside an exchange; [`Metrics::observe`] counts those inside.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Notes the configuration that the process started with. It is not a reload.
    pub fn started(&self, generation: u64) {
        for result in ["applied", "rejected"] {
            self.reloads.with_label_values(&[result]);
        }
        self.serves(generation);
    }

    /// Counts a reload.
    pub fn reloaded(&self, result: ReloadResult) {
        match result {
            ReloadResult::Applied(generation) => {
                self.reloads.with_label_values(&["applied"]).inc();
                self.serves(generation);
            }
            ReloadResult::Rejected => {
                self.reloads.with_label_values(&["rejected"]).inc();
                self.reload_successful.set(0);
            }
        }
    }

    fn serves(&self, generation: u64) {
        self.generation
            .set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.reload_successful.set(1);
    }

    /// Sets the certificates in use: listener address, name, end in seconds since 1970. Others
    /// are forgotten.
    pub fn set_certificates<'a>(
        &self,
        certificates: impl IntoIterator<Item = (SocketAddr, &'a str, i64)>,
    ) {
        let mut current = BTreeSet::new();
        for (listener, name, not_after) in certificates {
            let listener = listener.to_string();
            self.certificates
                .with_label_values(&[listener.as_str(), name])
                .set(not_after);
            current.insert((listener, name.to_owned()));
        }
        retain(&self.certificates, |labels| {
            is_in(
                &current,
                labels.iter().map(prometheus::proto::LabelPair::value),
            )
        });
    }

    /// Sets until when the lists of revoked client certificates hold: listener address, end in
    /// seconds since 1970. Others are forgotten.
    pub fn set_revocation_lists(&self, lists: impl IntoIterator<Item = (SocketAddr, i64)>) {
        let mut current = BTreeSet::new();
        for (listener, end) in lists {
            let listener = listener.to_string();
            self.revocation_lists
                .with_label_values(&[listener.as_str()])
                .set(end);
            current.insert(listener);
        }
        retain(&self.revocation_lists, |labels| {
            labels.iter().all(|label| current.contains(label.value()))
        });
    }

    /// Sets the health of all peers of all providers. Others are forgotten.
    pub fn set_peers(&self, peers: impl IntoIterator<Item = (Arc<str>, SocketAddr, PeerState)>) {
        let mut current = BTreeSet::new();
        for (provider, peer, state) in peers {
            let peer = peer.to_string();
            let up = i64::from(state == PeerState::Up);
            self.peers
                .with_label_values(&[provider.as_ref(), peer.as_str()])
                .set(up);
            // Labels are handed back sorted by name: `peer`, then `provider`.
            current.insert((peer, provider.as_ref().to_owned()));
        }
        retain(&self.peers, |labels| {
            is_in(
                &current,
                labels.iter().map(prometheus::proto::LabelPair::value),
            )
        });
    }

    /// Notes that the process drains, which it does but once.
    pub fn set_draining(&self) {
        self.draining.set(1);
    }

    /// The counter that the access log is to be opened with.
    pub fn access_log_dropped(&self) -> IntCounter {
        self.access_log_dropped.clone()
    }

    /// The counter that the samples are to be opened with.
    pub fn samples_dropped(&self) -> IntCounter {
        self.samples_dropped.clone()
    }

    /// Whether the store of usage fails.
    pub fn store_failing(&self) -> IntGauge {
        self.store_failing.clone()
    }

    /// The counter of what the store of usage has written.
    pub fn store_entries(&self) -> IntCounter {
        self.store_entries.clone()
    }

    /// The counter of what the store of usage has lost.
    pub fn store_lost(&self) -> IntCounter {
        self.store_lost.clone()
    }

    /// Whether the shared counts are within reach.
    pub fn shared_up(&self) -> IntGauge {
        self.shared_up.clone()
    }

    /// The counter of what the shared counts decided.
    pub fn shared_decisions(&self) -> IntCounter {
        self.shared_decisions.clone()
    }

    /// The counter of what local counts decided in their place.
    pub fn shared_fallbacks(&self) -> IntCounter {
        self.shared_fallbacks.clone()
    }

    /// The counter of what the shared counts were never told.
    pub fn shared_lost(&self) -> IntCounter {
        self.shared_lost.clone()
    }

    /// Sets how many exchanges wait for the store of usage.
    pub fn set_store_waiting(&self, number: usize) {
        self.store_waiting
            .set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// The counters of the export of spans.
    pub fn spans(&self) -> TraceMeters {
        self.spans.clone()
    }

    /// The counter that the diagnostics are to be set up with.
    pub fn diagnostics_dropped(&self) -> IntCounter {
        self.diagnostics_dropped.clone()
    }
}

fn is_in<'a>(
    current: &BTreeSet<(String, String)>,
    mut values: impl Iterator<Item = &'a str>,
) -> bool {
    let (Some(first), Some(second)) = (values.next(), values.next()) else {
        return false;
    };
    current.contains(&(first.to_owned(), second.to_owned()))
}
