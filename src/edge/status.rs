//! What the admin pages show: the state of the process, without secrets.

use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::account::store::Store;
use crate::account::{BudgetStatus, Ledger, Now, QuotaStatus};
use crate::edge::CertifiedName;
use crate::edge::admin::{Readiness, StatusSource};
use crate::edge::birth::birth;
use crate::edge::caps::Connections;
use crate::edge::exchange::Shared;
use crate::edge::front::Front;
use crate::edge::generation::{Generation, LastReload};
use crate::edge::page_data;
use crate::edge::upgrades::{Told, Upgrades};
use crate::relay::{LiveRoute, TargetState};
use crate::route::Target;
use crate::telemetry::{PeerState, QuotaGauge, Timestamp};
use crate::upstream::{PeerHealth, PeerStatus, Provider};

/// Reads the state of everything that runs.
pub(super) struct Status {
    pub(super) shared: Arc<Shared>,
    pub(super) connections: Arc<Connections>,
    pub(super) fronts: Vec<Front>,
    pub(super) readiness: Arc<Mutex<Readiness>>,
    pub(super) upgrades: Arc<Upgrades>,
}

impl StatusSource for Status {
    fn status(&self) -> Value {
        let generation = self.shared.generations.current();
        let counts = self.connections.snapshot();
        let reloads = self.shared.generations.reloads();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "readiness": format!("{:?}", self.ready()).to_lowercase(),
            "generation": { "number": generation.number, "since": Timestamp(generation.since).to_string() },
            "process": { "id": process::id(), "birth": birth(process::id()) },
            "upgrades": upgrades(&self.upgrades.told()),
            "last_reload": reload(&reloads.last),
            "reloads": { "begun": reloads.begun, "ended": reloads.ended },
            "listeners": self.fronts.iter().map(listener).collect::<Vec<_>>(),
            "connections": { "open": counts.open, "accepted": counts.accepted },
            "exchanges_in_flight": self.shared.in_flight.load(Ordering::Relaxed),
            "buffered_bytes": self.shared.budget.held().0,
            "providers": providers(&generation),
            "routes": routes(&generation),
            "quotas": quotas(&self.shared.ledger, &generation),
            "store": self.shared.store.as_ref().map(store),
        })
    }

    fn ready(&self) -> Readiness {
        *self.readiness.lock()
    }

    fn page_data(&self, route: Option<&str>) -> String {
        page_data::tell(&self.shared, self.ready(), route)
    }

    fn metrics(&self) -> String {
        let metrics = &self.shared.metrics;
        metrics.set_buffered(self.shared.budget.held());
        if let Some(store) = &self.shared.store {
            metrics.set_store_waiting(store.state().waiting);
        }
        let generation = self.shared.generations.current();
        let ledger = &self.shared.ledger;
        let quotas = ledger.status(&generation.settings.quotas, Now::read());
        metrics.set_quotas(quotas.iter().map(gauge), ledger.evicted());
        let peers = generation.providers.values().flat_map(|provider| {
            let name = Arc::clone(provider.name());
            let peers = provider.status().peers.into_iter();
            peers.map(move |peer| (Arc::clone(&name), peer.address, state(peer.health)))
        });
        metrics.set_peers(peers);
        let now = Instant::now();
        let targets = generation
            .routes
            .values()
            .flat_map(|live| live.forms())
            .flat_map(LiveRoute::targets);
        metrics.set_breakers(
            targets.map(|(target, state)| (&*target.name, state.status(now).breaker)),
        );
        let certificates: Vec<_> = self.fronts.iter().flat_map(certificates).collect();
        metrics.set_certificates(
            certificates
                .iter()
                .map(|(address, name, end)| (*address, name.as_str(), *end)),
        );
        let lists = |front: &Front| Some((front.address, front.tls.as_ref()?.lists_until()?));
        metrics.set_revocation_lists(self.fronts.iter().filter_map(lists));
        metrics.render()
    }
}

/// An unknown peer is not down: requests go to it.
fn state(health: PeerHealth) -> PeerState {
    match health {
        PeerHealth::Up | PeerHealth::Unknown => PeerState::Up,
        PeerHealth::Down => PeerState::Down,
    }
}

fn certificates(front: &Front) -> Vec<(SocketAddr, String, i64)> {
    let Some(tls) = &front.tls else {
        return Vec::new();
    };
    let named = |certificate: CertifiedName| {
        let name = certificate.names.first().cloned().unwrap_or_default();
        (front.address, name, certificate.not_after)
    };
    tls.certificates().into_iter().map(named).collect()
}

fn listener(front: &Front) -> Value {
    let certificates: Vec<_> = certificates(front)
        .into_iter()
        .map(|(_, name, end)| json!({ "name": name, "not_after": Timestamp::of_unix(end).to_string() }))
        .collect();
    let lists = front.tls.as_ref().and_then(|tls| tls.lists_until());
    json!({
        "address": front.address,
        "tls": front.tls.is_some(),
        "certificates": certificates,
        "revocation_lists_until": lists.map(|end| Timestamp::of_unix(end).to_string()),
    })
}

fn upgrades(upgrades: &Told) -> Value {
    json!({ "begun": upgrades.begun, "failed": upgrades.failed, "why": upgrades.why })
}

fn reload(last: &LastReload) -> Value {
    match last {
        LastReload::Never => Value::Null,
        LastReload::Good(at) => json!({ "at": Timestamp(*at).to_string(), "result": "applied" }),
        LastReload::Refused(at, why) => {
            json!({ "at": Timestamp(*at).to_string(), "result": "refused", "why": why })
        }
    }
}

fn gauge(status: &QuotaStatus) -> QuotaGauge<'_> {
    let budget = |one: &BudgetStatus| (one.budget.per.name(), one.share, one.spent);
    QuotaGauge {
        scope: status.kind.name(),
        quota: &status.quota,
        counts: status.counts,
        budgets: status.budgets.iter().map(budget).collect(),
    }
}

fn quotas(ledger: &Arc<Ledger>, generation: &Generation) -> Vec<Value> {
    let budget = |one: &BudgetStatus| {
        json!({
            "per": one.budget.per.name(),
            "micro_usd": one.budget.amount.0,
            "spent_micro_usd": one.spent.0,
            "reserved_micro_usd": one.reserved.0,
            "used": one.share,
        })
    };
    let quota = |one: &QuotaStatus| {
        json!({
            "scope": one.kind.name(),
            "name": *one.quota,
            "counts": one.counts,
            "running": one.running,
            "budgets": one.budgets.iter().map(budget).collect::<Vec<_>>(),
        })
    };
    let status = ledger.status(&generation.settings.quotas, Now::read());
    status.iter().map(quota).collect()
}

fn store(store: &Store) -> Value {
    let state = store.state();
    json!({
        "path": store.settings().path.display().to_string(),
        "waiting": state.waiting,
        "lost": state.lost,
        "failing": state.failing.map(|(since, why)| {
            json!({ "since": Timestamp(since).to_string(), "why": why })
        }),
    })
}

fn providers(generation: &Generation) -> Vec<Value> {
    let peer = |peer: &PeerStatus| {
        json!({
            "address": peer.address,
            "health": format!("{:?}", peer.health).to_lowercase(),
            "breaker": peer.breaker.name(),
            "in_flight": peer.in_flight,
            "last_error": peer.last_error.map(|last| {
                json!({ "what": last.error.to_string(), "at": Timestamp(last.at).to_string() })
            }),
        })
    };
    let provider = |provider: &Arc<Provider>| {
        let peers: Vec<_> = provider.status().peers.iter().map(peer).collect();
        json!({ "name": **provider.name(), "peers": peers })
    };
    generation.providers.values().map(provider).collect()
}

fn routes(generation: &Generation) -> Vec<Value> {
    let route = |live: &LiveRoute| {
        let targets: Vec<_> = live.targets().map(target).collect();
        let route = live.route();
        match &route.variant {
            Some(variant) => {
                json!({ "name": *route.name, "variant": **variant, "targets": targets })
            }
            None => json!({ "name": *route.name, "targets": targets }),
        }
    };
    let forms = generation.routes.values().flat_map(|live| live.forms());
    forms.map(route).collect()
}

fn target((target, state): (&Target, &Arc<TargetState>)) -> Value {
    let status = state.status(Instant::now());
    let millis = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    json!({
        "target": *target.name,
        "breaker": status.breaker.name(),
        "shut_for_ms": status.shut_for.map(millis),
        "in_flight": status.in_flight,
        "first_token_ms": status.first_token.map(millis),
        "last_failure": status.last_failure.map(|last| {
            json!({ "reason": last.reason, "at": Timestamp(last.at).to_string() })
        }),
    })
}
