//! The ledger's sources: what of the room the models need.

#[path = "../../src/account/book.rs"]
mod book;
#[path = "../../src/account/bucket.rs"]
mod bucket;
#[path = "../../src/account/claim.rs"]
mod claim;
#[path = "../../src/account/instance.rs"]
mod instance;
#[path = "../../src/account/key.rs"]
mod key;
#[path = "../../src/account/ledger.rs"]
mod ledger;
#[path = "../../src/account/meter.rs"]
mod meter;
#[path = "../../src/account/now.rs"]
mod now;
#[path = "../../src/account/period.rs"]
mod period;
#[path = "../../src/account/purse.rs"]
mod purse;
#[path = "../../src/account/quota.rs"]
mod quota;
#[path = "shared.rs"]
mod shared;
#[path = "../../src/account/spending.rs"]
mod spending;
#[path = "../../src/account/spent.rs"]
mod spent;

pub use claim::{Claim, Fate, Scarce, Short};
pub use ledger::Ledger;
pub use now::Now;
pub use period::Period;
pub use purse::{Purse, Stake};
pub use quota::{Budget, Caller, Each, Quota, Quotas, Scope};
