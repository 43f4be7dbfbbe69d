//! The stage: two simulated providers, and before them the proxy as `conf/demo.yaml` sets it up.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::config;
use crate::edge::{Running, Settings, StartError};
use crate::route::Routes;
use crate::sim::{Options, Sim};
use crate::telemetry::Metrics;
use crate::upstream::Peers;

/// The config, as shipped.
pub(super) const CONFIG: &str = include_str!("../../../conf/demo.yaml");

/// Its place, for messages.
const PATH: &str = "conf/demo.yaml";

/// Any free port of this machine.
const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Requests that a simulator remembers.
const REMEMBERED: usize = 100;

/// Where the proxy listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    /// There and nowhere else.
    At(SocketAddr),
    /// Where the config says, or on a free port if that is taken.
    Usual,
}

/// Why the stage cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("the demo's configuration has mistakes\n{0}")]
    Config(config::Errors),
    #[error("the simulator of {0}: {1}")]
    Sim(&'static str, io::Error),
    #[error(transparent)]
    Edge(#[from] StartError),
    #[error("the proxy has no address")]
    NoAddress,
}

/// Who answers behind the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Provider {
    /// Has a bad day.
    Shaky,
    /// Is well.
    Steady,
}

impl Provider {
    /// Its name in the config.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Shaky => "shaky",
            Self::Steady => "steady",
        }
    }
}

/// Two simulators and a proxy that runs before them, in this process, with sockets between them.
pub(super) struct Stage {
    shaky: Sim,
    steady: Sim,
    /// Where the proxy listens.
    pub(super) address: SocketAddr,
    /// Where its admin listener does.
    pub(super) admin: Option<SocketAddr>,
    /// What clients may ask for.
    pub(super) routes: Routes,
    /// Stops when it is dropped.
    _edge: Running,
}

impl Stage {
    /// Starts them all, the proxy by that config.
    pub(super) async fn set(
        text: &str,
        listen: Listen,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StageError> {
        let read = config::parse(text, Path::new(PATH), &|_| None);
        let mut settings = read.map_err(StageError::Config)?;
        settings.admin.address = Some(FREE);
        let shaky = simulate(Provider::Shaky, &mut settings).await?;
        let steady = simulate(Provider::Steady, &mut settings).await?;
        let routes = settings.routes.clone();
        let edge = raise(settings, listen, &metrics)?;
        let address = edge.addresses().first().copied();
        Ok(Self {
            shaky,
            steady,
            address: address.ok_or(StageError::NoAddress)?,
            admin: edge.admin_address(),
            routes,
            _edge: edge,
        })
    }

    /// The provider itself.
    pub(super) fn sim(&self, provider: Provider) -> &Sim {
        match provider {
            Provider::Shaky => &self.shaky,
            Provider::Steady => &self.steady,
        }
    }

    /// The model that a route has at a provider: the script of what that one does.
    pub(super) fn script(&self, route: &str, provider: Provider) -> Option<&str> {
        let mut targets = self.routes.get(route)?.targets();
        let target = targets.find(|target| *target.provider == *provider.name())?;
        Some(&target.model)
    }
}

/// Starts a provider and puts its address into the settings.
async fn simulate(provider: Provider, settings: &mut Settings) -> Result<Sim, StageError> {
    let options = Options {
        journal: REMEMBERED,
        ..Options::default()
    };
    let sim = Sim::start(options).await;
    let sim = sim.map_err(|error| StageError::Sim(provider.name(), error))?;
    let all = settings.providers.iter_mut();
    for known in all.filter(|known| *known.spec.name == *provider.name()) {
        known.spec.base.port = sim.address().port();
        known.spec.pool.peers = Peers::Static(vec![sim.address()]);
    }
    Ok(sim)
}

/// Starts the proxy where it is wanted.
fn raise(
    mut settings: Settings,
    listen: Listen,
    metrics: &Arc<Metrics>,
) -> Result<Running, StageError> {
    if let Listen::At(address) = listen {
        for listener in &mut settings.listeners {
            listener.address = address;
        }
    }
    // A signal that asks for a reload ends the demo, so this is never asked.
    let same = settings.clone();
    let load = Box::new(move || Ok(same.clone()));
    match Running::start(settings.clone(), load, Arc::clone(metrics)) {
        Ok(running) => Ok(running),
        Err(error) if listen == Listen::Usual && is_taken(&error) => {
            raise(settings, Listen::At(FREE), metrics)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_taken(error: &StartError) -> bool {
    matches!(error, StartError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
}
