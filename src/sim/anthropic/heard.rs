//! What is understood of a request for a message.

use serde_json::Value;

use crate::sim::heard::{Format, Heard, Part, Went, Who, items, text};

/// Hears a request.
pub(crate) fn heard(body: &Value) -> Heard {
    let mut heard = Heard::default();
    heard.system = match body.get("system") {
        Some(Value::String(one)) if !one.is_empty() => vec![one.clone()],
        _ => items(body, "system")
            .iter()
            .map(|block| text(block, "text").to_owned())
            .collect(),
    };
    let messages = items(body, "messages");
    for message in messages {
        let who = match text(message, "role") {
            "assistant" => Who::Assistant,
            _ => Who::User,
        };
        if let Some(Value::String(one)) = message.get("content") {
            heard.say(who, Part::Text(one.clone()));
        }
        let blocks = items(message, "content").iter();
        for part in blocks.filter_map(|block| part(block, messages)) {
            heard.say(who, part);
        }
    }
    let tools = items(body, "tools").iter();
    heard.tools = tools.map(|tool| text(tool, "name").to_owned()).collect();
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    let named = choice.get("name").and_then(Value::as_str);
    heard.may_call(named.or(choice.get("type").and_then(Value::as_str)));
    if body.pointer("/output_config/format").is_some() || body.get("output_format").is_some() {
        heard.format = Format::Schema;
    }
    let stop = items(body, "stop_sequences").iter();
    heard.stop = stop
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect();
    heard
}

/// A block; `None` for reasoning.
fn part(block: &Value, messages: &[Value]) -> Option<Part> {
    Some(match text(block, "type") {
        "thinking" | "redacted_thinking" => return None,
        "image" | "document" => source(block.get("source").unwrap_or(&Value::Null)),
        "tool_use" => {
            let input = block.get("input").unwrap_or(&Value::Null);
            Part::call(text(block, "name"), &input.to_string())
        }
        "tool_result" => result(block, messages),
        _ => Part::Text(text(block, "text").to_owned()),
    })
}

fn source(source: &Value) -> Part {
    match text(source, "type") {
        "base64" => Part::inline(text(source, "media_type"), text(source, "data")),
        "text" => Part::Text(text(source, "data").to_owned()),
        "file" => Part::Linked(text(source, "file_id").to_owned()),
        _ => Part::Linked(text(source, "url").to_owned()),
    }
}

fn result(block: &Value, messages: &[Value]) -> Part {
    let id = text(block, "tool_use_id");
    let mut blocks = messages
        .iter()
        .flat_map(|message| items(message, "content"));
    let call = blocks.rfind(|block| text(block, "type") == "tool_use" && text(block, "id") == id);
    let name = call.map_or("", |call| text(call, "name"));
    let went = match block.get("is_error") {
        Some(Value::Bool(true)) => Went::Wrong,
        _ => Went::Well,
    };
    let (mut texts, mut more) = (Vec::new(), Vec::new());
    if let Some(Value::String(one)) = block.get("content") {
        texts.push(one.clone());
    }
    for inner in items(block, "content") {
        match part(inner, &[]) {
            Some(Part::Text(text)) => texts.push(text),
            Some(part) => more.push(part),
            None => {}
        }
    }
    Part::result(name, &texts.join("\n\n"), went, more)
}
