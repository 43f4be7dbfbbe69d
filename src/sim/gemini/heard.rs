//! What is understood of a request for content.

use serde_json::Value;

use crate::sim::gemini::parts::either;
use crate::sim::heard::{Format, Heard, Part, Went, Who, items, text};

/// Hears a request, its fields in `camelCase` or `snake_case`.
pub(crate) fn heard(body: &Value) -> Heard {
    let mut heard = Heard::default();
    let system = either(body, "systemInstruction", "system_instruction");
    let texts = items(system, "parts").iter().map(|part| text(part, "text"));
    heard.system = texts
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect();
    for content in items(body, "contents") {
        let who = match text(content, "role") {
            "model" => Who::Assistant,
            _ => Who::User,
        };
        for part in items(content, "parts").iter().filter_map(part) {
            heard.say(who, part);
        }
    }
    for tool in items(body, "tools") {
        let list = either(tool, "functionDeclarations", "function_declarations");
        let functions = list.as_array().into_iter().flatten();
        let names = functions.map(|function| text(function, "name").to_owned());
        heard.tools.extend(names);
    }
    choice(body, &mut heard);
    let config = either(body, "generationConfig", "generation_config");
    heard.format = match text(config, "responseMimeType") {
        "application/json" => {
            let schemas = ["responseSchema", "responseJsonSchema"];
            if schemas.iter().any(|key| config.get(*key).is_some()) {
                Format::Schema
            } else {
                Format::Json
            }
        }
        _ => Format::Text,
    };
    let stop = items(config, "stopSequences").iter();
    heard.stop = stop
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect();
    heard
}

fn choice(body: &Value, heard: &mut Heard) {
    let config = either(body, "toolConfig", "tool_config");
    let config = either(config, "functionCallingConfig", "function_calling_config");
    let allowed = items(config, "allowedFunctionNames");
    let named = allowed
        .first()
        .filter(|_| allowed.len() == 1)
        .and_then(Value::as_str);
    let mode = match text(config, "mode") {
        "ANY" => named.or(Some("any")),
        "NONE" => Some("none"),
        _ => None,
    };
    heard.may_call(mode);
}

/// A part; `None` for reasoning.
fn part(part: &Value) -> Option<Part> {
    if part.get("thought") == Some(&Value::Bool(true)) {
        return None;
    }
    let field = |camel, snake| Some(either(part, camel, snake)).filter(|value| value.is_object());
    if let Some(data) = field("inlineData", "inline_data") {
        let media_type = either(data, "mimeType", "mime_type").as_str();
        return Some(Part::inline(
            media_type.unwrap_or_default(),
            text(data, "data"),
        ));
    }
    if let Some(file) = field("fileData", "file_data") {
        let uri = either(file, "fileUri", "file_uri").as_str();
        return Some(Part::Linked(uri.unwrap_or_default().to_owned()));
    }
    if let Some(call) = field("functionCall", "function_call") {
        let arguments = call.get("args").map(Value::to_string);
        return Some(Part::call(
            text(call, "name"),
            &arguments.unwrap_or_default(),
        ));
    }
    if let Some(result) = field("functionResponse", "function_response") {
        let response = result.get("response").unwrap_or(&Value::Null).to_string();
        let more = items(result, "parts").iter().filter_map(self::part);
        return Some(Part::result(
            text(result, "name"),
            &response,
            Went::Well,
            more.collect(),
        ));
    }
    Some(Part::Text(text(part, "text").to_owned()))
}
