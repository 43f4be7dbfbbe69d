//! The routes by the names that clients ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::account::Price;
use crate::dialect::Profile;
use crate::exchange::{Abilities, Delivery, Dialect, Form};
use crate::route::{Facts, Policy, Timeouts, When};
use crate::units::Tokens;

/// A model at a provider: what an attempt is made at.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// `provider/model`, for headers, log and metrics.
    pub name: Arc<str>,
    /// The provider's name in the config.
    pub provider: Arc<str>,
    /// The model name that the provider knows.
    pub model: Arc<str>,
    /// The format the provider speaks.
    pub dialect: Dialect,
    /// Its share among the equals of its tier, at least 1.
    pub weight: u32,
    /// What it charges, where the config says it.
    pub price: Option<Price>,
    /// What its provider lets us ask of it.
    pub limits: TargetLimits,
    /// The bounds of one attempt at it.
    pub timeouts: Timeouts,
    /// How it differs from its format.
    pub profile: Arc<Profile>,
    /// What the model can do.
    pub abilities: Arc<Abilities>,
    /// In what form it answers.
    pub stream: StreamUse,
}

impl Target {
    /// The longest prompt it takes, where that is known.
    pub fn window(&self) -> Option<Tokens> {
        let Abilities {
            context, max_input, ..
        } = *self.abilities;
        [context, max_input].into_iter().flatten().min()
    }

    /// Whether it is known to take longer prompts than another: where to go with one that was too
    /// long for that.
    pub fn is_roomier_than(&self, other: &Self) -> bool {
        let windows = self.window().zip(other.window());
        windows.is_some_and(|(own, other)| own > other)
    }
}

/// What a provider lets us ask of a target: at its limit, it stands behind the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetLimits {
    /// Requests in a minute.
    pub rpm: Option<u32>,
    /// Tokens in a minute, of prompts and answers.
    pub tpm: Option<Tokens>,
}

/// Whether a target is asked for streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamUse {
    /// When the client asks for one.
    #[default]
    AsAsked,
    /// Always: the clocks of streams then watch over whole answers too.
    Always,
    /// Never: its whole answer becomes a stream for a client that asked for one.
    Never,
}

impl StreamUse {
    /// The form that the target is asked for.
    pub fn form(self, delivery: Delivery) -> Form {
        match self {
            Self::AsAsked => delivery.form(),
            Self::Always => Form::Stream,
            Self::Never => Form::Whole,
        }
    }
}

/// Targets that are equals.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// In what order they are tried.
    pub balance: Balance,
    /// At least one, none twice.
    pub targets: Vec<Target>,
}

/// In what order the targets of a tier are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// At random, by weight.
    #[default]
    Weighted,
    /// In turn.
    RoundRobin,
    /// Fewest attempts under way for its weight first.
    LeastBusy,
    /// Shortest expected time to the first token first (peak EWMA).
    LeastLatency,
    /// Cheapest first; targets without a price come last.
    LeastCost,
}

/// A model name that clients ask for, and what stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The name.
    pub name: Arc<str>,
    /// The variant of the route that this is, if it is one.
    pub variant: Option<Arc<str>>,
    /// Tiers of equals, tried in order; at least one. No target is in it twice.
    pub tiers: Vec<Tier>,
    /// What it promises.
    pub policy: Policy,
    /// What serves some callers and tasks in its place: the first whose conditions hold.
    pub variants: Vec<Variant>,
}

/// What serves some callers and tasks in place of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Which ones.
    pub when: When,
    /// Targets and policy, under the name of the route. It has no variants of its own.
    pub route: Arc<Route>,
}

impl Route {
    /// The targets in the order in which they are written.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.tiers.iter().flat_map(|tier| &tier.targets)
    }

    /// Its name for people, with the variant that it is.
    pub fn title(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}, variant {variant}", self.name),
            None => self.name.to_string(),
        }
    }

    /// It and its variants.
    pub fn forms(&self) -> impl Iterator<Item = &Self> {
        let variants = self.variants.iter().map(|variant| &*variant.route);
        std::iter::once(self).chain(variants)
    }

    /// What serves an exchange of which this is known.
    pub fn form(&self, facts: &Facts<'_>) -> &Self {
        let variant = self.variants.iter().find(|one| one.when.holds(facts));
        variant.map_or(self, |variant| &variant.route)
    }
}

/// All routes, by name.
#[derive(Clone, Debug, Default)]
pub struct Routes(BTreeMap<Arc<str>, Arc<Route>>);

impl Routes {
    /// The route of that exact name.
    pub fn get(&self, name: &str) -> Option<&Arc<Route>> {
        self.0.get(name)
    }

    /// All routes, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.values()
    }
}

impl FromIterator<Route> for Routes {
    fn from_iter<I: IntoIterator<Item = Route>>(routes: I) -> Self {
        Self(
            routes
                .into_iter()
                .map(|route| (route.name.clone(), Arc::new(route)))
                .collect(),
        )
    }
}
