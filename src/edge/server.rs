//! The running edge: listeners, reloads and the drain, put together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use pingora_core::apps::{HttpServerOptions, ServerApp};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::edge::admin::{Admin, Readiness};
use crate::edge::caps::Connections;
use crate::edge::ceiling;
use crate::edge::exchange::Shared;
use crate::edge::fault;
use crate::edge::front::Front;
use crate::edge::generation::{Generation, Load, listeners_unchanged};
use crate::edge::gossip;
use crate::edge::head::Refusal;
use crate::edge::listen::Listener;
use crate::edge::reception::Reception;
use crate::edge::serve::Edge;
use crate::edge::settings::{Limits, ListenerSettings, Settings};
use crate::edge::sockets::{Passed, Role, Sockets};
use crate::edge::start::StartError;
use crate::edge::status::Status;
use crate::edge::tls::{PreparedTls, Tls};
use crate::edge::upgrades::Upgrades;
use crate::route::Route;
use crate::telemetry::{self, Known, Metrics, ReloadResult, SamplesChange};

/// A listener that nobody serves yet, and what it is for.
type Opened = (Role, Listener);

/// What is put in place along with a generation.
struct Prepared {
    /// For each listener, in the order of the config.
    tls: Vec<Option<PreparedTls>>,
    samples: SamplesChange,
}

/// A running edge. Dropping it stops everything at once.
pub struct Running {
    pub(super) shared: Arc<Shared>,
    pub(super) connections: Arc<Connections>,
    limits: Arc<ArcSwap<Limits>>,
    fronts: Vec<Front>,
    admin: Option<SocketAddr>,
    /// Until they are opened.
    waiting: Vec<Opened>,
    /// For a successor, until the drain.
    pub(super) passed: Mutex<Vec<Passed>>,
    pub(super) readiness: Arc<Mutex<Readiness>>,
    pub(super) upgrades: Arc<Upgrades>,
    /// The next request of each connection is its last.
    pub(super) closing: watch::Sender<bool>,
    /// Connections that wait for a request end.
    pub(super) hang_up: watch::Sender<bool>,
    /// What is under way ends, with an error event.
    pub(super) stop: watch::Sender<bool>,
    pub(super) admin_closing: watch::Sender<bool>,
    /// The clients' accept loops.
    pub(super) loops: Mutex<JoinSet<()>>,
    pub(super) admin_loop: Mutex<JoinSet<()>>,
    /// What other machines are told.
    telling: Mutex<JoinSet<()>>,
}

impl Running {
    /// Binds every listener and serves. Needs a tokio runtime.
    ///
    /// # Errors
    /// As [`Running::prepare`].
    pub fn start(
        settings: Settings,
        load: Load,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let mut running = Self::prepare(settings, load, metrics, &mut Sockets::none())?;
        running.open()?;
        Ok(running)
    }

    /// Makes everything ready to serve, and takes no connection yet. Listeners take their sockets from
    /// `sockets` where those are open already. Needs a tokio runtime.
    ///
    /// # Errors
    /// An address that cannot be bound, an access log, samples or a store of usage that cannot be opened.
    pub fn prepare(
        settings: Settings,
        load: Load,
        metrics: Arc<Metrics>,
        sockets: &mut Sockets,
    ) -> Result<Self, StartError> {
        let (fronts, waiting) = listeners(&settings, sockets)?;
        let admin = admin(&settings, sockets)?;
        sockets.release();
        let all = waiting.iter().chain(admin.iter());
        let passed = all.map(|(role, listener)| listener.pass(*role));
        let passed = passed.collect::<io::Result<_>>();
        let passed = passed.map_err(StartError::Descriptors)?;
        let limits = Arc::new(ArcSwap::from_pointee(settings.limits.clone()));
        let (stop, stopped) = watch::channel(false);
        let connections = Connections::counted_by(Arc::clone(&metrics));
        let shared = Arc::new(Shared::open(settings, load, metrics, stopped)?);
        let address = admin.as_ref().map(|(_, admin)| admin.local_addr());
        let running = Self {
            shared,
            connections,
            limits,
            fronts,
            admin: address.transpose().map_err(StartError::Descriptors)?,
            waiting: waiting.into_iter().chain(admin).collect(),
            passed: Mutex::new(passed),
            readiness: Arc::new(Mutex::new(Readiness::Starting)),
            upgrades: Arc::default(),
            closing: watch::channel(false).0,
            hang_up: watch::channel(false).0,
            stop,
            admin_closing: watch::channel(false).0,
            loops: Mutex::default(),
            admin_loop: Mutex::default(),
            telling: Mutex::default(),
        };
        running.adopt(&running.shared.generations.current());
        Ok(running)
    }

    /// Takes connections, on every listener. A second call changes nothing.
    ///
    /// # Errors
    /// The runtime takes no more sockets.
    pub fn open(&mut self) -> Result<(), StartError> {
        let waiting = std::mem::take(&mut self.waiting);
        let (admin, clients) = waiting
            .into_iter()
            .partition::<Vec<_>, _>(|(role, _)| *role == Role::Admin);
        for (_, listener) in admin {
            let address = listener.local_addr().map_err(StartError::Descriptors)?;
            self.serve_admin(listener, address);
        }
        self.serve(clients.into_iter().map(|(_, listener)| listener));
        if self.shared.shares() {
            let telling = gossip::run(Arc::clone(&self.shared));
            self.telling.lock().spawn(telling);
        }
        self.shared.metrics.started(1);
        *self.readiness.lock() = Readiness::Ready;
        Ok(())
    }

    /// What became of its upgrades.
    pub fn upgrades(&self) -> &Upgrades {
        &self.upgrades
    }

    /// The sockets of all listeners, for a successor.
    ///
    /// # Errors
    /// Descriptors have run out.
    pub(super) fn pass(&self) -> io::Result<Vec<Passed>> {
        self.passed.lock().iter().map(Passed::again).collect()
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
        let generations = &self.shared.generations;
        generations.reload(
            |current, next| {
                listeners_unchanged(current, next)?;
                self.make_ready(next)
            },
            |result| match result {
                Ok((generation, prepared)) => {
                    self.put(prepared);
                    self.adopt(generation);
                    self.reopen_log();
                    let applied = ReloadResult::Applied(generation.number);
                    self.shared.metrics.reloaded(applied);
                    log::info!("generation {} is in force", generation.number);
                }
                Err(reason) => {
                    self.shared.metrics.reloaded(ReloadResult::Rejected);
                    log::error!("the configuration was refused; the old one stays: {reason}");
                }
            },
        )
    }

    /// Makes ready what a generation needs beside itself: all that may fail of it.
    fn make_ready(&self, next: &Settings) -> Result<Prepared, String> {
        let tls = |settings: &ListenerSettings| {
            let prepared = settings.tls.as_ref().map(Tls::prepare).transpose();
            prepared.map_err(|error| {
                let listener = StartError::listen(settings.address);
                listener(io::Error::new(io::ErrorKind::InvalidInput, error)).to_string()
            })
        };
        let tls = next.listeners.iter().map(tls).collect::<Result<_, _>>()?;
        let samples = self.shared.samples.prepare(next.samples.as_ref());
        let samples = samples.map_err(|source| {
            let path = next.samples.as_ref().map(|samples| samples.path.clone());
            let path = path.unwrap_or_default();
            StartError::Samples { path, source }.to_string()
        })?;
        Ok(Prepared { tls, samples })
    }

    fn put(&self, prepared: Prepared) {
        for (front, prepared) in self.fronts.iter().zip(prepared.tls) {
            if let (Some(tls), Some(prepared)) = (&front.tls, prepared) {
                tls.swap(prepared);
            }
        }
        self.shared.samples.put(prepared.samples);
    }

    /// Opens the files of the access log and of the samples anew.
    pub fn reopen_log(&self) {
        self.shared.log.reopen();
        self.shared.samples.reopen();
    }

    fn serve(&self, listeners: impl Iterator<Item = Listener>) {
        let edge = Edge(Arc::clone(&self.shared));
        let mut proxy = HttpProxy::new(edge.clone(), server_conf());
        proxy.handle_init_modules();
        // Our own refusal of CONNECT has a body that an SDK can read.
        let mut options = HttpServerOptions::default();
        options.allow_connect_method_proxying = true;
        proxy.server_options = Some(options);
        let reception = Arc::new(Reception {
            edge,
            proxy: Arc::new(proxy),
            limits: Arc::clone(&self.limits),
        });
        for listener in listeners {
            self.loops.lock().spawn(accept(
                listener,
                Arc::clone(&reception),
                Arc::clone(&self.connections),
                Arc::clone(&self.limits),
                [self.closing.subscribe(), self.hang_up.subscribe()],
            ));
        }
    }

    /// The admin listener has caps and a shutdown of its own: it answers while clients are
    /// refused, and until the drain is over.
    fn serve_admin(&self, listener: Listener, address: SocketAddr) {
        let status = Status {
            shared: Arc::clone(&self.shared),
            connections: Arc::clone(&self.connections),
            fronts: self.fronts.clone(),
            readiness: Arc::clone(&self.readiness),
            upgrades: Arc::clone(&self.upgrades),
        };
        let admin = Arc::new(Admin::new(address.ip(), Arc::new(status)));
        let limits = Limits {
            connections: 64,
            connections_per_address: 64,
            ..Limits::default()
        };
        let closing = || self.admin_closing.subscribe();
        self.admin_loop.lock().spawn(accept(
            listener,
            admin,
            Connections::new(),
            Arc::new(ArcSwap::from_pointee(limits)),
            [closing(), closing()],
        ));
    }

    /// Hands a generation to whoever keeps a part of it.
    fn adopt(&self, generation: &Generation) {
        let settings = &generation.settings;
        let limits = ceiling::kept(&settings.limits);
        self.shared.budget.set_limit(limits.buffered);
        self.shared.places.set_most(limits.exchanges);
        self.shared.metrics.set_limits(ceiling::told(&limits));
        self.limits.store(Arc::new(limits));
        if let (Some(store), Some(settings)) = (&self.shared.store, &settings.store) {
            store.set_retention(settings.retention);
        }
        if let (Some(traces), Some(settings)) = (&self.shared.traces, &settings.traces) {
            traces.adopt(settings.clone());
        }
        telemetry::set_level(&settings.log.level);
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
    [closing, hang_up]: [watch::Receiver<bool>; 2],
) {
    let refuse = Arc::new(|refusal: &Refusal| fault::refused_head(*refusal));
    if let Err(error) = listener
        .serve(app, connections, limits, refuse, closing, hang_up)
        .await
    {
        log::error!("a listener ended: {error}");
    }
}

fn listeners(
    settings: &Settings,
    sockets: &mut Sockets,
) -> Result<(Vec<Front>, Vec<Opened>), StartError> {
    let mut fronts = Vec::with_capacity(settings.listeners.len());
    let mut waiting = Vec::with_capacity(settings.listeners.len());
    for listener in &settings.listeners {
        let failed = StartError::listen(listener.address);
        let role = match listener.tls {
            Some(_) => Role::Tls,
            None => Role::Plain,
        };
        let opened = Listener::open(listener, role, sockets).map_err(&failed)?;
        fronts.push(Front::of(&opened).map_err(&failed)?);
        waiting.push((role, opened));
    }
    Ok((fronts, waiting))
}

fn admin(settings: &Settings, sockets: &mut Sockets) -> Result<Option<Opened>, StartError> {
    let Some(address) = settings.admin.address else {
        return Ok(None);
    };
    let settings = ListenerSettings { address, tls: None };
    let opened = Listener::open(&settings, Role::Admin, sockets);
    let opened = opened.map_err(StartError::listen(address))?;
    Ok(Some((Role::Admin, opened)))
}

/// What Pingora's proxy takes from its own configuration: for the passthrough alone.
fn server_conf() -> Arc<ServerConf> {
    Arc::new(ServerConf {
        max_retries: 1,
        upstream_keepalive_pool_size: 256,
        ..ServerConf::default()
    })
}
