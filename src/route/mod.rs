//! From a model name to the targets that may answer for it, in order.

mod balance;
mod condition;
mod latency;
mod plan;
mod policy;
mod table;

#[cfg(test)]
mod tests;

pub use condition::{Condition, Resort, Standing};
pub use latency::Latency;
pub use plan::{Ask, LeftOut, Omission, Place, Plan, plan};
pub use policy::{
    Check, Choice, Hedge, HedgeAfter, Hold, Malformed, Policy, Reach, Refusals, Retries, Timeouts,
};
pub use table::{Balance, Price, Route, Routes, StreamUse, Target, Tier};
