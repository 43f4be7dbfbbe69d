//! A piece of an answer on its way to a block of its own.

use super::nesting::Nesting;

/// A piece of the answer that waits for its turn, or takes it at once.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Thinking { text: String, seal: String },
    Call(Call),
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) key: u32,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) nesting: Nesting,
}

impl Piece {
    /// Whether all is there that its block begins with.
    pub(super) fn may_begin(&self) -> bool {
        match self {
            Self::Text(_) | Self::Thinking { .. } => true,
            // An id that has not come with a whole call will not come.
            Self::Call(call) => {
                !call.name.is_empty() && (!call.id.is_empty() || call.nesting.is_whole())
            }
        }
    }

    /// The bytes that it holds.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Thinking { text, seal } => text.len() + seal.len(),
            Self::Call(call) => call.id.len() + call.name.len() + call.arguments.len(),
        }
    }
}

impl Call {
    pub(super) fn new(key: u32) -> Self {
        Self {
            key,
            id: String::new(),
            name: String::new(),
            arguments: String::new(),
            nesting: Nesting::default(),
        }
    }

    /// Takes the next piece. Some servers repeat id and name on every one, and some send them late.
    pub(super) fn take(&mut self, id: &str, name: &str, arguments: &str) {
        if self.id.is_empty() {
            self.id.push_str(id);
        }
        if self.name.is_empty() {
            self.name.push_str(name);
        }
        self.arguments.push_str(arguments);
        self.nesting.push(arguments);
    }
}
