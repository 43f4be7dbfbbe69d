//! A request for a provider of this format.

use crate::dialect::ask::{Ask, Recipient, Unfit};
use std::borrow::Cow;

use crate::exchange::{Conversation, Need, Task};

/// Writes a conversation.
pub fn translated(_: &Conversation<'_>, _: &Recipient<'_>) -> Result<Ask, Unfit> {
    Err(Unfit::Lacks(Need::Native))
}

/// Splices a request of this format.
pub fn same(_: &crate::exchange::Request, _: &Recipient<'_>) -> Result<Ask, Unfit> {
    Err(Unfit::Lacks(Need::Native))
}

/// Where a provider takes such a task, below the path of its base URL.
pub fn path(_: Task) -> Cow<'static, str> {
    Cow::Borrowed("/v1/messages")
}
