//! The routes by the names that clients ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::exchange::Dialect;
use crate::route::Policy;

/// A model at a provider: what an attempt is made at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `provider/model`, for headers, log and metrics.
    pub name: Arc<str>,
    /// The provider's name in the config.
    pub provider: Arc<str>,
    /// The model name that the provider knows.
    pub model: Arc<str>,
    /// The format the provider speaks.
    pub dialect: Dialect,
}

/// A model name that clients ask for, and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The name.
    pub name: Arc<str>,
    /// Tiers of equals, tried in order. Neither the list nor a tier is empty.
    pub tiers: Vec<Vec<Target>>,
    /// Its bounds.
    pub policy: Policy,
}

impl Route {
    /// The targets in the order in which they are to be tried.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.tiers.iter().flatten()
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
