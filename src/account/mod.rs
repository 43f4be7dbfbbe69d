//! Who may call, what each may use, and what it comes to.

mod book;
mod bucket;
mod claim;
mod instance;
mod key;
mod ledger;
mod meter;
mod now;
mod period;
mod price;
mod purse;
mod quota;
mod spending;

pub use bucket::{Bucket, Room};
pub use claim::{Claim, Fate, Scarce, Short};
pub use instance::{Instance, Kind};
pub use key::{Digest, Key, Keys, RouteScope, Tags};
pub use ledger::{BudgetStatus, Ledger, QuotaStatus, Spent};
pub use now::Now;
pub use period::{Day, Period};
pub use price::{LongPrice, Price};
pub use purse::{Left, Purse, Stake};
pub use quota::{Budget, Caller, Each, OnBudget, Quota, Quotas, Scope, Waste};

#[cfg(test)]
mod tests;
