//! The logs: lines that wait in a bounded queue for a writer of their own, so that a full disk or
//! a stopped pipe costs lines but never makes a request wait.

mod access;
mod diagnostics;
mod output;
mod sink;

pub use access::AccessLog;
pub use diagnostics::{DiagnosticsError, diagnostics, is_level, set_level};
pub(super) use output::Output;
pub use output::{Destination, Rotation, numbered};
pub use sink::Flushed;
pub(super) use sink::{Complaints, Sink, Work};
