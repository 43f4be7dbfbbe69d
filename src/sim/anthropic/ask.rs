//! A request for a message, read as strictly as the API reads it: what it would answer with a 400
//! is refused here too, so that a wrong translation is seen.

use serde_json::{Map, Value};

use crate::sim::anthropic::error::extra;
use crate::sim::anthropic::{blocks, knobs, order, tools};
use crate::sim::asked::{Asked, Delivery, Refused};
use crate::sim::head::Head;
use crate::sim::heard::{items, text};
use crate::sim::script::is_canary;

/// The versions that are known (`anthropic-version`).
const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

/// The fields of a request.
const FIELDS: [&str; 25] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "stream",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "service_tier",
    "speed",
    "cache_control",
    "container",
    "context_management",
    "mcp_servers",
    "diagnostics",
    "inference_geo",
    "fallbacks",
    "user_profile_id",
];

/// Those that a count of tokens does not take.
const NOT_COUNTED: [&str; 8] = [
    "max_tokens",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "metadata",
    "service_tier",
];

/// Reads a request for a message.
pub(crate) fn asked(head: &Head, body: &[u8]) -> Result<Asked, Refused> {
    let body = checked(head, body)?;
    for name in ["model", "max_tokens", "messages"] {
        if !body.contains_key(name) {
            return Err(Refused::request(format!("{name}: Field required")));
        }
    }
    knobs::check(&body, &version(head))?;
    conversation(&body)?;
    let body = Value::Object(body);
    let stream = body.get("stream").and_then(Value::as_bool);
    let named = body.pointer("/tool_choice/name").and_then(Value::as_str);
    let offered = items(&body, "tools").first().map(|tool| text(tool, "name"));
    let user = body.pointer("/metadata/user_id").and_then(Value::as_str);
    let canary = user.and_then(|user| user.strip_prefix("canary:"));
    let stop = items(&body, "stop_sequences").first();
    Ok(Asked {
        model: text(&body, "model").to_owned(),
        delivery: match stream {
            Some(true) => Delivery::StreamWithUsage,
            _ => Delivery::Whole,
        },
        choices: 1,
        tool: named.or(offered).map(str::to_owned),
        stop: stop.and_then(Value::as_str).map(str::to_owned),
        canary: canary.filter(|canary| is_canary(canary)).map(str::to_owned),
    })
}

/// Reads a request for a count of tokens; gives the model.
pub(crate) fn counted(head: &Head, body: &[u8]) -> Result<String, Refused> {
    let body = checked(head, body)?;
    if let Some(name) = NOT_COUNTED
        .into_iter()
        .find(|name| body.contains_key(*name))
    {
        return Err(extra(name));
    }
    conversation(&body)?;
    let model = body.get("model").and_then(Value::as_str);
    model
        .map(str::to_owned)
        .ok_or_else(|| Refused::request("model: Field required"))
}

fn version(head: &Head) -> String {
    head.field("anthropic-version")
        .unwrap_or_default()
        .into_owned()
}

/// Checks the headers and the top level.
fn checked(head: &Head, body: &[u8]) -> Result<Map<String, Value>, Refused> {
    if head.field("x-api-key").is_none() && head.field("authorization").is_none() {
        return Err(Refused::status(401, "x-api-key header is required"));
    }
    let version = version(head);
    if version.is_empty() {
        return Err(Refused::request("anthropic-version: header is required"));
    }
    if !VERSIONS.contains(&version.as_str()) {
        return Err(Refused::request(format!(
            "anthropic-version: \"{version}\" is not a valid version"
        )));
    }
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        Refused::request(format!("The request body is not valid JSON: {error}"))
    })?;
    match body.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        Some(unknown) => Err(extra(unknown)),
        None => Ok(body),
    }
}

/// Checks who says what, and with which tools.
fn conversation(body: &Map<String, Value>) -> Result<(), Refused> {
    match body.get("system") {
        None | Some(Value::String(_)) => {}
        Some(Value::Array(list)) => {
            for (index, block) in list.iter().enumerate() {
                blocks::system(block, &format!("system.{index}"))?;
            }
        }
        Some(_) => return Err(Refused::request("system: Input should be a valid list")),
    }
    let Some(Value::Array(messages)) = body.get("messages") else {
        return Err(Refused::request("messages: Input should be a valid list"));
    };
    let model = body.get("model").and_then(Value::as_str);
    let model = knobs::Generation::of(model.unwrap_or_default());
    for (index, message) in messages.iter().enumerate() {
        blocks::message(message, index)?;
    }
    order::check(messages, model)?;
    tools::check(body, messages)
}
