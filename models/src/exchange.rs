//! Bills and faults: what the ledger's sources name.

#[path = "../../src/exchange/fault.rs"]
mod fault;
#[path = "../../src/exchange/usage.rs"]
mod usage;

pub use fault::{Fault, FaultKind};
pub use usage::{Bill, Measure, Usage};
