//! What is checked of all bytes at once, wherever in the document they stand.

use super::{Invalid, Rule};

/// What one pass over all bytes tells.
pub(super) struct Census {
    ascii: bool,
    pub(super) controls: Controls,
}

impl Census {
    /// Looks at each byte alone and leaves no loop early, so that the compiler takes many at once:
    /// the pass costs a twentieth of the walk that follows.
    pub(super) fn of(document: &[u8]) -> Self {
        let (all, least) = document.iter().fold((0, u8::MAX), |(all, least), &byte| {
            (all | byte, least.min(byte))
        });
        Self {
            ascii: all.is_ascii(),
            controls: if is_control(least) {
                Controls::Somewhere
            } else {
                Controls::Nowhere
            },
        }
    }

    /// Fails at the first byte that is not UTF-8.
    pub(super) fn check_utf8(&self, document: &[u8]) -> Result<(), Invalid> {
        if self.ascii {
            return Ok(());
        }
        match std::str::from_utf8(document) {
            Ok(_) => Ok(()),
            Err(error) => Err(Invalid {
                offset: error.valid_up_to(),
                rule: Rule::Utf8,
            }),
        }
    }
}

fn is_control(byte: u8) -> bool {
    byte < b' '
}

/// Whether strings must be searched for control bytes one by one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Controls {
    /// The document has none at all, as most that are written without indentation.
    Nowhere,
    Somewhere,
}
