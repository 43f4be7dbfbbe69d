//! Who may call, what each may use, and what it comes to.

mod key;
mod keys;
mod ledger;
mod network;
mod penniless;
mod price;
mod purse;
mod quota;

pub use key::{Digest, Key, RouteScope, Tags};
pub use keys::{Activity, KeyEntry, Keys, Proof, Rejected, Terms};
pub use ledger::{Ledger, Now};
pub use network::{Network, NotANetwork};
pub use penniless::penniless;
pub use price::{LongPrice, Price};
pub use purse::{Claim, Fate, Left, Purse, Scarce, Short, Stake, Window};
pub use quota::{Budget, Caller, Each, OnBudget, Period, Quota, Quotas, Scope, Waste};
