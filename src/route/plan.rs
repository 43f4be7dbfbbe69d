//! The targets that may serve an exchange, in the order in which they are to be tried.
//!
//! Pure: what is known of the targets comes in as an argument, and so does chance.

use smallvec::SmallVec;

use crate::dialect::Wants;
use crate::exchange::Need;
use crate::route::balance::{Seat, Seats, arrange};
use crate::route::capable::objection;
use crate::route::condition::{Condition, Resort, Standing};
use crate::route::{LeftOut, Omission, Reach, Route, Target};

/// What an exchange wants of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The number of the exchange among those of its route: chance for `weighted`, turn for
    /// `round_robin` and for equals. Counted over several routes, it would give a route that sees
    /// each second number each second target only.
    pub turn: u64,
    /// `x-segue-fallback: off`: the client wants the first target or an error.
    pub fallback: bool,
}

/// The targets of an exchange, by their places in [`Route::targets`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be tried in this order.
    pub places: SmallVec<[Place; 4]>,
    /// Left out, each with its reason.
    pub left_out: SmallVec<[Omission; 4]>,
}

/// One target of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in [`Route::targets`].
    pub target: usize,
    /// Set when its limits or its breaker advise against it: it is tried when nothing else is left.
    pub resort: Option<Resort>,
}

/// Plans an exchange: tier by tier, each in the order of its balance. Last resorts come behind all
/// tiers, those at their limits first, then those that somebody probes, then the one that opens
/// first; none is left out for that alone, for an error is certain not to be an answer.
///
/// A target that cannot serve what the request wants is left out before anything is sent.
///
/// `condition` is asked once for each target, in the order in which they are written.
pub fn plan(
    route: &Route,
    ask: Ask,
    wants: &Wants<'_>,
    condition: impl Fn(usize, &Target) -> Condition,
) -> Plan {
    let only = only_model(route, wants);
    let mut plan = Plan::default();
    let mut next = 0..;
    for tier in &route.tiers {
        let mut seats = Seats::new();
        for (named, target) in tier.targets.iter().zip(&mut next) {
            let condition = condition(target, named);
            let resort = match condition.standing {
                Standing::NoProvider => {
                    let reason = LeftOut::NoProvider;
                    plan.left_out.push(Omission { target, reason });
                    continue;
                }
                Standing::Known(admission) => Resort::of(admission),
                Standing::Full { until } => Some(Resort::Full { until }),
            };
            let other = only.filter(|(only, _)| **only != *named.model);
            let other = other.map(|(_, reason)| reason);
            if let Some(reason) = other.or_else(|| objection(&route.policy, named, wants)) {
                plan.left_out.push(Omission { target, reason });
                continue;
            }
            let balance = tier.balance;
            let seat = Seat::new(target, named, resort, balance, ask.turn, &condition);
            seats.push(seat);
        }
        arrange(&mut seats, ask.turn);
        plan.places.extend(seats.iter().map(|seat| Place {
            target: seat.target,
            resort: seat.resort,
        }));
    }
    plan.places.sort_by_key(|place| place.resort);
    if !ask.fallback {
        plan.keep_first();
    }
    plan
}

/// The only model that may answer, and why.
fn only_model<'r>(route: &'r Route, wants: &Wants<'_>) -> Option<(&'r str, LeftOut)> {
    let reason = match route.policy.reach {
        Reach::SameModel => LeftOut::FailClosed,
        Reach::Chain if wants.needs.has(Need::Embeddings) => LeftOut::OtherVectors,
        Reach::Chain => return None,
    };
    let first = route.targets().next()?;
    Some((&first.model, reason))
}

impl Plan {
    fn keep_first(&mut self) {
        let rest = self.places.get(1..).unwrap_or_default();
        self.left_out.extend(rest.iter().map(|place| Omission {
            target: place.target,
            reason: LeftOut::FallbackOff,
        }));
        self.places.truncate(1);
    }
}
