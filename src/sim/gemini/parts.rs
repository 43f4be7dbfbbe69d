//! The parts of a content: their fields, each exactly one thing.

use serde_json::Value;

use crate::sim::asked::Refused;
use crate::sim::gemini::error::unknown_name;
use crate::sim::heard::items;
use crate::sim::picture;

/// What a part may be, and the fields inside.
const THINGS: [(&str, &[&str]); 9] = [
    ("text", &[]),
    ("inlineData", &["mimeType", "data", "displayName"]),
    ("fileData", &["fileUri", "mimeType", "displayName"]),
    ("functionCall", &["id", "name", "args"]),
    (
        "functionResponse",
        &[
            "id",
            "name",
            "response",
            "parts",
            "willContinue",
            "scheduling",
        ],
    ),
    ("executableCode", &["language", "code"]),
    ("codeExecutionResult", &["outcome", "output"]),
    ("toolCall", &[]),
    ("toolResponse", &[]),
];

/// What may stand beside it.
const BESIDE: [&str; 4] = [
    "thought",
    "thoughtSignature",
    "videoMetadata",
    "mediaResolution",
];

/// A field's name in camelCase.
pub(super) fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

/// A field by either of its names; `Null` if it has none.
pub(super) fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> &'a Value {
    value
        .get(camel)
        .or_else(|| value.get(snake))
        .unwrap_or(&Value::Null)
}

/// The keys of an object.
pub(super) fn keys(value: &Value) -> impl Iterator<Item = &String> {
    value.as_object().into_iter().flatten().map(|(key, _)| key)
}

/// Checks a content.
pub(super) fn content(content: &Value, place: &str) -> Result<(), Refused> {
    if let Some(unknown) = keys(content).find(|key| !["role", "parts"].contains(&key.as_str())) {
        return Err(unknown_name(unknown, place));
    }
    if items(content, "parts").is_empty() {
        return Err(Refused::request(format!(
            "* GenerateContentRequest.{place}.parts: contents.parts must not be empty."
        )));
    }
    for (index, one) in items(content, "parts").iter().enumerate() {
        part(one, &format!("{place}.parts[{index}]"))?;
    }
    Ok(())
}

fn part(part: &Value, place: &str) -> Result<(), Refused> {
    let mut thing = None;
    for key in keys(part) {
        let name = camel(key);
        if let Some(known) = THINGS.iter().find(|(known, _)| *known == name) {
            if thing.is_some() {
                return Err(Refused::request(format!(
                    "Invalid value at '{place}' (oneof), oneof field 'data' is already set. Cannot set '{key}'"
                )));
            }
            thing = part.get(key).map(|value| (known, value));
        } else if !BESIDE.contains(&name.as_str()) {
            return Err(unknown_name(key, place));
        }
    }
    let Some(((name, fields), value)) = thing else {
        return Err(Refused::request(format!(
            "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field"
        )));
    };
    if let ("text", false) = (*name, value.is_string()) {
        return Err(Refused::request(format!(
            "Invalid value at '{place}.text' (TYPE_STRING)"
        )));
    }
    if !fields.is_empty()
        && let Some(unknown) = keys(value).find(|key| !fields.contains(&camel(key).as_str()))
    {
        return Err(unknown_name(unknown, &format!("{place}.{name}")));
    }
    match *name {
        "functionCall" => function(value, "args", place),
        "functionResponse" => function(value, "response", place),
        "inlineData" => inline(value, place),
        _ => Ok(()),
    }
}

/// A call or a response: a name, and an object.
fn function(value: &Value, object: &str, place: &str) -> Result<(), Refused> {
    let name = value
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if name.is_empty() {
        return Err(Refused::request(format!(
            "* GenerateContentRequest.{place}: Name cannot be empty."
        )));
    }
    match value.get(object) {
        Some(Value::Object(_)) => Ok(()),
        None if object == "args" => Ok(()),
        _ => Err(Refused::request(format!(
            "Invalid value at '{place}.{object}' (type.googleapis.com/google.protobuf.Struct)"
        ))),
    }
}

fn inline(value: &Value, place: &str) -> Result<(), Refused> {
    let media_type = either(value, "mimeType", "mime_type")
        .as_str()
        .unwrap_or_default();
    let data = value
        .get("data")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if media_type.is_empty() || data.is_empty() {
        return Err(Refused::request(format!(
            "* GenerateContentRequest.{place}.inline_data: mime_type and data are required"
        )));
    }
    if media_type.starts_with("image/") && picture::media_type(data).is_none() {
        return Err(Refused::request("Unable to process input image."));
    }
    Ok(())
}
