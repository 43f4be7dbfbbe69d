//! The targets that may serve an exchange, in the order in which they are to be tried.
//!
//! Pure: what is known of the targets comes in as an argument, and so does chance.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::route::{Route, Target};
use crate::upstream::Admission;

/// What an exchange wants of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// A number that no two exchanges in a row share: chance for `weighted`, turn for
    /// `round_robin`.
    pub turn: u64,
    /// `x-segue-fallback: off`: the client wants the first target or an error.
    pub fallback: bool,
}

/// What is known of a target when an exchange is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether it can be asked at all, and what its breaker says.
    pub standing: Standing,
    /// Attempts under way.
    pub in_flight: u32,
    /// The expected time to its first token, load included; `None` when nothing is known.
    pub latency: Option<Duration>,
}

/// Whether a target can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// By its breaker.
    Known(Admission),
    /// The configuration in force has no such provider.
    NoProvider,
}

/// The targets of an exchange, by their places in [`Route::targets`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be tried in this order.
    pub places: SmallVec<[Place; 4]>,
    /// Left out, each with its reason.
    pub left_out: SmallVec<[Omission; 2]>,
}

/// One target of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in [`Route::targets`].
    pub target: usize,
    /// Set when its breaker advises against it until then: it is tried when nothing else is left.
    pub shut: Option<Instant>,
}

/// A target that is not in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omission {
    /// Its place in [`Route::targets`].
    pub target: usize,
    /// Why.
    pub reason: LeftOut,
}

/// Why a target is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its provider is gone.
    NoProvider,
    /// The client turned fallback off.
    FallbackOff,
    /// The route is `fail_closed` and this is another model.
    FailClosed,
}

impl LeftOut {
    /// The name in log, headers and `explain`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoProvider => "no_provider",
            Self::FallbackOff => "fallback_off",
            Self::FailClosed => "fail_closed",
        }
    }
}

/// Plans an exchange: tier by tier, each in the order of its balance; targets that are shut come
/// last, the one that opens first before the others, for an error is certain not to be an answer.
pub fn plan(route: &Route, ask: Ask, condition: impl Fn(usize, &Target) -> Condition) -> Plan {
    let _ = ask;
    let mut plan = Plan::default();
    for (target, named) in route.targets().enumerate() {
        match condition(target, named).standing {
            Standing::NoProvider => plan.left_out.push(Omission {
                target,
                reason: LeftOut::NoProvider,
            }),
            Standing::Known(_) => plan.places.push(Place { target, shut: None }),
        }
    }
    plan
}
