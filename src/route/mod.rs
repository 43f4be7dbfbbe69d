//! From a model name to the targets that may answer for it, in order.

mod balance;
mod capable;
mod catalogue;
mod condition;
mod contract;
mod effort;
mod family;
mod latency;
mod left_out;
mod plan;
mod policy;
mod table;
mod unserved;
mod watch;
mod when;

#[cfg(test)]
mod tests;

pub use capable::fitted;
pub use catalogue::{Model, is_moving, model};
pub use condition::{Condition, Resort, Standing};
pub use contract::{Contract, Uncheckable, Violation};
pub use family::Family;
pub use latency::Latency;
pub use left_out::{LeftOut, Omission};
pub use plan::{Ask, Place, Plan, plan};
pub use policy::{
    Check, Choice, Contracts, Drops, Hedge, HedgeAfter, Hold, Json, Malformed, OutputFit, Policy,
    Reach, Refusals, Retries, Timeouts,
};
pub use table::{Balance, Route, Routes, StreamUse, Target, TargetLimits, Tier, Variant};
pub use unserved::unserved;
pub use watch::Watch;
pub use when::{Fact, Facts, Test, When};
