//! What is swapped at a reload: one snapshot of all checked settings, and the live providers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::edge::Settings;
use crate::exchange::Dialect;
use crate::relay::{LiveRoute, Providers, Standings, TargetState};
use crate::upstream::{Provider, Upstreams};

/// Reads and checks the configuration anew. The error is ready for a person to read.
pub type Load = Box<dyn Fn() -> Result<Settings, String> + Send + Sync>;

/// One configuration in force. An exchange takes one and keeps it to its end.
pub(super) struct Generation {
    /// Counts from 1 at the start.
    pub number: u64,
    /// What the file said.
    pub settings: Settings,
    /// The providers, raised.
    pub providers: Providers,
    /// The routes by name, with what is known of their targets.
    pub routes: BTreeMap<Arc<str>, Arc<LiveRoute>>,
    /// When it came into force.
    pub since: SystemTime,
}

impl Generation {
    fn raise(number: u64, settings: Settings, lasting: &Lasting) -> Arc<Self> {
        let specs: Vec<_> = settings
            .providers
            .iter()
            .map(|one| one.spec.clone())
            .collect();
        let providers = lasting
            .upstreams
            .raise(&specs)
            .into_iter()
            .map(|provider| (Arc::clone(provider.name()), provider))
            .collect();
        let routes = LiveRoute::raise(&settings.routes, &providers, &lasting.standings);
        Arc::new(Self {
            number,
            settings,
            providers,
            routes,
            since: SystemTime::now(),
        })
    }

    /// The provider of that name, and the format it speaks.
    pub(super) fn provider(&self, name: &str) -> Option<(&Arc<Provider>, Dialect)> {
        let provider = self.providers.get(name)?;
        let settings = self
            .settings
            .providers
            .iter()
            .find(|one| *one.spec.name == *name)?;
        Some((provider, settings.dialect))
    }
}

/// How the last reload went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LastReload {
    /// None has been asked for.
    Never,
    /// The generation in force came from it.
    Good(SystemTime),
    /// It was refused, for this reason; the generation before it stays in force.
    Refused(SystemTime, String),
}

/// What outlives every generation: connections, pools, and what is known of targets.
struct Lasting {
    upstreams: Arc<Upstreams>,
    standings: Standings,
}

/// The generation in force, and the way to the next.
pub(super) struct Generations {
    current: ArcSwap<Generation>,
    lasting: Lasting,
    load: Load,
    last: Mutex<LastReload>,
}

impl Generations {
    /// Raises the first generation. Needs a runtime: providers bring their own tasks.
    pub(super) fn first(settings: Settings, load: Load) -> Self {
        let lasting = Lasting {
            upstreams: Upstreams::new(),
            standings: Standings::default(),
        };
        let first = Generation::raise(1, settings, &lasting);
        Self {
            current: ArcSwap::new(first),
            lasting,
            load,
            last: Mutex::new(LastReload::Never),
        }
    }

    /// The generation in force.
    pub(super) fn current(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// What is known of each target.
    pub(super) fn targets(&self) -> Vec<(Arc<str>, Arc<TargetState>)> {
        self.lasting.standings.all()
    }

    /// How the last reload went.
    pub(super) fn last_reload(&self) -> LastReload {
        self.last.lock().clone()
    }

    /// Loads, checks and swaps; on any error the generation in force stays.
    ///
    /// `fits` has the last word: it refuses what cannot change while running.
    pub(super) fn reload(
        &self,
        fits: impl Fn(&Settings, &Settings) -> Result<(), String>,
    ) -> Result<Arc<Generation>, String> {
        let now = SystemTime::now();
        let result = (self.load)().and_then(|settings| {
            let current = self.current();
            fits(&current.settings, &settings)?;
            let next = Generation::raise(current.number + 1, settings, &self.lasting);
            self.current.store(Arc::clone(&next));
            Ok(next)
        });
        *self.last.lock() = match &result {
            Ok(_) => LastReload::Good(now),
            Err(reason) => LastReload::Refused(now, reason.clone()),
        };
        result
    }
}

/// Refuses changes of what was bound at the start.
pub(super) fn listeners_unchanged(current: &Settings, next: &Settings) -> Result<(), String> {
    let shape = |settings: &Settings| {
        settings
            .listeners
            .iter()
            .map(|listener| (listener.address, listener.tls.is_some()))
            .collect::<Vec<_>>()
    };
    if shape(current) != shape(next) {
        return Err("listen: addresses and TLS mode cannot change at a reload; restart".to_owned());
    }
    if current.admin != next.admin {
        return Err("admin: the address cannot change at a reload; restart".to_owned());
    }
    if current.log != next.log {
        return Err("log: the access log cannot move at a reload; restart".to_owned());
    }
    let samples = |settings: &Settings| {
        let samples = settings.samples.as_ref();
        samples.map(|samples| (samples.path.clone(), samples.rotation.clone()))
    };
    if samples(current) != samples(next) {
        return Err("samples: path, size and files cannot change at a reload; restart".to_owned());
    }
    let collector =
        |settings: &Settings| settings.traces.as_ref().map(|traces| traces.otlp.clone());
    if collector(current) != collector(next) {
        return Err("traces: the collector cannot change at a reload; restart".to_owned());
    }
    let store = |settings: &Settings| settings.store.as_ref().map(|store| store.path.clone());
    if store(current) != store(next) {
        return Err("accounts.store: it cannot move at a reload; restart".to_owned());
    }
    if current.shared != next.shared {
        return Err("accounts.shared: it cannot change at a reload; restart".to_owned());
    }
    Ok(())
}
