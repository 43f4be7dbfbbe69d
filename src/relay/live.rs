//! A route as it runs: with the providers behind its targets and what is known of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::dialect::{self, Wants};
use crate::exchange::Request;
use crate::relay::allowance::Allowance;
use crate::relay::standing::{Standings, TargetState};
use crate::route::{
    self, Ask, Condition, Facts, Plan, Policy, Route, Routes, Standing, Target, Variant, Watch,
    When,
};
use crate::upstream::Provider;

/// The live providers of a generation, by name.
pub type Providers = BTreeMap<Arc<str>, Arc<Provider>>;

/// Hedges that a route may make at any rate: one a second.
const HEDGE_FLOOR: u32 = 1;

/// A route with its targets' live state. Belongs to one generation; the states outlive it.
pub struct LiveRoute {
    route: Arc<Route>,
    variants: Vec<(When, Arc<Self>)>,
    watch: Watch,
    lanes: Vec<Lane>,
    turn: AtomicU64,
    hedges: Option<Allowance>,
}

/// A target, who serves it, and what is known of it.
pub(super) struct Lane {
    pub(super) target: Target,
    pub(super) provider: Option<Arc<Provider>>,
    pub(super) state: Arc<TargetState>,
}

impl LiveRoute {
    /// Brings all routes to life. Targets that were known keep their state.
    pub fn raise(
        routes: &Routes,
        providers: &Providers,
        standings: &Standings,
    ) -> BTreeMap<Arc<str>, Arc<Self>> {
        let targets = routes
            .iter()
            .flat_map(|route| route.forms())
            .flat_map(Route::targets);
        let names = targets.map(|target| &target.name);
        let states = standings.keep(names);
        let live = |route: &Arc<Route>| {
            let lane = |target: &Target| Lane {
                target: target.clone(),
                provider: providers.get(&target.provider).cloned(),
                state: states.get(&target.name).cloned().unwrap_or_default(),
            };
            let hedge = route.policy.hedge;
            Self {
                variants: Vec::new(),
                route: Arc::clone(route),
                watch: Watch::of(route),
                lanes: route.targets().map(lane).collect(),
                turn: AtomicU64::new(0),
                hedges: hedge.map(|hedge| Allowance::new(hedge.share, HEDGE_FLOOR, Instant::now())),
            }
        };
        let with_variants = |route: &Arc<Route>| {
            let variant = |one: &Variant| (one.when.clone(), Arc::new(live(&one.route)));
            Self {
                variants: route.variants.iter().map(variant).collect(),
                ..live(route)
            }
        };
        routes
            .iter()
            .map(|route| (Arc::clone(&route.name), Arc::new(with_variants(route))))
            .collect()
    }

    /// What serves an exchange of which this is known: the route, or one of its variants.
    pub fn form<'a>(self: &'a Arc<Self>, facts: &Facts<'_>) -> &'a Arc<Self> {
        let variant = self.variants.iter().find(|(when, _)| when.holds(facts));
        variant.map_or(self, |(_, live)| live)
    }

    /// It and its variants.
    pub fn forms(&self) -> impl Iterator<Item = &Self> {
        let variants = self.variants.iter().map(|(_, live)| &**live);
        std::iter::once(self).chain(variants)
    }

    /// The route as it is written.
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// What the route promises.
    pub fn policy(&self) -> &Policy {
        &self.route.policy
    }

    /// Each target with its state, for a status page.
    pub fn targets(&self) -> impl Iterator<Item = (&Target, &Arc<TargetState>)> {
        self.lanes.iter().map(|lane| (&lane.target, &lane.state))
    }

    /// What a request wants, as far as it makes a difference here.
    pub fn wants<'a>(&self, request: &'a Request) -> Wants<'a> {
        dialect::wants(request, self.watch.watched(request.dialect))
    }

    /// Plans an exchange as things stand at `now`.
    pub fn plan(&self, fallback: Fallback, wants: &Wants<'_>, now: Instant) -> Plan {
        let ask = Ask {
            turn: self.turn.fetch_add(1, Ordering::Relaxed),
            fallback: fallback == Fallback::On,
        };
        let breaker = self.policy().breaker.as_ref();
        route::plan(&self.route, ask, wants, |place, _| match self.lane(place) {
            Some(lane) if lane.provider.is_some() => {
                lane.state.condition(breaker, lane.target.limits, now)
            }
            _ => Condition {
                standing: Standing::NoProvider,
                in_flight: 0,
                latency: None,
            },
        })
    }

    pub(super) fn lane(&self, place: usize) -> Option<&Lane> {
        self.lanes.get(place)
    }

    /// What its hedges may spend, if it hedges.
    pub(super) fn hedges(&self) -> Option<&Allowance> {
        self.hedges.as_ref()
    }
}

/// Whether a client lets its exchange go to another target than the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// As the route says.
    #[default]
    On,
    /// `x-segue-fallback: off`: the first target or an error.
    Off,
}
