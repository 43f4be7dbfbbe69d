//! The top-level fields of a JSON object, found and spliced as bytes: never a tree.

/// Where each top-level field of an object lies in its document.
#[derive(Clone, Debug, Default)]
pub struct Fields {}
