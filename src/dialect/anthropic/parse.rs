//! A client's request of this format.

use bytes::Bytes;

use crate::dialect::ask::Unfit;
use crate::exchange::{Conversation, Fault, FaultKind, Need, Request, Task};

/// Reads what routing, limits and the gate need.
pub fn request(_: Task, _: Bytes) -> Result<Request, Fault> {
    Err(Fault::new(FaultKind::NotFound, "no such path"))
}

/// Reads all of it.
pub fn conversation(_: &Request) -> Result<Conversation<'_>, Unfit> {
    Err(Unfit::Lacks(Need::Native))
}
