//! What is played: every route and variant, each provider that it may ask first, every fault.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cli::drill::fault::{Fault, Reach};
use crate::edge::{ProviderSettings, Settings};
use crate::route::{Route, Target, Tier};

/// A route or one of its variants, as if it stood alone.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// Its name for people.
    pub(super) title: String,
    /// It has no variants of its own.
    pub(super) route: Route,
    /// The providers of its targets, each once, in the order of the chain.
    pub(super) providers: Vec<ProviderSettings>,
}

/// One thing to play.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// As the draw among equals has fallen: the one that is struck is asked first.
    pub(super) route: Route,
    /// Who plays.
    pub(super) providers: Vec<ProviderSettings>,
    /// The provider that is asked first.
    pub(super) first: Arc<str>,
    pub(super) fault: &'static Fault,
}

impl Scene {
    /// Whether the provider of that name fails.
    pub(super) fn strikes(&self, provider: &str) -> bool {
        match self.fault.reach {
            Reach::All => true,
            Reach::First => *self.first == *provider,
        }
    }

    /// Whether somebody is left who does not fail.
    pub(super) fn has_somebody_else(&self) -> bool {
        let mut targets = self.route.targets();
        targets.any(|target| !self.strikes(&target.provider))
    }
}

impl Form {
    /// All routes and variants of a config, or those of these routes.
    pub(super) fn all(settings: &Settings, only: &[String]) -> Vec<Self> {
        let wanted =
            |route: &&Arc<Route>| only.is_empty() || only.iter().any(|name| **name == *route.name);
        let routes = settings.routes.iter().filter(wanted);
        let forms = routes.flat_map(|route| route.forms());
        forms.map(|route| Self::of(route, settings)).collect()
    }

    fn of(route: &Route, settings: &Settings) -> Self {
        let mut seen = BTreeSet::new();
        let names = route.targets().map(|target| &target.provider);
        let names = names.filter(|name| seen.insert(Arc::clone(name)));
        let providers = names.filter_map(|name| {
            let mut all = settings.providers.iter();
            all.find(|one| one.spec.name == *name).cloned()
        });
        Self {
            title: route.title(),
            providers: providers.collect(),
            route: Route {
                variants: Vec::new(),
                ..route.clone()
            },
        }
    }

    /// What is played of one fault: it strikes each provider of the first tier once, or all.
    pub(super) fn scenes(&self, fault: &'static Fault) -> Vec<Scene> {
        let mut firsts: Vec<Arc<str>> = Vec::new();
        for target in self.route.tiers.first().into_iter().flat_map(targets) {
            if !firsts.contains(&target.provider) {
                firsts.push(Arc::clone(&target.provider));
            }
        }
        if fault.reach == Reach::All {
            firsts.truncate(1);
        }
        let scene = |first: Arc<str>| Scene {
            route: led_by(&self.route, &first),
            providers: self.providers.clone(),
            first,
            fault,
        };
        firsts.into_iter().map(scene).collect()
    }
}

fn targets(tier: &Tier) -> &[Target] {
    &tier.targets
}

/// The route when, among the equals of its first tier, the draw falls on that provider's.
fn led_by(route: &Route, first: &str) -> Route {
    let mut tiers = route.tiers.iter();
    let mut all: Vec<Tier> = Vec::new();
    if let Some(tier) = tiers.next() {
        let of = |targets: Vec<Target>| Tier {
            targets,
            balance: tier.balance,
        };
        let (ahead, behind): (Vec<_>, Vec<_>) = tier
            .targets
            .iter()
            .cloned()
            .partition(|target| *target.provider == *first);
        let split = [ahead, behind].into_iter();
        all.extend(split.filter(|targets| !targets.is_empty()).map(of));
    }
    all.extend(tiers.cloned());
    Route {
        tiers: all,
        ..route.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::drill::fault::{CALM, named};
    use crate::config;

    fn forms(routes: &str, only: &[String]) -> Vec<Form> {
        let text = format!(
            "
listen: [{{address: 127.0.0.1:8080}}]
providers:
  a: {{dialect: openai, base_url: https://a.example/v1}}
  b: {{dialect: openai, base_url: https://b.example/v1}}
  c: {{dialect: openai, base_url: https://c.example/v1}}
routes: {{{routes}}}
"
        );
        let settings = config::parse(&text, Path::new("segue.yaml"), &|_: &str| None).unwrap();
        Form::all(&settings, only)
    }

    fn chain(scene: &Scene) -> Vec<Vec<&str>> {
        let tiers = scene.route.tiers.iter();
        let names = |tier| targets(tier).iter().map(|target| &*target.name).collect();
        tiers.map(names).collect()
    }

    #[test]
    fn a_fault_strikes_each_provider_that_may_be_asked_first() {
        let forms = forms("r: {tiers: [[a/x, b/x, a/y], [c/z]]}", &[]);
        let [form] = &*forms else { panic!("{forms:?}") };
        let scenes = form.scenes(named("hang").unwrap());
        let chains: Vec<_> = scenes.iter().map(chain).collect();
        assert_eq!(
            chains,
            [
                [vec!["a/x", "a/y"], vec!["b/x"], vec!["c/z"]],
                [vec!["b/x"], vec!["a/x", "a/y"], vec!["c/z"]],
            ]
        );
        assert!(scenes.iter().all(Scene::has_somebody_else));
        let struck = |scene: &Scene| ["a", "b", "c"].map(|name| scene.strikes(name));
        let struck: Vec<_> = scenes.iter().map(struck).collect();
        assert_eq!(struck, [[true, false, false], [false, true, false]]);
    }

    #[test]
    fn an_outage_of_all_is_played_once_and_leaves_nobody() {
        let forms = forms("r: {tiers: [[a/x, b/x]]}", &[]);
        let [form] = &*forms else { panic!("{forms:?}") };
        let scenes = form.scenes(named("all_hang").unwrap());
        let [scene] = &*scenes else {
            panic!("{scenes:?}")
        };
        assert!(!scene.has_somebody_else());
        assert!(form.scenes(&CALM).iter().all(Scene::has_somebody_else));
    }

    #[test]
    fn variants_are_played_too_and_routes_may_be_chosen() {
        let routes =
            "r: {tiers: [[a/x]], variants: [{name: v, when: {task: t}, tiers: [[b/x]]}]}, s: c/z";
        let titles = |only: &[String]| -> Vec<String> {
            forms(routes, only)
                .into_iter()
                .map(|form| form.title)
                .collect()
        };
        assert_eq!(titles(&[]), ["r", "r, variant v", "s"]);
        assert_eq!(titles(&["s".to_owned()]), ["s"]);
    }
}
