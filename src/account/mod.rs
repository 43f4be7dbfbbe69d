//! Who may call, what each may use, and what it comes to.

mod book;
mod bucket;
mod claim;
mod heritage;
mod instance;
mod key;
mod keys;
mod ledger;
mod meter;
mod network;
mod now;
mod penniless;
mod period;
mod price;
mod purse;
mod quota;
pub mod shared;
mod spending;
mod spent;
pub mod store;

pub use bucket::{Bucket, Window};
pub use claim::{Claim, Fate, Scarce, Short};
pub use heritage::{Change, Count, Told};
pub use instance::{Instance, Kind, Owner};
pub use key::{Digest, Key, RouteScope, Tags};
pub use keys::{Activity, KeyEntry, Keys, Proof, Rejected, Terms};
pub use ledger::{BudgetStatus, Ledger, QuotaStatus};
pub use network::{Network, NotANetwork};
pub use now::Now;
pub use penniless::penniless;
pub use period::Period;
pub use price::{LongPrice, Price};
pub use purse::{Left, Purse, Stake};
pub use quota::{Budget, Caller, Each, OnBudget, Quota, Quotas, Scope, Waste};
pub use spent::Spent;

#[cfg(test)]
mod tests;
