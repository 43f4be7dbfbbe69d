//! A request for content, read as strictly as the API reads it: what it would answer with a 400 is
//! refused here too, so that a wrong translation is seen.

use serde_json::{Map, Value};

use crate::sim::asked::{Asked, Delivery, MOST_CHOICES, Refused};
use crate::sim::endpoint::Endpoint;
use crate::sim::gemini::error::unknown_name;
use crate::sim::gemini::parts::{camel, either};
use crate::sim::gemini::{config, order, parts, tools};
use crate::sim::head::Head;
use crate::sim::heard::{items, text};
use crate::sim::script::is_canary;

/// The fields of a request.
const FIELDS: [&str; 11] = [
    "contents",
    "systemInstruction",
    "generationConfig",
    "tools",
    "toolConfig",
    "safetySettings",
    "cachedContent",
    "labels",
    "serviceTier",
    "store",
    "continuationToken",
];

/// Reads a request for content.
pub(crate) fn asked(endpoint: &Endpoint, head: &Head, body: &[u8]) -> Result<Asked, Refused> {
    let delivery = endpoint.delivery.unwrap_or_default();
    let model = endpoint.model.clone().unwrap_or_default();
    let body = checked(head, body)?;
    if delivery != Delivery::Whole && head.query("alt").as_deref() != Some("sse") {
        return Err(Refused::request(
            "This simulator streams with alt=sse alone.",
        ));
    }
    conversation(&body, &model)?;
    let body = Value::Object(body);
    let config = either(&body, "generationConfig", "generation_config");
    let choices = either(config, "candidateCount", "candidate_count").as_u64();
    let choices = u32::try_from(choices.unwrap_or(1)).unwrap_or(MOST_CHOICES);
    let canary = body.pointer("/labels/canary").and_then(Value::as_str);
    let stop = items(config, "stopSequences").first();
    Ok(Asked {
        tool: tool(&body),
        model,
        delivery,
        choices,
        stop: stop.and_then(Value::as_str).map(str::to_owned),
        canary: canary.filter(|canary| is_canary(canary)).map(str::to_owned),
    })
}

/// Reads a request for a count of tokens.
pub(crate) fn counted(head: &Head, body: &[u8]) -> Result<(), Refused> {
    let body: Map<String, Value> = credential(head).and_then(|()| object(body))?;
    // Either the contents alone, or a whole request inside.
    match body
        .keys()
        .find(|key| !["contents", "generateContentRequest"].contains(&key.as_str()))
    {
        Some(unknown) => Err(unknown_name(unknown, "")),
        None => Ok(()),
    }
}

/// The function that must be called, else the first one offered.
fn tool(body: &Value) -> Option<String> {
    let config = either(body, "toolConfig", "tool_config");
    let config = either(config, "functionCallingConfig", "function_calling_config");
    let named = items(config, "allowedFunctionNames")
        .first()
        .and_then(Value::as_str);
    let lists = items(body, "tools").iter();
    let lists = lists.map(|tool| either(tool, "functionDeclarations", "function_declarations"));
    let mut functions = lists.filter_map(Value::as_array).flatten();
    let offered = functions.next().map(|function| text(function, "name"));
    named.or(offered).map(str::to_owned)
}

fn credential(head: &Head) -> Result<(), Refused> {
    let headers = ["x-goog-api-key", "authorization"];
    let given = headers.iter().any(|name| head.field(name).is_some());
    if given || head.query("key").is_some() {
        return Ok(());
    }
    Err(Refused::status(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please \
         use API Key or other form of API consumer identity to call this API.",
    ))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| Refused::request(format!("Invalid JSON payload received. {error}")))
}

/// Checks the credential and the top level.
fn checked(head: &Head, body: &[u8]) -> Result<Map<String, Value>, Refused> {
    credential(head)?;
    let body = object(body)?;
    match body
        .keys()
        .find(|key| !FIELDS.contains(&camel(key).as_str()))
    {
        Some(unknown) => Err(unknown_name(unknown, "")),
        None => Ok(body),
    }
}

fn conversation(body: &Map<String, Value>, model: &str) -> Result<(), Refused> {
    let all = Value::Object(body.clone());
    let contents = items(&all, "contents");
    if contents.is_empty() {
        return Err(Refused::request(
            "* GenerateContentRequest.contents: contents is not specified",
        ));
    }
    for (index, content) in contents.iter().enumerate() {
        parts::content(content, &format!("contents[{index}]"))?;
    }
    let system = either(&all, "systemInstruction", "system_instruction");
    if !system.is_null() {
        parts::content(system, "system_instruction")?;
        let text_alone = items(system, "parts")
            .iter()
            .all(|part| part.get("text").is_some());
        if !text_alone {
            return Err(Refused::request(
                "System instruction should have text parts only.",
            ));
        }
    }
    order::check(contents, model)?;
    tools::check(&all)?;
    config::check(either(&all, "generationConfig", "generation_config"))
}
