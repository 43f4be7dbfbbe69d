//! What can be wrong with a script's text, said so that it can be put right.

/// Every key, for the suggestion after a slip of the pen.
pub(super) const KEYS: [&str; 52] = [
    "status",
    "retry_after",
    "header",
    "type",
    "interim",
    "error_type",
    "error_code",
    "error_message",
    "body",
    "raw",
    "unread",
    "head_after",
    "first_after",
    "delay",
    "ping",
    "tokens",
    "token_bytes",
    "event_bytes",
    "tools",
    "text",
    "refusal",
    "echo",
    "thinking",
    "canary",
    "role",
    "finish",
    "no_finish",
    "usage",
    "prompt",
    "cached",
    "cache_write",
    "no_done",
    "done_twice",
    "crlf",
    "chunks",
    "drip",
    "encoding",
    "content_length",
    "until_close",
    "whole",
    "empty",
    "close_after",
    "stray",
    "hang",
    "cut",
    "reset",
    "stall",
    "garbage",
    "error",
    "malformed",
    "goaway",
    "refuse",
];

/// What is wrong with a script's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No such key.
    #[error("{key:?} is not a key{}", suggestion(key))]
    Unknown {
        /// As written.
        key: String,
    },
    /// A key that needs a value has none.
    #[error("{key} needs a value: {key}={expected}")]
    Missing {
        /// The key.
        key: String,
        /// What its value looks like.
        expected: &'static str,
    },
    /// A value of the wrong kind, or past its bounds.
    #[error("{key}={value}: expected {expected}")]
    Value {
        /// The key.
        key: String,
        /// As written.
        value: String,
        /// What its value looks like.
        expected: &'static str,
    },
    /// A key that takes no value has one.
    #[error("{key} takes no value")]
    Flag {
        /// The key.
        key: String,
    },
    /// A share that is none.
    #[error("{share}%: a share is 1% to 100%")]
    Share {
        /// As written.
        share: String,
    },
    /// A key stands there twice.
    #[error("{key} is given twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// A quoted value that does not end, or with an unknown escape, or with text after it.
    #[error("{key}: a quoted value ends with \" and knows \\\" \\\\ \\n \\r \\t \\xNN")]
    Quote {
        /// The key.
        key: String,
    },
    /// A fault stands where it cannot happen.
    #[error("{fault}: {rule}")]
    Place {
        /// As written.
        fault: String,
        /// What would be right.
        rule: &'static str,
    },
    /// Two keys that exclude each other, or too many of a kind.
    #[error("{0}")]
    Together(&'static str),
}

fn suggestion(key: &str) -> String {
    let name = key.split_once('@').map_or(key, |(name, _)| name);
    let near = KEYS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min();
    match near {
        Some((distance, known)) if distance <= 2 => format!(", did you mean {known:?}?"),
        _ => String::new(),
    }
}
