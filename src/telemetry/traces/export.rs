//! The exporter: one thread that turns records into spans and sends them, with bounded patience.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use prometheus::IntCounter;
use ureq::Agent;

use crate::telemetry::record::Record;
use crate::telemetry::traces::context::Sampling;
use crate::telemetry::traces::otlp;
use crate::telemetry::traces::post::{self, Posted};
use crate::telemetry::traces::queue::{Ended, Queue};
use crate::telemetry::traces::settings::TraceSettings;
use crate::telemetry::traces::spans;

/// How often a batch is tried.
const TRIES: u32 = 5;

/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The shortest time between two complaints.
const COMPLAINT_EVERY: Duration = Duration::from_mins(1);

/// What is counted of the export.
#[derive(Clone, Debug)]
pub struct TraceMeters {
    /// Spans that the collector took.
    pub exported: IntCounter,
    /// Spans that found no room, were given up, or were not wanted.
    pub dropped: IntCounter,
    /// Exports that failed, each try for itself.
    pub failures: IntCounter,
}

/// The entrance of the exporter.
pub struct Traces {
    queue: Arc<Queue>,
    settings: Arc<ArcSwap<TraceSettings>>,
    meters: TraceMeters,
}

impl Traces {
    /// Starts the exporter's thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(settings: TraceSettings, meters: TraceMeters) -> io::Result<Self> {
        let traces = Self {
            queue: Arc::default(),
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            meters: meters.clone(),
        };
        let exporter = Exporter {
            queue: Arc::clone(&traces.queue),
            settings: Arc::clone(&traces.settings),
            meters,
            complained: None,
        };
        // Not joined: a collector that hangs must not keep the process from ending.
        thread::Builder::new()
            .name("traces".to_owned())
            .spawn(move || exporter.run())?;
        Ok(traces)
    }

    /// Takes over what a reload may change: headers and the timeout.
    pub fn adopt(&self, settings: TraceSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Has an exchange exported that began at `begun`, if it is in a trace that is recorded. Never
    /// waits: without room its spans are dropped and counted.
    pub fn export(&self, record: &Record, begun: Instant) {
        let sampling = record.trace.map(|trace| trace.sampling);
        if sampling != Some(Sampling::Recorded) {
            return;
        }
        let ended = Ended {
            record: record.clone(),
            begun,
        };
        if let Err(spans) = self.queue.push(Box::new(ended)) {
            self.meters.dropped.inc_by(as_u64(spans));
        }
    }

    /// Sends what waits and ends the exporter, within `at_most`.
    pub fn close(&self, at_most: Duration) {
        self.queue.close(at_most);
    }
}

struct Exporter {
    queue: Arc<Queue>,
    settings: Arc<ArcSwap<TraceSettings>>,
    meters: TraceMeters,
    complained: Option<Instant>,
}

impl Exporter {
    fn run(mut self) {
        let agent = post::agent(self.settings.load().otlp.scheme);
        while let Some(batch) = self.queue.take() {
            let spans: Vec<_> = batch
                .iter()
                .filter_map(|ended| {
                    let trace = ended.record.trace.as_ref()?;
                    Some(spans::of(&ended.record, trace, ended.begun))
                })
                .flatten()
                .collect();
            drop(batch);
            let body = otlp::encode(&spans);
            self.send(&agent, &body, as_u64(spans.len()));
        }
        let left = self.queue.over();
        self.meters.dropped.inc_by(as_u64(left));
    }

    fn send(&mut self, agent: &Agent, body: &[u8], spans: u64) {
        let mut wait = FIRST_WAIT;
        for _ in 0..TRIES {
            let settings = self.settings.load_full();
            let Some(at_most) = self.queue.at_most(settings.timeout) else {
                break;
            };
            let asked = match post::post(agent, &settings, body, at_most) {
                Posted::Taken { rejected } => {
                    let rejected = rejected.min(spans);
                    self.meters.exported.inc_by(spans - rejected);
                    self.meters.dropped.inc_by(rejected);
                    return;
                }
                Posted::Refused(why) => {
                    self.failed(&why);
                    break;
                }
                Posted::Later(asked, why) => {
                    self.failed(&why);
                    asked
                }
            };
            if !self.queue.pause(asked.unwrap_or(wait)) {
                break;
            }
            wait *= 2;
        }
        self.meters.dropped.inc_by(spans);
    }

    fn failed(&mut self, why: &str) {
        self.meters.failures.inc();
        let now = Instant::now();
        let last = self.complained;
        if last.is_some_and(|last| now.saturating_duration_since(last) < COMPLAINT_EVERY) {
            return;
        }
        self.complained = Some(now);
        log::warn!("traces: the collector does not take spans: {why}");
    }
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
