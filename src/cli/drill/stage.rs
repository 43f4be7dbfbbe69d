//! The stage of one scene: a simulator for each provider of a route, and before them segue itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::account::{Keys, Quotas};
use crate::cli::drill::cast::Scene;
use crate::cli::drill::clock::Speed;
use crate::cli::drill::fault::Deed;
use crate::cli::drill::told::{self, Told};
use crate::cli::drill::truth;
use crate::dialect::{Paths, Profile};
use crate::edge::{
    AdminSettings, ListenerSettings, LogSettings, LogTarget, ProviderSettings, Running, Settings,
    StartError,
};
use crate::exchange::Dialect;
use crate::route::Target;
use crate::sim::script::ParseError;
use crate::sim::{ANY, INLINE, Options, Sim};
use crate::telemetry::Metrics;
use crate::upstream::{Balance, BaseUrl, Credential, Peers, PoolSpec, ProviderSpec, Scheme};

/// Any free port of this machine.
const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Requests that a simulator remembers.
const REMEMBERED: usize = 64;

/// Lines that the access log may have waiting.
const QUEUE: usize = 1024;

/// How long a proxy may take to end: all that it served is over by then.
const LAST: Duration = Duration::from_secs(2);

/// Why a scene cannot be played.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("the simulator of {0}: {1}")]
    Sim(String, #[source] io::Error),
    #[error("a fault cannot be played: {0}")]
    Script(#[from] ParseError),
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Edge(#[from] StartError),
    #[error("the proxy has no address")]
    NoAddress,
    #[error("cannot read back the access log: {0}")]
    Log(#[source] io::Error),
}

/// A scene's providers and proxy, in this process, with sockets between them.
pub(super) struct Stage {
    /// Where the proxy listens.
    pub(super) address: SocketAddr,
    edge: Running,
    log: PathBuf,
    /// They stop when they are dropped.
    _sims: Vec<Sim>,
}

impl Stage {
    /// Starts them all. The access log goes to the file `log`.
    pub(super) async fn set(
        scene: &Scene,
        base: &Settings,
        speed: Speed,
        log: PathBuf,
    ) -> Result<Self, StageError> {
        let mut sims = Vec::with_capacity(scene.providers.len());
        let mut providers = Vec::with_capacity(scene.providers.len());
        for (number, provider) in scene.providers.iter().enumerate() {
            let sim = simulate(scene, provider, number).await?;
            providers.push(played_by(provider, sim.address()));
            sims.push(sim);
        }
        let settings = settings(scene, base, speed, providers, &log);
        let metrics = Arc::new(Metrics::try_new(env!("CARGO_PKG_VERSION"))?);
        // Nobody asks for a reload.
        let same = settings.clone();
        let edge = Running::start(settings, Box::new(move || Ok(same.clone())), metrics)?;
        let address = edge.addresses().first().copied();
        Ok(Self {
            address: address.ok_or(StageError::NoAddress)?,
            edge,
            log,
            _sims: sims,
        })
    }

    /// Ends it; tells what segue says of its exchanges.
    pub(super) async fn end(self) -> Result<Vec<Told>, StageError> {
        self.edge.drain().await;
        told::read(&self.log).map_err(StageError::Log)
    }
}

/// Starts who plays a provider.
async fn simulate(
    scene: &Scene,
    provider: &ProviderSettings,
    number: usize,
) -> Result<Sim, StageError> {
    let name = &provider.spec.name;
    let failed = |error| StageError::Sim(name.to_string(), error);
    let struck = scene.strikes(name);
    let script = match scene.fault.script(scene.route.policy.hold) {
        Some(script) if struck => truth::own_words(script.parse()?, number),
        _ => truth::good(number),
    };
    let options = Options {
        scripts: vec![(ANY.to_owned(), vec![script])],
        journal: REMEMBERED,
        ..Options::default()
    };
    let sim = Sim::start(options).await.map_err(failed)?;
    if struck && scene.fault.deed == Deed::Down {
        sim.down().await;
    }
    Ok(sim)
}

/// A provider, as it is when a simulator plays it: at that address, without TLS, checks and the real
/// credential. Its name, its format and its profile are its own.
fn played_by(provider: &ProviderSettings, at: SocketAddr) -> ProviderSettings {
    let spec = &provider.spec;
    let prefix = match (provider.dialect, provider.profile.paths) {
        (Dialect::OpenAi, Paths::Plain | Paths::AzureV1) => "/v1",
        (Dialect::OpenAi, Paths::AzureDeployments) | (Dialect::Anthropic, _) => "",
        (Dialect::Gemini, _) => "/v1beta",
    };
    let usual = match provider.dialect {
        Dialect::OpenAi => "authorization",
        Dialect::Anthropic => "x-api-key",
        Dialect::Gemini => "x-goog-api-key",
    };
    let own = spec.credential.as_ref().map(|one| one.header.clone());
    ProviderSettings {
        spec: ProviderSpec {
            name: Arc::clone(&spec.name),
            base: BaseUrl {
                scheme: Scheme::Http,
                host: at.ip().to_string(),
                port: at.port(),
                prefix: prefix.to_owned(),
            },
            credential: Some(Credential {
                header: own.unwrap_or_else(|| HeaderName::from_static(usual)),
                value: HeaderValue::from_static("Bearer drill"),
            }),
            pool: PoolSpec {
                peers: Peers::Static(vec![at]),
                balance: Balance::default(),
                health: None,
                tls: None,
                private_peers: true,
            },
        },
        dialect: provider.dialect,
        profile: at_plain_paths(&provider.profile),
    }
}

/// The simulator has Azure's newer endpoints where everybody has them.
fn at_plain_paths(profile: &Arc<Profile>) -> Arc<Profile> {
    match profile.paths {
        Paths::Plain | Paths::AzureDeployments => Arc::clone(profile),
        Paths::AzureV1 => Arc::new(Profile {
            paths: Paths::Plain,
            ..Profile::clone(profile)
        }),
    }
}

/// What the proxy is started with: the scene's route alone, and of the rest of the config only its
/// limits.
fn settings(
    scene: &Scene,
    base: &Settings,
    speed: Speed,
    providers: Vec<ProviderSettings>,
    log: &Path,
) -> Settings {
    let mut route = speed.of_route(&scene.route);
    let targets = route.tiers.iter_mut().flat_map(|tier| &mut tier.targets);
    targets.for_each(stand_in);
    Settings {
        listeners: vec![ListenerSettings {
            address: FREE,
            tls: None,
        }],
        admin: AdminSettings { address: None },
        keys: Keys::default(),
        quotas: Arc::new(Quotas::default()),
        providers,
        routes: [route].into_iter().collect(),
        passthrough: None,
        log: LogSettings {
            access: LogTarget::File(log.to_owned()),
            queue: QUEUE,
            level: base.log.level.clone(),
        },
        samples: None,
        drain: LAST,
        traces: None,
        store: None,
        shared: None,
        ..base.clone()
    }
}

/// A target as its simulator wants it. A model whose name is a script would have its own way.
fn stand_in(target: &mut Target) {
    if target.model.starts_with(INLINE) {
        target.model = "drill".into();
    }
    target.profile = at_plain_paths(&target.profile);
}
