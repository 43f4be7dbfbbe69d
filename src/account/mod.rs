//! Who may call, what each may use, and what it comes to.

mod key;
mod ledger;
mod price;
mod purse;
mod quota;
pub mod store;

pub use key::{Digest, Key, Keys, RouteScope, Tags};
pub use ledger::{Ledger, Now};
pub use price::{LongPrice, Price};
pub use purse::{Claim, Fate, Purse, Scarce, Short, Stake};
pub use quota::{Budget, Caller, Each, OnBudget, Period, Quota, Quotas, Scope, Waste};
