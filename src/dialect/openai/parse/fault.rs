//! What is wrong with a field, in the words of the format. Never quotes the value.

use crate::exchange::{Fault, FaultKind};

pub(super) fn bad(message: String) -> Fault {
    Fault::new(FaultKind::BadRequest, message)
}

pub(super) fn missing(param: &'static str) -> Fault {
    bad(format!("Missing required parameter: '{param}'.")).param(param)
}

pub(super) fn wrong(param: &'static str, rule: impl std::fmt::Display) -> Fault {
    bad(format!("Invalid value for '{param}': {rule}.")).param(param)
}

/// Names what the value is instead, and never the value: it may be a secret in the wrong place.
pub(super) fn wrong_type(param: &'static str, wanted: &str, value: &[u8]) -> Fault {
    let found = match value.first() {
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        Some(b't' | b'f') => "a boolean",
        _ => "a number",
    };
    bad(format!(
        "Invalid type for '{param}': expected {wanted}, but got {found} instead."
    ))
    .param(param)
}
