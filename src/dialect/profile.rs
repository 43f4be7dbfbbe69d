//! How a provider differs from the format that it speaks: at the edges, by a table and not by code.

use std::borrow::Cow;

/// How a provider differs from its format. The default does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name in config and docs; empty for none.
    pub name: Cow<'static, str>,
}

impl Profile {
    /// No difference.
    pub const PLAIN: Self = Self {
        name: Cow::Borrowed(""),
    };
}
