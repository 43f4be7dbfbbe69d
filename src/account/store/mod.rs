//! The store: what exchanges and their attempts took, in a SQLite file that one thread writes.
//!
//! A request hands over one entry and never waits: entries queue up to a bound, and are written
//! some hundreds at a time. What a disk refuses is tried again; what finds no room is counted.

mod entry;
mod file;
mod prune;
mod queue;
mod read;
mod schema;
mod settings;
mod source;
mod sums;
#[cfg(test)]
mod tests;
mod write;
mod writer;

pub use entry::{AttemptEntry, Entry};
pub use file::StoreError;
pub use read::{Part, Reader, Span, Sum};
pub use schema::VERSION;
pub use settings::{OnFailure, StoreSettings};
pub use source::By;
pub use writer::{Meters, Store, StoreState};
