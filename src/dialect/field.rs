//! Checks of a request's top-level fields, whichever format they are of. Each error names the field
//! and the rule, and never the value: it may be a secret in the wrong place.

use std::ops::RangeInclusive;

use crate::exchange::{Fault, FaultKind};
use crate::json::Fields;

/// Longer than any model's name, short enough for a log line.
const MAX_MODEL: usize = 256;

/// The index of a request's body, without names that only look like known ones.
pub(super) fn index(body: &[u8], known: &[&'static str]) -> Result<Fields, Fault> {
    let fields = Fields::index(body)
        .map_err(|invalid| bad(format!("The body is not a valid JSON object: {invalid}.")))?;
    refuse_lookalikes(&fields, known)?;
    Ok(fields)
}

/// Refuses names that only look like known ones.
///
/// Some servers match names without regard to case (Go's `encoding/json`, and with it Ollama) and
/// obey the last match: `"Model"` after `"model"` would be a model that nobody here has seen.
pub(super) fn refuse_lookalikes(fields: &Fields, known: &[&'static str]) -> Result<(), Fault> {
    for name in fields.names() {
        let alike = |known: &&&str| **known != name && folded(name).eq(known.chars());
        if let Some(known) = known.iter().find(alike) {
            let name = name.escape_debug();
            let message = format!("Unknown parameter: '{name}'. It is spelt '{known}'.");
            return Err(bad(message).param(*known));
        }
    }
    Ok(())
}

/// As `encoding/json` folds it: the two letters beyond ASCII that fold into it are the long s and
/// the Kelvin sign.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    })
}

/// The field's value. One that is `null` counts as absent.
pub(super) fn present<'a>(fields: &Fields, document: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields
        .value(document, name)
        .filter(|value| *value != b"null")
}

/// The name of a model.
pub(super) fn model(value: Option<&[u8]>) -> Result<String, Fault> {
    let value = value.ok_or_else(|| missing("model"))?;
    if !value.starts_with(b"\"") {
        return Err(wrong_type("model", "a string", value));
    }
    let model: String = serde_json::from_slice(value)
        .map_err(|_| wrong("model", "must be text: half a surrogate pair is none"))?;
    if model.is_empty() {
        return Err(wrong("model", "must not be empty"));
    }
    if model.len() > MAX_MODEL {
        let rule = format!("must have at most {MAX_MODEL} bytes");
        return Err(wrong("model", rule));
    }
    if model.contains(char::is_control) {
        return Err(wrong("model", "must not contain control characters"));
    }
    Ok(model)
}

/// A list that must have an element, of this name; what is in it is between the client and the
/// provider.
pub(super) fn check_list(
    param: &'static str,
    value: Option<&[u8]>,
    element: &str,
) -> Result<(), Fault> {
    let value = value.ok_or_else(|| missing(param))?;
    let Some(items) = value.strip_prefix(b"[") else {
        return Err(wrong_type(param, "an array", value));
    };
    if items.trim_ascii_start().starts_with(b"]") {
        let rule = format!("must contain at least one {element}");
        return Err(wrong(param, rule));
    }
    Ok(())
}

/// A boolean.
pub(super) fn flag(param: &'static str, value: Option<&[u8]>) -> Result<Option<bool>, Fault> {
    match value {
        None => Ok(None),
        Some(b"true") => Ok(Some(true)),
        Some(b"false") => Ok(Some(false)),
        Some(value) => Err(wrong_type(param, "a boolean", value)),
    }
}

/// An integer within these bounds.
pub(super) fn integer(
    param: &'static str,
    value: Option<&[u8]>,
    bounds: RangeInclusive<u64>,
) -> Result<Option<u64>, Fault> {
    let Some(value) = value else {
        return Ok(None);
    };
    if !value.starts_with(b"-") && !value.first().is_some_and(u8::is_ascii_digit) {
        return Err(wrong_type(param, "an integer", value));
    }
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|digits| digits.parse().ok());
    match number {
        Some(number) if bounds.contains(&number) => Ok(Some(number)),
        _ => {
            let (least, most) = bounds.into_inner();
            let rule = format!("must be an integer from {least} to {most}");
            Err(wrong(param, rule))
        }
    }
}

fn bad(message: String) -> Fault {
    Fault::new(FaultKind::BadRequest, message)
}

/// The field is not there.
pub(super) fn missing(param: &'static str) -> Fault {
    bad(format!("Missing required parameter: '{param}'.")).param(param)
}

/// The value breaks a rule.
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
