//! The tools of a request, and which of them must be called.

use serde_json::{Map, Value};

use crate::sim::anthropic::blocks::is_plain;
use crate::sim::anthropic::error::extra;
use crate::sim::asked::Refused;
use crate::sim::heard::{items, text};

/// The fields of a tool of the client's own.
const FIELDS: [&str; 8] = [
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
    "type",
    "eager_input_streaming",
    "defer_loading",
];

/// Checks tools and choice, and that a history with calls has tools.
pub(super) fn check(body: &Map<String, Value>, messages: &[Value]) -> Result<(), Refused> {
    let tools = match body.get("tools") {
        None => &[][..],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(_) => return Err(Refused::request("tools: Input should be a valid list")),
    };
    let mut names: Vec<&str> = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        check_tool(tool, index)?;
        let name = text(tool, "name");
        if names.contains(&name) {
            return Err(Refused::request("tools: Tool names must be unique."));
        }
        names.push(name);
    }
    if tools.is_empty() && has_calls(messages) {
        return Err(Refused::request(
            "Requests which include `tool_use` or `tool_result` blocks must define tools",
        ));
    }
    match body.get("tool_choice") {
        None => Ok(()),
        Some(choice) => check_choice(choice, &names),
    }
}

fn has_calls(messages: &[Value]) -> bool {
    let mut blocks = messages
        .iter()
        .flat_map(|message| items(message, "content"));
    blocks.any(|block| matches!(text(block, "type"), "tool_use" | "tool_result"))
}

fn check_tool(tool: &Value, index: usize) -> Result<(), Refused> {
    let place = format!("tools.{index}");
    let kind = text(tool, "type");
    if !matches!(kind, "" | "custom") {
        // A tool of the provider's own has a date in its type.
        let dated = kind.rsplit('_').next().is_some_and(|date| {
            date.len() == 8 && date.bytes().all(|digit| digit.is_ascii_digit())
        });
        return dated.then_some(()).ok_or_else(|| {
            Refused::request(format!(
                "{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            ))
        });
    }
    let mut keys = tool.as_object().into_iter().flatten().map(|(key, _)| key);
    if let Some(unknown) = keys.find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(extra(&format!("{place}.custom.{unknown}")));
    }
    if !is_plain(text(tool, "name"), 64) {
        return Err(Refused::request(format!(
            "{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        )));
    }
    if tool
        .get("description")
        .is_some_and(|text| !text.is_string())
    {
        return Err(Refused::request(format!(
            "{place}.custom.description: Input should be a valid string"
        )));
    }
    let Some(schema) = tool.get("input_schema") else {
        return Err(Refused::request(format!(
            "{place}.custom.input_schema: Field required"
        )));
    };
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => Ok(()),
        Some(_) => Err(Refused::request(format!(
            "{place}.custom.input_schema.type: Input should be 'object'"
        ))),
        None => Err(Refused::request(format!(
            "{place}.custom.input_schema.type: Field required"
        ))),
    }
}

fn check_choice(choice: &Value, names: &[&str]) -> Result<(), Refused> {
    let kind = text(choice, "type");
    let fields: &[&str] = match kind {
        "auto" | "any" => &["type", "disable_parallel_tool_use"],
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        "none" => &["type"],
        _ => {
            return Err(Refused::request(format!(
                "tool_choice: Input tag '{kind}' found using 'type' does not match any of the \
                 expected tags: 'auto', 'any', 'tool', 'none'"
            )));
        }
    };
    let mut keys = choice.as_object().into_iter().flatten().map(|(key, _)| key);
    if let Some(unknown) = keys.find(|key| !fields.contains(&key.as_str())) {
        return Err(extra(&format!("tool_choice.{kind}.{unknown}")));
    }
    if names.is_empty() {
        return Err(Refused::request(
            "tool_choice: tool_choice may only be specified while providing tools",
        ));
    }
    if kind == "tool" && !names.contains(&text(choice, "name")) {
        return Err(Refused::request(format!(
            "tool_choice: Tool '{}' not found in provided tools",
            text(choice, "name")
        )));
    }
    Ok(())
}
