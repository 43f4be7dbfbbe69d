//! What a client reads out of an answer: words, errors, the end mark.

use serde_json::Value;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A piece of the text.
    Word(String),
    /// An error, by its code.
    Error(String),
    /// The end mark.
    Done,
    /// An event without words: the role, the finish reason.
    Other,
}

impl Heard {
    /// Reads an event's data.
    pub(super) fn parse(data: &str) -> Self {
        if data == "[DONE]" {
            return Self::Done;
        }
        let event = json(data.as_bytes());
        if event.get("error").is_some() {
            return Self::Error(text(&event, "/error/code"));
        }
        match text(&event, "/choices/0/delta/content") {
            word if word.is_empty() => Self::Other,
            word => Self::Word(word),
        }
    }
}

/// A document. What is no JSON is null, and fails a step by what it lacks.
pub(super) fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// The text at a JSON pointer (RFC 6901), or none.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
