//! Who may call, what each may use, and what it comes to.

mod key;
mod price;
mod purse;

pub use key::{Digest, Key, Keys, RouteScope, Tags};
pub use price::{LongPrice, Price};
pub use purse::{Claim, Fate, Purse, Scarce, Short, Stake};
