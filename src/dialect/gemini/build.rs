//! A request for a provider of this format.

use std::borrow::Cow;

use crate::dialect::ask::{Ask, Recipient, Unfit};
use crate::exchange::{Conversation, Need};

/// Writes a conversation.
pub fn translated(_: &Conversation<'_>, _: &Recipient<'_>) -> Result<Ask, Unfit> {
    Err(Unfit::Lacks(Need::Native))
}

/// Where a provider takes requests, below the path of its base URL.
pub fn path(to: &Recipient<'_>) -> Cow<'static, str> {
    Cow::Owned(format!("/models/{}:generateContent", to.model))
}
