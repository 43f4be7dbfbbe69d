//! The metrics: counted on the way, rendered for Prometheus when asked.

mod cgroup;
mod exchange;
mod limits;
mod money;
pub mod names;
mod process;
mod series;
mod state;

use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use self::money::Money;
use self::names::Family;
use crate::telemetry::traces::TraceMeters;

pub use self::cgroup::memory_limit;
pub use self::process::descriptor_limit;
pub use self::series::Known;
pub use self::state::{ConnectionState, Gauged, PeerState, QuotaGauge, ReloadResult};

/// Bounds of the times to the first token, in seconds: those of OpenTelemetry's semantic
/// conventions for generative AI, and three more for models that think first.
const FIRST_TOKEN_BOUNDS: [f64; 18] = [
    0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];

/// Bounds of the times that an answer's head was held, in seconds: the gate's own bound is 400 ms
/// where nothing else is said.
const HELD_BOUNDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 5.0,
];

/// Bounds of the whole times, in seconds: those of the same conventions, and three more.
const DURATION_BOUNDS: [f64; 17] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84,
    327.68, 655.36,
];

/// Every metric of the process. One for its whole life, shared by all generations.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    started: SystemTime,
    /// The names that may be labels.
    known: ArcSwap<Known>,
    exchanges: IntCounterVec,
    attempts: IntCounterVec,
    fallbacks: IntCounterVec,
    commits: IntCounterVec,
    held: HistogramVec,
    discarded: IntCounterVec,
    breakers: IntGaugeVec,
    first_token: HistogramVec,
    duration: HistogramVec,
    tokens: IntCounterVec,
    cost: Money,
    key_cost: Money,
    suspicious: IntCounterVec,
    budget_used: GaugeVec,
    budget_spent: GaugeVec,
    quota_counts: IntGaugeVec,
    quota_evicted: IntGauge,
    in_flight: IntGauge,
    aborts: IntCounter,
    panics: IntCounter,
    connections: IntGaugeVec,
    refused: IntCounterVec,
    buffered: IntGauge,
    limits: GaugeVec,
    limits_reached: IntCounterVec,
    reloads: IntCounterVec,
    generation: IntGauge,
    reload_successful: IntGauge,
    certificates: IntGaugeVec,
    revocation_lists: IntGaugeVec,
    peers: IntGaugeVec,
    draining: IntGauge,
    access_log_dropped: IntCounter,
    samples_dropped: IntCounter,
    diagnostics_dropped: IntCounter,
    store_failing: IntGauge,
    store_entries: IntCounter,
    store_lost: IntCounter,
    store_waiting: IntGauge,
    shared_up: IntGauge,
    shared_decisions: IntCounter,
    shared_fallbacks: IntCounter,
    shared_lost: IntCounter,
    spans: TraceMeters,
}

impl Metrics {
    /// All metrics at zero.
    ///
    /// # Errors
    /// When a name is illegal or there twice: never, as the tests show.
    pub fn try_new(version: &str) -> prometheus::Result<Self> {
        let to = &Registry::new();
        add(
            to,
            IntGaugeVec::new(opts(names::BUILD), names::BUILD.labels),
        )?
        .with_label_values(&[version])
        .set(1);
        Ok(Self {
            registry: to.clone(),
            started: SystemTime::now(),
            known: ArcSwap::default(),
            exchanges: counters(to, names::EXCHANGES)?,
            attempts: counters(to, names::ATTEMPTS)?,
            fallbacks: counters(to, names::FALLBACKS)?,
            commits: counters(to, names::COMMITS)?,
            held: histograms(to, names::HELD, &HELD_BOUNDS)?,
            discarded: counters(to, names::DISCARDED)?,
            breakers: gauges(to, names::BREAKER)?,
            first_token: histograms(to, names::FIRST_TOKEN, &FIRST_TOKEN_BOUNDS)?,
            duration: histograms(to, names::DURATION, &DURATION_BOUNDS)?,
            tokens: counters(to, names::TOKENS)?,
            cost: add(to, Money::try_new(names::COST))?,
            key_cost: add(to, Money::try_new(names::KEY_COST))?,
            suspicious: counters(to, names::SUSPICIOUS)?,
            budget_used: shares(to, names::BUDGET_USED)?,
            budget_spent: shares(to, names::BUDGET_SPENT)?,
            quota_counts: gauges(to, names::QUOTA_COUNTS)?,
            quota_evicted: gauge(to, names::QUOTA_EVICTED)?,
            in_flight: gauge(to, names::IN_FLIGHT)?,
            aborts: counter(to, names::ABORTS)?,
            panics: counter(to, names::PANICS)?,
            connections: gauges(to, names::CONNECTIONS)?,
            refused: counters(to, names::REFUSED)?,
            buffered: gauge(to, names::BUFFERED)?,
            limits: shares(to, names::LIMIT)?,
            limits_reached: counters(to, names::LIMIT_REACHED)?,
            reloads: counters(to, names::RELOADS)?,
            generation: gauge(to, names::GENERATION)?,
            reload_successful: gauge(to, names::RELOAD_SUCCESSFUL)?,
            certificates: gauges(to, names::CERTIFICATE)?,
            revocation_lists: gauges(to, names::REVOCATION_LIST)?,
            peers: gauges(to, names::PEER_UP)?,
            draining: gauge(to, names::DRAINING)?,
            access_log_dropped: counter(to, names::ACCESS_LOG_DROPPED)?,
            samples_dropped: counter(to, names::SAMPLES_DROPPED)?,
            diagnostics_dropped: counter(to, names::DIAGNOSTICS_DROPPED)?,
            store_failing: gauge(to, names::STORE_FAILING)?,
            store_entries: counter(to, names::STORE_ENTRIES)?,
            store_lost: counter(to, names::STORE_LOST)?,
            store_waiting: gauge(to, names::STORE_WAITING)?,
            shared_up: gauge(to, names::SHARED_UP)?,
            shared_decisions: counter(to, names::SHARED_DECISIONS)?,
            shared_fallbacks: counter(to, names::SHARED_FALLBACKS)?,
            shared_lost: counter(to, names::SHARED_LOST)?,
            spans: TraceMeters {
                exported: counter(to, names::SPANS_EXPORTED)?,
                dropped: counter(to, names::SPANS_DROPPED)?,
                failures: counter(to, names::SPAN_EXPORT_FAILURES)?,
            },
        })
    }

    /// Everything in Prometheus' text format (`text/plain; version=0.0.4`).
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 << 10);
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            log::error!("cannot render the metrics: {error}");
        }
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        process::render(started, &mut text);
        text
    }
}

fn opts(family: Family) -> Opts {
    Opts::new(family.name, family.help)
}

/// Registers what was made.
fn add<C: Collector + Clone + 'static>(
    to: &Registry,
    made: prometheus::Result<C>,
) -> prometheus::Result<C> {
    let metric = made?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counter(to: &Registry, family: Family) -> prometheus::Result<IntCounter> {
    add(to, IntCounter::with_opts(opts(family)))
}

fn counters(to: &Registry, family: Family) -> prometheus::Result<IntCounterVec> {
    add(to, IntCounterVec::new(opts(family), family.labels))
}

fn gauge(to: &Registry, family: Family) -> prometheus::Result<IntGauge> {
    add(to, IntGauge::with_opts(opts(family)))
}

fn gauges(to: &Registry, family: Family) -> prometheus::Result<IntGaugeVec> {
    add(to, IntGaugeVec::new(opts(family), family.labels))
}

fn shares(to: &Registry, family: Family) -> prometheus::Result<GaugeVec> {
    add(to, GaugeVec::new(opts(family), family.labels))
}

fn histograms(to: &Registry, family: Family, bounds: &[f64]) -> prometheus::Result<HistogramVec> {
    let opts = HistogramOpts::new(family.name, family.help).buckets(bounds.to_vec());
    add(to, HistogramVec::new(opts, family.labels))
}

#[cfg(test)]
mod tests;
