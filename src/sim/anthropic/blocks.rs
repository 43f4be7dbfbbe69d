//! The blocks of a message: their fields, and where each may stand.

use serde_json::Value;

use crate::sim::anthropic::error::extra;
use crate::sim::asked::Refused;
use crate::sim::heard::{items, text};
use crate::sim::picture;

/// Who may say a block, and its fields beside `type` and `cache_control`.
const BLOCKS: [(&str, &[&str], &[&str]); 7] = [
    (
        "text",
        &["user", "assistant", "system"],
        &["text", "citations"],
    ),
    ("image", &["user"], &["source"]),
    (
        "document",
        &["user"],
        &["source", "title", "context", "citations"],
    ),
    (
        "tool_use",
        &["assistant"],
        &["id", "name", "input", "caller"],
    ),
    (
        "tool_result",
        &["user"],
        &["tool_use_id", "content", "is_error"],
    ),
    ("thinking", &["assistant"], &["thinking", "signature"]),
    ("redacted_thinking", &["assistant"], &["data"]),
];

/// Blocks of the provider's own tools, which are not looked into.
const OTHERS: [&str; 10] = [
    "search_result",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "mcp_tool_use",
    "mcp_tool_result",
    "container_upload",
    "fallback",
    "compaction",
];

/// Checks a message.
pub(super) fn message(message: &Value, index: usize) -> Result<(), Refused> {
    let place = format!("messages.{index}");
    let role = text(message, "role");
    // Instructions in the middle are taken by some models.
    let may_speak = matches!(role, "user" | "assistant") || (role == "system" && index > 0);
    if !may_speak {
        return Err(Refused::request(format!(
            "{place}.role: Input should be 'user' or 'assistant'"
        )));
    }
    let fields = message.as_object().into_iter().flatten();
    if let Some((unknown, _)) = fields
        .into_iter()
        .find(|(key, _)| !matches!(key.as_str(), "role" | "content"))
    {
        return Err(extra(&format!("{place}.{unknown}")));
    }
    match message.get("content") {
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        Some(Value::Array(blocks)) if !blocks.is_empty() => {
            for (at, inner) in blocks.iter().enumerate() {
                block(inner, role, &format!("{place}.content.{at}"))?;
            }
            Ok(())
        }
        Some(Value::String(_) | Value::Array(_)) => Err(Refused::request(format!(
            "{place}: all messages must have non-empty content except for the optional final \
             assistant message"
        ))),
        Some(_) => Err(Refused::request(format!(
            "{place}.content: Input should be a valid list"
        ))),
        None => Err(Refused::request(format!("{place}.content: Field required"))),
    }
}

/// Checks a block of the instructions.
pub(super) fn system(inner: &Value, place: &str) -> Result<(), Refused> {
    if text(inner, "type") != "text" {
        return Err(Refused::request(format!(
            "{place}.type: Input should be 'text'"
        )));
    }
    block(inner, "system", place)
}

fn block(block: &Value, role: &str, place: &str) -> Result<(), Refused> {
    let kind = text(block, "type");
    if OTHERS.contains(&kind) {
        return Ok(());
    }
    let Some((_, roles, fields)) = BLOCKS.iter().find(|(name, _, _)| *name == kind) else {
        return Err(Refused::request(format!(
            "{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        )));
    };
    if !roles.contains(&role) {
        return Err(Refused::request(format!(
            "{place}: `{kind}` blocks are not allowed in `{role}` messages"
        )));
    }
    let known = |key: &String| {
        matches!(key.as_str(), "type" | "cache_control") || fields.contains(&key.as_str())
    };
    let mut keys = block.as_object().into_iter().flatten().map(|(key, _)| key);
    if let Some(unknown) = keys.find(|key| !known(key)) {
        return Err(extra(&format!("{place}.{kind}.{unknown}")));
    }
    match kind {
        "text" => text_block(block, place),
        "image" | "document" => source(block, kind, place),
        "tool_use" => tool_use(block, place),
        "tool_result" => tool_result(block, place),
        "thinking" => string(block, "thinking", place).and(string(block, "signature", place)),
        _ => string(block, "data", place),
    }
}

fn string(block: &Value, field: &str, place: &str) -> Result<(), Refused> {
    let kind = text(block, "type");
    match block.get(field) {
        Some(Value::String(_)) => Ok(()),
        Some(_) => Err(Refused::request(format!(
            "{place}.{kind}.{field}: Input should be a valid string"
        ))),
        None => Err(Refused::request(format!(
            "{place}.{kind}.{field}: Field required"
        ))),
    }
}

fn text_block(block: &Value, place: &str) -> Result<(), Refused> {
    string(block, "text", place)?;
    if text(block, "text").is_empty() {
        return Err(Refused::request(format!(
            "{}: text content blocks must be non-empty",
            place.split('.').next().unwrap_or(place)
        )));
    }
    if text(block, "text").trim().is_empty() {
        return Err(Refused::request(
            "messages: text content blocks must contain non-whitespace text",
        ));
    }
    Ok(())
}

fn source(block: &Value, kind: &str, place: &str) -> Result<(), Refused> {
    let source = block.get("source").unwrap_or(&Value::Null);
    let place = format!("{place}.{kind}.source");
    let media_type = text(source, "media_type");
    let wrong = |what: &str| Err(Refused::request(format!("{place}.{what}")));
    let data = text(source, "data");
    match (kind, text(source, "type")) {
        ("image", "base64") => {
            if !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&media_type) {
                return wrong(
                    "base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or \
                     'image/webp'",
                );
            }
            match picture::media_type(data) {
                None => wrong("base64.data: Could not process image"),
                Some(seen) if seen != media_type => wrong(&format!(
                    "base64: The image was specified using the {media_type} media type, but the \
                     image appears to be a {seen} image"
                )),
                Some(_) => Ok(()),
            }
        }
        ("document", "base64") if media_type != "application/pdf" => {
            wrong("base64.media_type: Input should be 'application/pdf'")
        }
        ("document", "text") if media_type != "text/plain" => {
            wrong("text.media_type: Input should be 'text/plain'")
        }
        ("document", "base64" | "text") if data.is_empty() => wrong("data: Field required"),
        (_, "url") if !text(source, "url").starts_with("https://") => {
            wrong("url.url: Only HTTPS URLs are supported.")
        }
        (_, "url" | "file") | ("document", "base64" | "text" | "content") => Ok(()),
        _ => wrong("type: Input tag does not match any of the expected tags"),
    }
}

/// Whether an id or a name has the letters that are allowed: `^[a-zA-Z0-9_-]+$`.
pub(super) fn is_plain(name: &str, longest: usize) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=longest).contains(&name.len()) && name.bytes().all(letter)
}

fn tool_use(block: &Value, place: &str) -> Result<(), Refused> {
    string(block, "id", place)?;
    string(block, "name", place)?;
    if !is_plain(text(block, "id"), usize::MAX) {
        return Err(Refused::request(format!(
            "{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        )));
    }
    if !is_plain(text(block, "name"), 64) {
        return Err(Refused::request(format!(
            "{place}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        )));
    }
    match block.get("input") {
        Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(Refused::request(format!(
            "{place}.tool_use.input: Input should be a valid dictionary"
        ))),
        None => Err(Refused::request(format!(
            "{place}.tool_use.input: Field required"
        ))),
    }
}

fn tool_result(result: &Value, place: &str) -> Result<(), Refused> {
    string(result, "tool_use_id", place)?;
    match result.get("content") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(_)) => {
            for (at, inner) in items(result, "content").iter().enumerate() {
                if !["text", "image", "document", "search_result"].contains(&text(inner, "type")) {
                    return Err(Refused::request(format!(
                        "{place}.tool_result.content.{at}.type: Input tag does not match any of \
                         the expected tags"
                    )));
                }
                block(inner, "user", &format!("{place}.tool_result.content.{at}"))?;
            }
            Ok(())
        }
        Some(_) => Err(Refused::request(format!(
            "{place}.tool_result.content: Input should be a valid list"
        ))),
    }
}
