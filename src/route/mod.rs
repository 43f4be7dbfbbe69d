//! From a model name to the targets that may answer for it.

mod policy;
mod table;

pub use policy::{Policy, Timeouts};
pub use table::{Route, Routes, Target};
