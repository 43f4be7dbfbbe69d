//! Opens what exchanges write to and take from: log, samples, store, traces, the ledger.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::account::Ledger;
use crate::account::shared::SharedMeters;
use crate::account::store::{Meters, Store};
use crate::edge::exchange::Shared;
use crate::edge::generation::{Generations, Load};
use crate::edge::places::Places;
use crate::edge::settings::{LogTarget, Settings};
use crate::edge::start::StartError;
use crate::relay::{Allowance, Budget};
use crate::telemetry::{AccessLog, Destination, History, Metrics, Samples, Traces};

/// Retries of a target, and attempts at targets that are known to be down, beside one for each
/// answer: so many an exchange…
const RETRY_SHARE: f64 = 0.2;
/// …and so many a second whatever the traffic.
const RETRY_FLOOR: u32 = 10;

/// Exchanges that may wait for the store: half a minute of a busy process, some megabytes.
const STORE_QUEUE: usize = 8_192;

impl Shared {
    /// Opens all of it, and raises the first generation. Needs a tokio runtime.
    pub(super) fn open(
        settings: Settings,
        load: Load,
        metrics: Arc<Metrics>,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self, StartError> {
        let log = access_log(&settings, &metrics)?;
        let samples = samples(&settings, &metrics)?;
        let store = store(&settings, &metrics)?;
        let traces = traces(&settings, &metrics)?;
        let ledger = ledger(&settings, &metrics)?;
        if let Some(store) = &store {
            ledger.restore(store.spent());
        }
        let budget = Budget::new(settings.limits.buffered);
        let places = Places::new(settings.limits.exchanges);
        Ok(Self {
            generations: Generations::first(settings, load),
            metrics,
            log,
            history: History::default(),
            started: Instant::now(),
            samples,
            traces,
            store,
            budget,
            places,
            ledger: Arc::new(ledger),
            strikes: Mutex::default(),
            retries: Allowance::new(RETRY_SHARE, RETRY_FLOOR, Instant::now()),
            in_flight: AtomicU64::new(0),
            stop: stopped,
        })
    }
}

fn access_log(settings: &Settings, metrics: &Metrics) -> Result<AccessLog, StartError> {
    let destination = match &settings.log.access {
        LogTarget::Off => return Ok(AccessLog::off()),
        LogTarget::Stdout => Destination::Stdout,
        LogTarget::File(path) => Destination::File(path.clone()),
    };
    AccessLog::open(
        destination,
        settings.log.queue,
        metrics.access_log_dropped(),
    )
    .map_err(|source| StartError::log(&settings.log.access, source))
}

fn samples(settings: &Settings, metrics: &Metrics) -> Result<Samples, StartError> {
    let dropped = metrics.samples_dropped();
    let Some(settings) = &settings.samples else {
        return Ok(Samples::off(dropped));
    };
    Samples::open(settings, dropped).map_err(|source| StartError::Samples {
        path: settings.path.clone(),
        source,
    })
}

fn store(settings: &Settings, metrics: &Metrics) -> Result<Option<Store>, StartError> {
    let Some(settings) = settings.store.clone() else {
        return Ok(None);
    };
    let meters = Meters {
        failing: metrics.store_failing(),
        written: metrics.store_entries(),
        lost: metrics.store_lost(),
    };
    Ok(Some(Store::start(settings, STORE_QUEUE, meters)?))
}

fn ledger(settings: &Settings, metrics: &Metrics) -> Result<Ledger, StartError> {
    let Some(settings) = &settings.shared else {
        return Ok(Ledger::default());
    };
    let meters = SharedMeters {
        up: metrics.shared_up(),
        shared: metrics.shared_decisions(),
        local: metrics.shared_fallbacks(),
        lost: metrics.shared_lost(),
    };
    Ok(Ledger::sharing(settings, meters)?)
}

fn traces(settings: &Settings, metrics: &Metrics) -> Result<Option<Traces>, StartError> {
    let settings = settings.traces.clone();
    let started = settings.map(|settings| Traces::start(settings, metrics.spans()));
    started.transpose().map_err(StartError::Traces)
}
