//! From a model name to the targets that may answer for it, in order.

mod latency;
mod plan;
mod policy;
mod table;

pub use latency::Latency;
pub use plan::{Ask, Condition, LeftOut, Omission, Place, Plan, Standing, plan};
pub use policy::{
    Check, Choice, Hedge, HedgeAfter, Hold, Malformed, Policy, Reach, Refusals, Retries, Timeouts,
};
pub use table::{Balance, Price, Route, Routes, Target, Tier};
