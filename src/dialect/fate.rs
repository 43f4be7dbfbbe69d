//! What becomes of each parameter on its way to another format: one table.

use std::borrow::Cow;

use crate::exchange::{Dialect, Request};

/// The parameters of a request that a provider of another format does not hear of, by the client's
/// names for them.
pub(super) fn dropped(_request: &Request, _provider: Dialect) -> Vec<Cow<'static, str>> {
    Vec::new()
}
