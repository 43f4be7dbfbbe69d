//! Groups and their fallbacks -> tiers: equals, then what comes after them, no target twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cli::import::deployment::Deployment;
use crate::cli::import::measure;
use crate::cli::import::reading::Reading;
use crate::cli::import::settings::{Alias, Fallback, Settings};

/// The most targets of a route.
const MOST: usize = 16;

/// A target of a tier.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) weight: u32,
    pub(super) price: Option<(String, String)>,
    pub(super) total: Option<Duration>,
    pub(super) stall: Option<Duration>,
}

/// Targets that are equals.
pub(super) type Tier = Vec<Target>;

/// What a route does.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) tiers: Vec<Tier>,
    /// Beyond the shipped ones.
    pub(super) verdicts: Vec<(&'static str, &'static str)>,
}

/// All groups, and where each may fall back to.
pub(super) struct Groups {
    list: Vec<Group>,
    index: BTreeMap<String, usize>,
    after: Links,
    defaults: Vec<usize>,
    too_long: Links,
    refused: Links,
}

/// Deployments of one name, or one of them alone.
struct Group {
    /// The way to the first of them.
    path: String,
    /// Empty for one that only fallbacks can name.
    name: String,
    tiers: Vec<Tier>,
}

impl Group {
    fn new(name: &str, members: &[&Deployment], reading: &Reading<'_>) -> Self {
        let path = members.first().map(|member| member.path.clone());
        Self {
            path: path.unwrap_or_default(),
            name: name.to_owned(),
            tiers: tiers(members, reading),
        }
    }
}

/// From a group to others, by their places in the list.
type Links = BTreeMap<usize, Vec<usize>>;

impl Groups {
    /// Gathers deployments by their model name, and links the groups.
    pub(super) fn new(
        deployments: &[Deployment],
        settings: &Settings,
        reading: &Reading<'_>,
    ) -> Self {
        let mut members: Vec<(String, Vec<&Deployment>)> = Vec::new();
        let mut index = BTreeMap::new();
        for deployment in deployments {
            let next = members.len();
            let at = *index.entry(deployment.group.clone()).or_insert(next);
            match members.get_mut(at) {
                Some((_, list)) => list.push(deployment),
                None => members.push((deployment.group.clone(), vec![deployment])),
            }
        }
        let group =
            |(name, members): &(String, Vec<&Deployment>)| Group::new(name, members, reading);
        let mut list: Vec<Group> = members.iter().map(group).collect();
        // A fallback may name one deployment by its id.
        let mut targets = index.clone();
        for deployment in deployments {
            if let Some(id) = deployment
                .id
                .as_ref()
                .filter(|id| !targets.contains_key(*id))
            {
                targets.insert(id.clone(), list.len());
                list.push(Group::new("", &[deployment], reading));
            }
        }
        let linker = Linker {
            index: &index,
            targets: &targets,
            aliases: &settings.aliases,
            reading,
        };
        let after = linker.links(&settings.fallbacks);
        let defaults = linker.defaults(settings);
        let too_long = linker.links(&settings.too_long);
        let refused = linker.links(&settings.refused);
        Self {
            list,
            index,
            after,
            defaults,
            too_long,
            refused,
        }
    }

    /// The names of the groups, in the order of the input.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.list.iter().map(|group| group.name.as_str());
        names.filter(|name| !name.is_empty())
    }

    /// The chain of a group; `None` if there is no such group.
    pub(super) fn chain(&self, name: &str, reading: &Reading<'_>) -> Option<Chain> {
        let start = *self.index.get(name)?;
        let mut order = self.reachable(start);
        let mut verdicts = Vec::new();
        for (links, class) in [
            (&self.too_long, "context_length"),
            (&self.refused, "content_policy"),
        ] {
            if let Some(more) = links.get(&start).filter(|more| !more.is_empty()) {
                verdicts.push((class, "fall_back"));
                order.extend(more);
            }
        }
        let mut seen = BTreeSet::new();
        let mut tiers: Vec<Tier> = Vec::new();
        for at in order {
            let group = self.list.get(at).map(|group| group.tiers.as_slice());
            for tier in group.unwrap_or_default() {
                let new = tier
                    .iter()
                    .filter(|target| seen.insert(target.name.clone()));
                let tier: Tier = new.cloned().collect();
                if !tier.is_empty() {
                    tiers.push(tier);
                }
            }
        }
        if seen.len() > MOST {
            let path = self.list.get(start).map(|group| group.path.as_str());
            reading.note(
                path.unwrap_or("model_list"),
                "a route has at most 16 targets: the others are left out",
            );
            cut(&mut tiers);
        }
        Some(Chain { tiers, verdicts })
    }

    /// The groups that a request may come to, in the order in which it does.
    fn reachable(&self, start: usize) -> Vec<usize> {
        let mut order = Vec::new();
        let mut waiting = vec![start];
        while let Some(at) = waiting.pop() {
            if order.contains(&at) || order.len() > 2 * MOST {
                continue;
            }
            order.push(at);
            let next = self.after.get(&at).unwrap_or(&self.defaults);
            waiting.extend(next.iter().rev());
        }
        order
    }
}

fn cut(tiers: &mut Vec<Tier>) {
    let mut room = MOST;
    for tier in tiers.iter_mut() {
        tier.truncate(room);
        room = room.saturating_sub(tier.len());
    }
    tiers.retain(|tier| !tier.is_empty());
}

/// The tiers of one group: by `order`; those without any weight come after those with some.
fn tiers(members: &[&Deployment], reading: &Reading<'_>) -> Vec<Tier> {
    let by = (0..3).find(|by| members.iter().any(|member| share(member, *by).is_some()));
    let key = |member: &Deployment| {
        let order = member.order.unwrap_or(f64::MAX);
        let idle = by == Some(0) && share(member, 0) == Some(0.0);
        (order, idle)
    };
    let mut sorted: Vec<&Deployment> = members.to_vec();
    sorted.sort_by(|one, other| {
        let ((one, one_idle), (other, other_idle)) = (key(one), key(other));
        one.total_cmp(&other).then(one_idle.cmp(&other_idle))
    });
    let mut tiers: Vec<Tier> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for equals in sorted.chunk_by(|one, other| key(one) == key(other)) {
        let tier = tier(equals, by, &mut seen, reading);
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    tiers
}

fn share(member: &Deployment, by: usize) -> Option<f64> {
    member.shares.get(by).copied().flatten()
}

fn tier<'a>(
    equals: &[&'a Deployment],
    by: Option<usize>,
    seen: &mut BTreeSet<&'a str>,
    reading: &Reading<'_>,
) -> Tier {
    let mut shares: Vec<f64> = Vec::new();
    let mut kept: Vec<&Deployment> = Vec::new();
    for member in equals {
        let own = by.map_or(1.0, |by| share(member, by).unwrap_or(1.0));
        if seen.insert(&member.target) {
            kept.push(member);
            shares.push(own);
            continue;
        }
        reading.note(
            &member.path,
            "is the same model at the same account as one before it: they are one target",
        );
        let first = kept.iter().position(|other| other.target == member.target);
        if let Some(share) = first.and_then(|first| shares.get_mut(first)) {
            *share += own;
        }
    }
    let weights = measure::weights(&shares);
    let target = |(member, weight): (&Deployment, u32)| Target {
        name: member.target.clone(),
        weight,
        price: member.price.clone(),
        total: member.total,
        stall: member.stall,
    };
    kept.into_iter().zip(weights).map(target).collect()
}

/// Turns names into places, and notes those that lead nowhere.
struct Linker<'a> {
    index: &'a BTreeMap<String, usize>,
    targets: &'a BTreeMap<String, usize>,
    aliases: &'a [Alias],
    reading: &'a Reading<'a>,
}

impl Linker<'_> {
    fn links(&self, lists: &[Fallback]) -> Links {
        let mut links = Links::new();
        for list in lists.iter().filter(|list| list.from != "*") {
            let from = self.alias(&list.from);
            match self.index.get(from) {
                Some(from) => {
                    let to = self.places(list);
                    links.entry(*from).or_default().extend(to);
                }
                None => self
                    .reading
                    .note(&list.path, "no model of that name is carried over"),
            }
        }
        links
    }

    /// `default_fallbacks`, or the fallbacks of `*`.
    fn defaults(&self, settings: &Settings) -> Vec<usize> {
        let star = settings.fallbacks.iter().find(|list| list.from == "*");
        let list = star.or(settings.defaults.as_ref());
        list.map(|list| self.places(list)).unwrap_or_default()
    }

    fn places(&self, list: &Fallback) -> Vec<usize> {
        let mut places = Vec::new();
        for name in &list.to {
            if let Some(place) = self.targets.get(self.alias(name)) {
                places.push(*place);
                continue;
            }
            let why =
                format!("{name} is no model that is carried over: it is left out of the chain");
            self.reading.note(&list.path, &why);
        }
        places
    }

    fn alias<'n>(&'n self, name: &'n str) -> &'n str {
        let found = self.aliases.iter().find(|alias| alias.name == name);
        found.map_or(name, |alias| alias.group.as_str())
    }
}
