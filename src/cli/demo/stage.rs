//! The stage: a simulated provider, and before it the proxy as `conf/demo.yaml` sets it up.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::config;
use crate::edge::{Running, Settings, StartError};
use crate::sim::{Options, Sim};
use crate::telemetry::Metrics;
use crate::upstream::Peers;

/// The config, as shipped.
pub(super) const CONFIG: &str = include_str!("../../../conf/demo.yaml");

/// Its place, for messages.
const PATH: &str = "conf/demo.yaml";

/// Any free port of this machine.
const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Requests that the simulator remembers.
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
    #[error("the simulator: {0}")]
    Sim(io::Error),
    #[error(transparent)]
    Edge(#[from] StartError),
    #[error("the proxy has no address")]
    NoAddress,
}

/// A simulator and a proxy that runs before it, in this process, with sockets between them.
pub(super) struct Stage {
    pub(super) sim: Sim,
    /// Where the proxy listens.
    pub(super) address: SocketAddr,
    /// Where its admin listener does.
    pub(super) admin: Option<SocketAddr>,
    /// The names that clients may ask for.
    pub(super) models: Vec<Arc<str>>,
    /// Stops when it is dropped.
    _edge: Running,
}

impl Stage {
    /// Starts both, the proxy by that config.
    pub(super) async fn set(
        text: &str,
        listen: Listen,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StageError> {
        let read = config::parse(text, Path::new(PATH), &|_| None);
        let mut settings = read.map_err(StageError::Config)?;
        let options = Options {
            journal: REMEMBERED,
            ..Options::default()
        };
        let sim = Sim::start(options).await.map_err(StageError::Sim)?;
        settings.admin.address = Some(FREE);
        for provider in &mut settings.providers {
            provider.spec.base.port = sim.address().port();
            provider.spec.pool.peers = Peers::Static(vec![sim.address()]);
        }
        let models = settings.routes.iter().map(|route| route.name.clone());
        let models = models.collect();
        let edge = raise(settings, listen, &metrics)?;
        let address = edge.addresses().first().copied();
        Ok(Self {
            sim,
            address: address.ok_or(StageError::NoAddress)?,
            admin: edge.admin_address(),
            models,
            _edge: edge,
        })
    }
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
