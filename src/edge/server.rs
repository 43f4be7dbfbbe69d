//! The running edge: listeners, reloads and the drain, put together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use pingora_core::apps::{HttpServerOptions, ServerApp};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::account::Ledger;
use crate::account::shared::SharedMeters;
use crate::account::store::{Meters, Store};
use crate::edge::admin::{Admin, Readiness};
use crate::edge::caps::Connections;
use crate::edge::exchange::Shared;
use crate::edge::front::Front;
use crate::edge::generation::{Generation, Generations, Load, listeners_unchanged};
use crate::edge::head::Refusal;
use crate::edge::listen::Listener;
use crate::edge::proxy::Edge;
use crate::edge::settings::{Limits, ListenerSettings, LogTarget, Settings};
use crate::edge::start::StartError;
use crate::edge::status::Status;
use crate::edge::visit::Reception;
use crate::edge::{descriptors, fault, gossip};
use crate::relay::{Allowance, Budget};
use crate::route::Route;
use crate::telemetry::{
    AccessLog, Destination, History, Known, Metrics, ReloadResult, Samples, Traces,
};

/// Retries of a target, and attempts at targets that are known to be down, beside one for each
/// answer: so many an exchange…
const RETRY_SHARE: f64 = 0.2;
/// …and so many a second whatever the traffic.
const RETRY_FLOOR: u32 = 10;

/// How long running streams get for their error events once the drain's time is over.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long the access log may take to write what waits.
const LOG_FLUSH: Duration = Duration::from_secs(1);

/// Exchanges that may wait for the store: half a minute of a busy process, some megabytes.
const STORE_QUEUE: usize = 8_192;

/// How long the store may take to write what waits.
const STORE_FLUSH: Duration = Duration::from_secs(5);

/// How long it may take to tell other machines what was taken here.
const SHARED_FLUSH: Duration = Duration::from_secs(1);
/// How long the collector of traces may take to take what waits.
const TRACES_FLUSH: Duration = Duration::from_secs(5);

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything that was under way came to its own end.
    Finished,
    /// The drain's time was over before it.
    CutShort,
}

/// A running edge. Dropping it stops everything at once.
pub struct Running {
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    limits: Arc<ArcSwap<Limits>>,
    fronts: Vec<Front>,
    admin: Option<SocketAddr>,
    readiness: Arc<Mutex<Readiness>>,
    closing: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    admin_closing: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Binds every listener and serves. Needs a tokio runtime.
    ///
    /// # Errors
    /// An address that cannot be bound, an access log, samples or a store of usage that cannot be opened.
    pub fn start(
        settings: Settings,
        load: Load,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let mut listeners = Vec::with_capacity(settings.listeners.len());
        let mut fronts = Vec::with_capacity(settings.listeners.len());
        for listener in &settings.listeners {
            let failed = StartError::listen(listener.address);
            let bound = Listener::bind(listener).map_err(&failed)?;
            fronts.push(Front::of(&bound).map_err(&failed)?);
            listeners.push(bound);
        }
        let limits = Arc::new(ArcSwap::from_pointee(settings.limits.clone()));
        let admin = settings.admin.address;
        let (stop, stopped) = watch::channel(false);
        let connections = Connections::counted_by(Arc::clone(&metrics));
        let shared = Arc::new(shared(settings, load, metrics, stopped)?);
        let mut running = Self {
            shared,
            connections,
            limits,
            fronts,
            admin: None,
            readiness: Arc::new(Mutex::new(Readiness::Starting)),
            closing: watch::channel(false).0,
            stop,
            admin_closing: watch::channel(false).0,
            tasks: JoinSet::new(),
        };
        running.admin = admin
            .map(|address| {
                let served = running.serve_admin(address);
                served.map_err(StartError::listen(address))
            })
            .transpose()?;
        running.serve(listeners);
        if running.shared.shares() {
            let telling = gossip::run(Arc::clone(&running.shared));
            running.tasks.spawn(telling);
        }
        running.adopt(&running.shared.generations.current());
        running.shared.metrics.started(1);
        *running.readiness.lock() = Readiness::Ready;
        Ok(running)
    }

    /// The addresses that were bound, in the order of the config.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.fronts.iter().map(|front| front.address).collect()
    }

    /// The admin listener's address.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Loads the configuration anew and swaps it in, or says why the old one stays. Blocks for
    /// as long as reading the files takes.
    pub fn reload(&self) -> Result<u64, String> {
        match self.shared.generations.reload(listeners_unchanged) {
            Ok(generation) => {
                self.adopt(&generation);
                self.reopen_log();
                self.shared
                    .metrics
                    .reloaded(ReloadResult::Applied(generation.number));
                log::info!("generation {} is in force", generation.number);
                Ok(generation.number)
            }
            Err(reason) => {
                self.shared.metrics.reloaded(ReloadResult::Rejected);
                log::error!("the configuration was refused; the old one stays: {reason}");
                Err(reason)
            }
        }
    }

    /// Opens the files of the access log and of the samples anew.
    pub fn reopen_log(&self) {
        self.shared.log.reopen();
        self.shared.samples.reopen();
    }

    /// Takes no more, lets what runs end within the drain's time, then ends it with an error
    /// event. Returns when all is over.
    pub async fn drain(&self) -> Drained {
        *self.readiness.lock() = Readiness::Draining;
        self.shared.metrics.set_draining();
        self.closing.send_replace(true);
        // Said once it is so: who reads it may look at the admin pages.
        log::info!("draining");
        let deadline = self.shared.generations.current().settings.drain;
        let mut drained = Drained::Finished;
        if tokio::time::timeout(deadline, self.connections.drained())
            .await
            .is_err()
        {
            // A client that only does not hang up is no work undone.
            if self.shared.in_flight.load(Ordering::Relaxed) > 0 {
                drained = Drained::CutShort;
            }
            self.stop.send_replace(true);
            // Whoever does not even take an error event is cut off.
            let _ = tokio::time::timeout(LAST_WORDS, self.connections.drained()).await;
        }
        self.shared.ledger.flush(SHARED_FLUSH).await;
        self.admin_closing.send_replace(true);
        self.write_out();
        drained
    }

    /// How long a drain may take.
    pub fn drain_deadline(&self) -> Duration {
        self.shared.generations.current().settings.drain
    }

    /// Ends everything now; only the log and the store are still written.
    pub fn stop_now(&mut self) {
        self.closing.send_replace(true);
        self.admin_closing.send_replace(true);
        self.tasks.abort_all();
        self.write_out();
    }

    /// Waits for what was told and booked to be written: for the end of the process.
    fn write_out(&self) {
        self.shared.log.flush(LOG_FLUSH);
        self.shared.samples.flush(LOG_FLUSH);
        if let Some(store) = &self.shared.store {
            store.close(STORE_FLUSH);
        }
        if let Some(traces) = &self.shared.traces {
            traces.close(TRACES_FLUSH);
        }
    }

    fn serve(&mut self, listeners: Vec<Listener>) {
        let mut proxy = HttpProxy::new(Edge(Arc::clone(&self.shared)), server_conf());
        proxy.handle_init_modules();
        // Our own refusal of CONNECT has a body that an SDK can read.
        let mut options = HttpServerOptions::default();
        options.allow_connect_method_proxying = true;
        proxy.server_options = Some(options);
        let reception = Arc::new(Reception {
            proxy: Arc::new(proxy),
            limits: Arc::clone(&self.limits),
        });
        for listener in listeners {
            self.tasks.spawn(accept(
                listener,
                Arc::clone(&reception),
                Arc::clone(&self.connections),
                Arc::clone(&self.limits),
                self.closing.subscribe(),
            ));
        }
    }

    /// The admin listener has caps and a shutdown of its own: it answers while clients are
    /// refused, and until the drain is over.
    fn serve_admin(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = Listener::bind(&ListenerSettings { address, tls: None })?;
        let address = listener.local_addr()?;
        let status = Status {
            shared: Arc::clone(&self.shared),
            connections: Arc::clone(&self.connections),
            fronts: self.fronts.clone(),
            readiness: Arc::clone(&self.readiness),
        };
        let admin = Arc::new(Admin::new(address.ip(), Arc::new(status)));
        let limits = Limits {
            connections: 64,
            connections_per_address: 64,
            ..Limits::default()
        };
        self.tasks.spawn(accept(
            listener,
            admin,
            Connections::new(),
            Arc::new(ArcSwap::from_pointee(limits)),
            self.admin_closing.subscribe(),
        ));
        Ok(address)
    }

    /// Hands a generation to whoever keeps a part of it.
    fn adopt(&self, generation: &Generation) {
        let settings = &generation.settings;
        let connections = descriptors::connections(settings.limits.connections);
        if connections < settings.limits.connections {
            log::info!("at most {connections} connections: the descriptor limit allows no more");
        }
        self.limits.store(Arc::new(Limits {
            connections,
            ..settings.limits.clone()
        }));
        self.shared.budget.set_limit(settings.limits.buffered);
        if let (Some(store), Some(settings)) = (&self.shared.store, &settings.store) {
            store.set_retention(settings.retention);
        }
        if let (Some(traces), Some(settings)) = (&self.shared.traces, &settings.traces) {
            traces.adopt(settings.clone());
        }
        for (front, settings) in self.fronts.iter().zip(&settings.listeners) {
            if let (Some(tls), Some(settings)) = (&front.tls, &settings.tls)
                && let Err(error) = tls.swap(settings)
            {
                log::error!("{}: TLS stays as it was: {error}", front.address);
            }
        }
        let routes = settings.routes.iter().map(|route| &route.name);
        self.shared.history.know(routes);
        let targets = settings
            .routes
            .iter()
            .flat_map(|route| route.forms())
            .flat_map(Route::targets);
        self.shared.metrics.know(Known {
            routes: settings
                .routes
                .iter()
                .map(|route| Arc::clone(&route.name))
                .collect(),
            targets: targets.map(|target| Arc::clone(&target.name)).collect(),
            keys: settings
                .keys
                .iter()
                .map(|key| Arc::clone(&key.name))
                .collect(),
        });
    }
}

async fn accept<A: ServerApp + Send + Sync + 'static>(
    listener: Listener,
    app: Arc<A>,
    connections: Arc<Connections>,
    limits: Arc<ArcSwap<Limits>>,
    closing: watch::Receiver<bool>,
) {
    let refuse = Arc::new(|refusal: &Refusal| fault::refused_head(*refusal));
    if let Err(error) = listener
        .serve(app, connections, limits, refuse, closing)
        .await
    {
        log::error!("a listener ended: {error}");
    }
}

/// Opens what exchanges write to and take from, and raises the first generation.
fn shared(
    settings: Settings,
    load: Load,
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<bool>,
) -> Result<Shared, StartError> {
    let log = access_log(&settings, &metrics)
        .map_err(|source| StartError::log(&settings.log.access, source))?;
    let samples = samples(&settings, &metrics)?;
    let store = store(&settings, &metrics)?;
    let traces = traces(&settings, &metrics)?;
    let ledger = ledger(&settings, &metrics)?;
    if let Some(store) = &store {
        ledger.restore(store.spent());
    }
    let budget = Budget::new(settings.limits.buffered);
    Ok(Shared {
        generations: Generations::first(settings, load),
        metrics,
        log,
        history: History::default(),
        started: Instant::now(),
        samples,
        traces,
        store,
        budget,
        ledger: Arc::new(ledger),
        strikes: Mutex::default(),
        retries: Allowance::new(RETRY_SHARE, RETRY_FLOOR, Instant::now()),
        in_flight: AtomicU64::new(0),
        stop: stopped,
    })
}

fn access_log(settings: &Settings, metrics: &Metrics) -> io::Result<AccessLog> {
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
}

fn samples(settings: &Settings, metrics: &Metrics) -> Result<Samples, StartError> {
    let Some(settings) = &settings.samples else {
        return Ok(Samples::off());
    };
    Samples::open(settings, metrics.samples_dropped()).map_err(|source| StartError::Samples {
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

/// What Pingora's proxy takes from its own configuration: for the passthrough alone.
fn server_conf() -> Arc<ServerConf> {
    Arc::new(ServerConf {
        max_retries: 1,
        upstream_keepalive_pool_size: 256,
        ..ServerConf::default()
    })
}
