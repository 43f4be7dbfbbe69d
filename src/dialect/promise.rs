//! What a client's code relies on an answer to be, in words that no wire format owns.

use crate::json::Top;

/// What an answer must be for the client's code to go on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// What its text must be.
    pub text: PromisedText,
    /// The tools that it may call; `None` where the request does not tell all of them in a form
    /// that we know.
    pub tools: Option<Vec<Offered>>,
}

/// What the text of an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromisedText {
    /// Anything.
    #[default]
    Plain,
    /// A JSON document.
    Json(Top),
}

/// A tool that was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// What it is called with.
    pub input: ToolInput,
}

/// What a tool is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolInput {
    /// A JSON document, or nothing.
    Json,
    /// Any text.
    Text,
}
