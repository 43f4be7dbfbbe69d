//! What is swapped at a reload: one snapshot of all checked settings, and the live providers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::edge::{ListenerSettings, Settings};
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

/// The reloads so far. Who asks for one and sees `begun`, knows that any later one read the file
/// after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reloads {
    /// How many have begun.
    pub(super) begun: u64,
    /// How many are over. The difference is 1 while one runs, else 0.
    pub(super) ended: u64,
    /// How the last of them went.
    pub(super) last: LastReload,
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
    reloads: Mutex<Reloads>,
    /// One reload at a time.
    turn: Mutex<()>,
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
            reloads: Mutex::new(Reloads {
                begun: 0,
                ended: 0,
                last: LastReload::Never,
            }),
            turn: Mutex::default(),
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

    /// The reloads so far.
    pub(super) fn reloads(&self) -> Reloads {
        self.reloads.lock().clone()
    }

    /// What is known of targets, whatever the generation.
    pub(super) fn standings(&self) -> &Standings {
        &self.lasting.standings
    }

    /// Loads, checks and swaps; on any error the generation in force stays.
    ///
    /// `prepare` has the last word: it refuses what cannot change while running, and makes ready
    /// what is swapped along with the generation, so that nothing is left that could fail. `settle`
    /// puts that in place, or tells why there is nothing; the reload is over behind it.
    pub(super) fn reload<P>(
        &self,
        prepare: impl FnOnce(&Settings, &Settings) -> Result<P, String>,
        settle: impl FnOnce(Result<(&Generation, P), &str>),
    ) -> Result<u64, String> {
        let _turn = self.turn.lock();
        self.reloads.lock().begun += 1;
        let now = SystemTime::now();
        let next = (self.load)().and_then(|settings| {
            let current = self.current();
            let prepared = prepare(&current.settings, &settings)?;
            let number = current.number + 1;
            Ok((Generation::raise(number, settings, &self.lasting), prepared))
        });
        let (result, last) = match next {
            Ok((next, prepared)) => {
                self.current.store(Arc::clone(&next));
                settle(Ok((&next, prepared)));
                (Ok(next.number), LastReload::Good(now))
            }
            Err(reason) => {
                settle(Err(&reason));
                (Err(reason.clone()), LastReload::Refused(now, reason))
            }
        };
        let mut reloads = self.reloads.lock();
        reloads.ended += 1;
        reloads.last = last;
        result
    }
}

/// Refuses changes of what was bound at the start.
pub(super) fn listeners_unchanged(current: &Settings, next: &Settings) -> Result<(), String> {
    if let Some(what) = moved(&current.listeners, &next.listeners) {
        return Err(format!(
            "listen: {what}: addresses and TLS mode cannot change at a reload; restart"
        ));
    }
    if current.admin != next.admin {
        return Err("admin: the address cannot change at a reload; restart".to_owned());
    }
    let log = |settings: &Settings| (settings.log.access.clone(), settings.log.queue);
    if log(current) != log(next) {
        return Err("log: the access log cannot move at a reload; restart".to_owned());
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

/// What is not as it was bound, if anything is.
fn moved(current: &[ListenerSettings], next: &[ListenerSettings]) -> Option<String> {
    let without = |one: &[ListenerSettings], other: &[ListenerSettings]| {
        let is_in = |address| other.iter().any(|listener| listener.address == address);
        let mut addresses = one.iter().map(|listener| listener.address);
        addresses.find(|address| !is_in(*address))
    };
    if let Some(address) = without(next, current) {
        return Some(format!("{address} is new"));
    }
    if let Some(address) = without(current, next) {
        return Some(format!("{address} is gone"));
    }
    let shape = |listeners: &[ListenerSettings]| {
        let shape = |listener: &ListenerSettings| (listener.address, listener.tls.is_some());
        listeners.iter().map(shape).collect::<Vec<_>>()
    };
    let (was, is) = (shape(current), shape(next));
    if was.len() != is.len() {
        return Some("there are more or fewer".to_owned());
    }
    let (one, (address, tls)) = was.into_iter().zip(is).find(|(was, is)| was != is)?;
    Some(if one.0 != address {
        "their order is another".to_owned()
    } else if tls {
        format!("{address} did not speak TLS")
    } else {
        format!("{address} speaks TLS")
    })
}
