//! What the page draws: routes as they stand, the last hour, the latest rescued and failed
//! exchanges. Names of the config and of the code, numbers and request ids; nothing of any client.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use crate::edge::admin::Readiness;
use crate::edge::exchange::Shared;
use crate::edge::generation::LastReload;
use crate::relay::{LiveRoute, TargetStatus};
use crate::telemetry::{HistoryTold, Timestamp};

#[derive(Serialize)]
struct Data<'a> {
    version: &'static str,
    readiness: &'static str,
    /// The time here, to tell how long ago things were.
    now: String,
    up_seconds: u64,
    generation: u64,
    since: String,
    reload_refused: bool,
    in_flight: u64,
    store_failing: bool,
    routes: Vec<RouteData<'a>>,
    #[serde(flatten)]
    history: HistoryTold,
}

#[derive(Serialize)]
struct RouteData<'a> {
    name: &'a str,
    variant: Option<&'a str>,
    targets: Vec<TargetData<'a>>,
}

#[derive(Serialize)]
struct TargetData<'a> {
    target: &'a str,
    /// From 1.
    tier: usize,
    /// Whether a request that comes now and can go anywhere is answered here, or by an equal.
    answers: bool,
    breaker: &'static str,
    shut_for_ms: Option<u64>,
    in_flight: u32,
    first_token_ms: Option<u64>,
    last_failure: Option<Failure>,
}

#[derive(Serialize)]
struct Failure {
    reason: &'static str,
    at: String,
}

/// The data as JSON, with the hour of a route or of all.
pub(super) fn tell(shared: &Shared, readiness: Readiness, route: Option<&str>) -> String {
    let generation = shared.generations.current();
    let forms = generation.routes.values().flat_map(|live| live.forms());
    let store = shared.store.as_ref();
    let data = Data {
        version: env!("CARGO_PKG_VERSION"),
        readiness: match readiness {
            Readiness::Starting => "starting",
            Readiness::Ready => "ready",
            Readiness::Draining => "draining",
        },
        now: Timestamp(SystemTime::now()).to_string(),
        up_seconds: shared.started.elapsed().as_secs(),
        generation: generation.number,
        since: Timestamp(generation.since).to_string(),
        reload_refused: matches!(shared.generations.reloads().last, LastReload::Refused(..)),
        in_flight: shared.in_flight.load(std::sync::atomic::Ordering::Relaxed),
        store_failing: store.is_some_and(|store| store.state().failing.is_some()),
        routes: forms.map(RouteData::of).collect(),
        history: shared.history.tell(route, shared.started.elapsed()),
    };
    // Plain data: writing it to memory cannot fail.
    serde_json::to_string(&data).unwrap_or_default()
}

impl<'a> RouteData<'a> {
    fn of(live: &'a LiveRoute) -> Self {
        let now = Instant::now();
        let route = live.route();
        let tiers = route.tiers.iter().zip(1..);
        let places = tiers.flat_map(|(tier, number)| tier.targets.iter().map(move |_| number));
        let heeds_breaker = route.policy.breaker.is_some();
        let told = live.targets().zip(places).map(|((target, state), tier)| {
            let status = state.status(now);
            let is_open = status.shut_for.is_none() || !heeds_breaker;
            (TargetData::of(&target.name, tier, &status), is_open)
        });
        let told: Vec<_> = told.collect();
        let open = told.iter().filter(|(_, is_open)| *is_open);
        let answering = open.map(|(target, _)| target.tier).min();
        let targets = told.into_iter().map(|(target, is_open)| TargetData {
            answers: is_open && Some(target.tier) == answering,
            ..target
        });
        Self {
            name: &route.name,
            variant: route.variant.as_deref(),
            targets: targets.collect(),
        }
    }
}

impl<'a> TargetData<'a> {
    fn of(target: &'a str, tier: usize, status: &TargetStatus) -> Self {
        let millis = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self {
            target,
            tier,
            answers: false,
            breaker: status.breaker.name(),
            shut_for_ms: status.shut_for.map(millis),
            in_flight: status.in_flight,
            first_token_ms: status.first_token.map(millis),
            last_failure: status.last_failure.map(|last| Failure {
                reason: last.reason,
                at: Timestamp(last.at).to_string(),
            }),
        }
    }
}
