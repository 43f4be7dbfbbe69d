//! `tiers` of a route: targets that are equals, tier after tier.

use std::time::Duration;

use super::cursor::{Cursor, Read, all};
use super::section::Section;
use super::targets::{OpenTarget, Providers, Taken};
use crate::route::{Balance, Tier, Timeouts};

/// As many as an exchange may make attempts.
const MOST_TARGETS: usize = 16;

const BALANCES: [(&str, Balance); 5] = [
    ("weighted", Balance::Weighted),
    ("round_robin", Balance::RoundRobin),
    ("least_busy", Balance::LeastBusy),
    ("least_latency", Balance::LeastLatency),
    ("least_cost", Balance::LeastCost),
];

/// A tier whose targets wait for the bounds of their route.
pub(super) struct OpenTier<'a> {
    balance: Balance,
    targets: Vec<OpenTarget<'a>>,
}

impl<'a> OpenTier<'a> {
    /// Reads the short form of a route: its one target.
    pub(super) fn single(cursor: &Cursor<'a>, providers: &Providers<'_>) -> Read<Self> {
        Ok(Self {
            balance: Balance::default(),
            targets: vec![OpenTarget::read(cursor, providers, &mut Taken::new())?],
        })
    }

    /// Reads a list of targets, or a map with `targets`.
    fn read(cursor: &Cursor<'a>, providers: &Providers<'_>, taken: &mut Taken<'a>) -> Read<Self> {
        let (balance, targets) = if cursor.is_list() {
            (Ok(Balance::default()), Ok(cursor.clone()))
        } else {
            let mut section = Section::open_or(cursor, "a list of targets or a map")?;
            let balance = section.or("balance", Balance::default(), |cursor| {
                cursor.choice(&BALANCES)
            });
            let targets = section.required("targets");
            section.close();
            (balance, targets)
        };
        let targets = targets.and_then(|cursor| {
            let items = cursor.some_items()?;
            all(items
                .iter()
                .map(|cursor| OpenTarget::read(cursor, providers, taken)))
        });
        Ok(Self {
            balance: balance?,
            targets: targets?,
        })
    }

    /// The tier under a route with these bounds, which are not yet cut to fit.
    pub(super) fn fit(self, route: &Timeouts, deadline: Duration) -> Read<Tier> {
        let fit = |target: OpenTarget<'_>| target.fit(route, deadline);
        Ok(Tier {
            balance: self.balance,
            targets: all(self.targets.into_iter().map(fit))?,
        })
    }
}

/// Reads all tiers of a route.
pub(super) fn read<'a>(cursor: &Cursor<'a>, providers: &Providers<'_>) -> Read<Vec<OpenTier<'a>>> {
    let mut taken = Taken::new();
    let tiers = cursor.some_items()?;
    let tiers = all(tiers
        .iter()
        .map(|cursor| OpenTier::read(cursor, providers, &mut taken)))?;
    let count: usize = tiers.iter().map(|tier| tier.targets.len()).sum();
    if count > MOST_TARGETS {
        return cursor.fail(format_args!(
            "{count} targets: a route has at most {MOST_TARGETS}"
        ));
    }
    Ok(tiers)
}
