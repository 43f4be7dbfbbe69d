//! What happened in the last hour, kept in memory for a look at it: minutes of every route, and the
//! latest exchanges that were rescued or failed.
//!
//! Bounded whatever comes: 51 KiB for a route, at most 66 of them (3.3 MiB), and 100 exchanges
//! (half a megabyte). An exchange costs one short lock, and memory only if it is kept.

mod hour;
mod kept;
mod reasons;
mod sketch;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use self::hour::{Hour, Slot};
use self::kept::{Kind, Latest};
use self::reasons::Reasons;
use crate::telemetry::record::{Outcome, Record};
use crate::units::MicroUsd;

pub use self::kept::{Kept, KeptAttempt};
pub use self::told::{ErrorTold, HourTold, SumTold, TimesTold};

/// Routes that have minutes of their own; what others do counts as `other`.
const ROUTES: usize = 64;

/// The last hour of the process. Times are told from a beginning that the caller chooses.
#[derive(Debug, Default)]
pub struct History(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    routes: BTreeMap<Arc<str>, Hour>,
    other: Hour,
    all: Hour,
    reasons: Reasons,
    rescued: Latest,
    failed: Latest,
}

/// What a history has to tell.
#[derive(Debug, Serialize)]
pub struct HistoryTold {
    /// The hour of the route that was asked for, or of all of them.
    pub hour: HourTold,
    /// The latest exchanges that another target than the first answered, newest first.
    #[serde(serialize_with = "kept::as_list")]
    pub rescued: Vec<Arc<Kept>>,
    /// The latest exchanges whose clients got no answer, or not all of it, newest first.
    #[serde(serialize_with = "kept::as_list")]
    pub failed: Vec<Arc<Kept>>,
}

impl History {
    /// Takes over the routes of a new configuration: those that are gone are forgotten.
    pub fn know<'a>(&self, routes: impl IntoIterator<Item = &'a Arc<str>>) {
        let routes: BTreeSet<_> = routes.into_iter().cloned().collect();
        let mut inner = self.0.lock();
        let known = std::mem::take(&mut inner.routes);
        let known: BTreeMap<_, _> = known
            .into_iter()
            .filter(|(name, _)| routes.contains(name))
            .collect();
        let fresh: Vec<_> = routes
            .into_iter()
            .filter(|name| !known.contains_key(name))
            .collect();
        inner.routes = known;
        let room = ROUTES.saturating_sub(inner.routes.len());
        let fresh = fresh.into_iter().take(room);
        inner
            .routes
            .extend(fresh.map(|name| (name, Hour::default())));
    }

    /// Counts an exchange that began at `begun` and ended at `now`.
    pub fn observe(&self, record: &Record, begun: Instant, now: Duration) {
        let kind = kept::kind(record);
        let kept = kind.map(|kind| (kind, Arc::new(Kept::of(record, begun))));
        let cost = Cost::of(record);
        let mut inner = self.0.lock();
        let Inner {
            routes,
            other,
            all,
            reasons,
            rescued,
            failed,
        } = &mut *inner;
        let own = record.route.as_ref().and_then(|name| routes.get_mut(name));
        for hour in [own.unwrap_or(other), all] {
            if let Some(slot) = hour.at(now) {
                count(slot, record, cost, reasons);
            }
        }
        match kept {
            Some((Kind::Rescued, kept)) => rescued.push(kept),
            Some((Kind::Failed, kept)) => failed.push(kept),
            None => {}
        }
    }

    /// What there is to tell at `now`, of one route or of all; a route that has no minutes of its
    /// own is told as those that have none together.
    pub fn tell(&self, route: Option<&str>, now: Duration) -> HistoryTold {
        let mut inner = self.0.lock();
        let hour = match route {
            None => &mut inner.all,
            Some(name) if inner.routes.contains_key(name) => {
                let Inner { routes, other, .. } = &mut *inner;
                routes.get_mut(name).unwrap_or(other)
            }
            Some(_) => &mut inner.other,
        };
        hour.roll(now);
        // Copied out: who draws must not keep those waiting who serve.
        let hour = hour.clone();
        let reasons = Reasons::clone(&inner.reasons);
        let (rescued, failed) = (inner.rescued.list(), inner.failed.list());
        drop(inner);
        HistoryTold {
            hour: HourTold::of(&hour, &reasons),
            rescued,
            failed,
        }
    }
}

#[derive(Clone, Copy)]
struct Cost {
    delivered: u64,
    wasted: u64,
}

impl Cost {
    fn of(record: &Record) -> Self {
        let usd = |cost: Option<MicroUsd>| cost.map_or(0, |cost| cost.0);
        Self {
            delivered: usd(record.bill().and_then(|bill| bill.cost)),
            wasted: usd(record.wasted().and_then(|wasted| wasted.cost)),
        }
    }
}

fn count(slot: &mut Slot, record: &Record, cost: Cost, reasons: &mut Reasons) {
    let outcomes = Outcome::ALL.iter().zip(&mut slot.outcomes);
    for (outcome, count) in outcomes {
        *count = count.saturating_add(u32::from(*outcome == record.outcome));
    }
    let asked = !record.attempts.is_empty();
    slot.asked = slot.asked.saturating_add(u32::from(asked));
    slot.fallbacks = slot
        .fallbacks
        .saturating_add(u32::from(kept::fell_back(record)));
    let attempts = record.attempts.iter().filter_map(|attempt| attempt.error);
    let own = record.reason.filter(|_| !asked);
    for reason in attempts.chain(own) {
        if let Some(count) = slot.errors.get_mut(reasons.number(reason)) {
            *count = count.saturating_add(1);
        }
    }
    if let Some(wait) = record.first_token {
        slot.first_token.add(wait);
    }
    if let Some(held) = record.held {
        slot.held.add(held);
    }
    slot.delivered = MicroUsd(slot.delivered.0.saturating_add(cost.delivered));
    slot.wasted = MicroUsd(slot.wasted.0.saturating_add(cost.wasted));
}

#[cfg(test)]
mod tests;
