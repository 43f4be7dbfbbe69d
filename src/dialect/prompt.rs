//! What is found in a prompt, whichever format it is in.

use crate::exchange::Needs;
use crate::json::Written;

/// The JSON that an answer is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// An object.
    Object,
    /// JSON of this schema.
    Schema(&'a [u8]),
}

/// What one walk over a prompt finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// What its messages need.
    pub(super) needs: Needs,
    /// Bytes of text, escapes decoded.
    pub(super) text: u64,
    /// Images, sounds and files.
    pub(super) media: u64,
    /// Messages.
    pub(super) turns: u64,
}

/// A piece of a prompt's text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'a> {
    /// A string.
    Text(Written<'a>),
    /// JSON as it stands.
    Json(&'a [u8]),
}

/// Where the pieces of a prompt's text go.
pub(super) type Pieces<'s> = dyn FnMut(Piece<'_>) + 's;
