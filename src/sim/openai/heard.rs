//! What is understood of a chat request.

use serde_json::Value;

use crate::sim::heard::{Format, Heard, Part, Went, Who, items, text};

/// Hears a chat request.
pub(crate) fn heard(body: &Value) -> Heard {
    let mut heard = Heard::default();
    let messages = items(body, "messages");
    for message in messages {
        let parts = parts(message.get("content").unwrap_or(&Value::Null));
        match text(message, "role") {
            "system" | "developer" => {
                let texts = parts.into_iter().filter_map(|part| match part {
                    Part::Text(text) if !text.is_empty() => Some(text),
                    _ => None,
                });
                heard.system.extend(texts);
            }
            "tool" => {
                let id = text(message, "tool_call_id");
                heard.say(Who::User, result(called(messages, id), parts));
            }
            role => {
                let who = match role {
                    "assistant" => Who::Assistant,
                    _ => Who::User,
                };
                for part in parts {
                    heard.say(who, part);
                }
                for call in items(message, "tool_calls") {
                    let function = call.get("function").unwrap_or(&Value::Null);
                    let part = Part::call(text(function, "name"), text(function, "arguments"));
                    heard.say(who, part);
                }
            }
        }
    }
    for tool in items(body, "tools") {
        let function = tool.get("function").unwrap_or(&Value::Null);
        heard.tools.push(text(function, "name").to_owned());
    }
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    let named = choice.pointer("/function/name").and_then(Value::as_str);
    heard.may_call(named.or(choice.as_str()));
    let format = body.get("response_format").unwrap_or(&Value::Null);
    heard.format = match text(format, "type") {
        "json_object" => Format::Json,
        "json_schema" => Format::Schema,
        _ => Format::Text,
    };
    heard.stop = match body.get("stop") {
        Some(Value::String(one)) => vec![one.clone()],
        _ => texts(items(body, "stop")),
    };
    heard
}

/// Hears a request to go on with a text.
pub(crate) fn completion_heard(body: &Value) -> Heard {
    let mut heard = Heard::default();
    match body.get("prompt") {
        Some(Value::String(one)) => heard.say(Who::User, Part::Text(one.clone())),
        _ => {
            for prompt in texts(items(body, "prompt")) {
                heard.say(Who::User, Part::Text(prompt));
            }
        }
    }
    heard
}

/// The strings of a list.
fn texts(list: &[Value]) -> Vec<String> {
    let texts = list.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(parts) => parts.iter().map(part).collect(),
        _ => Vec::new(),
    }
}

fn part(part: &Value) -> Part {
    let at = |pointer: &str| part.pointer(pointer).and_then(Value::as_str);
    match text(part, "type") {
        "image_url" => Part::at(at("/image_url/url").unwrap_or_default()),
        "file" => Part::at(at("/file/file_data").unwrap_or_default()),
        "input_audio" => {
            let format = at("/input_audio/format").unwrap_or_default();
            let data = at("/input_audio/data").unwrap_or_default();
            Part::inline(&format!("audio/{format}"), data)
        }
        "refusal" => Part::Text(text(part, "refusal").to_owned()),
        _ => Part::Text(text(part, "text").to_owned()),
    }
}

/// The name of the tool that a call was for.
fn called<'a>(messages: &'a [Value], id: &str) -> &'a str {
    let mut calls = messages
        .iter()
        .flat_map(|message| items(message, "tool_calls"));
    let call = calls.rfind(|call| text(call, "id") == id);
    let name = call.and_then(|call| call.pointer("/function/name"));
    name.and_then(Value::as_str).unwrap_or_default()
}

fn result(name: &str, parts: Vec<Part>) -> Part {
    let texts: Vec<String> = parts
        .into_iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    Part::result(name, &texts.join("\n\n"), Went::Well, Vec::new())
}
