//! From one process to the next without a gap: who is asked for an upgrade starts its successor.
//!
//! ```text
//!   elder                                              heir
//!   ─────                                              ────
//!   starts the binary: sockets, one end of a channel ▶ (a midwife that starts it and ends, so that it
//!                                                       has no parent but the service manager)
//!                                          ◀ Born
//!                                          ◀ Ready     config read, sockets taken, everything open
//!   Target… Count… Serve                   ▶           knows breakers, cool-downs, quotas; accepts
//!                                          ◀ Serving
//!   MAINPID= to the manager, Yours         ▶           READY=1 to the manager
//!   accepts no more, drains; Change, Cool  ▶           books what the elder still books
//!   ends: end of the channel               ▶           gives back what was set aside there
//! ```
//!
//! Up to `Serving` the elder can go back: whatever else happens, or does not happen in time, the heir
//! is ended and nothing has changed. Both hold the sockets, so no connection is ever refused.
//!
//! `ecdysis` was weighed: it passes sockets and waits for one byte; it knows no words for a refusal,
//! passes no state, and wants to be the one who binds. Descriptors are passed by `command-fds`.

mod birth;
mod channel;
mod heir;
mod successor;
mod words;

pub use birth::{Birth, Cradle, deliver};
pub use heir::{HeirError, Predecessor};
pub use successor::{Program, Successor, UpgradeError};
