//! The order of messages around tool calls, which the provider insists on.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::sim::asked::Refused;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Cow<'a, str>>,
}

/// Checks a list of messages: each call is answered by one `tool` message, before anybody else
/// speaks, and nothing else is.
pub(super) fn check(messages: &str) -> Result<(), Refused> {
    // What are no messages at all has no order.
    let Ok(messages) = serde_json::from_str::<Vec<Message<'_>>>(messages) else {
        return Ok(());
    };
    let mut open: Vec<String> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message.role.as_deref() == Some("tool") {
            result(index, message, &mut open)?;
            continue;
        }
        unanswered(&open)?;
        let calls = message.tool_calls.as_deref().unwrap_or_default();
        for call in calls {
            open.push(id_of(index, call)?);
        }
        let silent = message
            .content
            .is_none_or(|content| content.get() == "null");
        if message.role.as_deref() == Some("assistant") && silent && calls.is_empty() {
            return Err(Refused::request(format!(
                "Invalid value for 'content': expected a string, got null. (messages.[{index}].content)"
            )));
        }
    }
    unanswered(&open)
}

fn result(index: usize, message: &Message<'_>, open: &mut Vec<String>) -> Result<(), Refused> {
    let id = message.tool_call_id.as_deref();
    let asked = open.iter().position(|other| Some(other.as_str()) == id);
    let Some(asked) = asked else {
        return Err(Refused::request(format!(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding \
             message with 'tool_calls'. (messages.[{index}].role)"
        )));
    };
    open.swap_remove(asked);
    let content = message.content.map_or("null", RawValue::get);
    let parts = serde_json::from_str::<Vec<Part<'_>>>(content);
    let text = parts.is_ok_and(|parts| {
        let mut kinds = parts.iter().map(|part| part.kind.as_deref());
        kinds.all(|kind| kind == Some("text"))
    });
    if !content.starts_with('"') && !text {
        return Err(Refused::request(format!(
            "Invalid value for 'messages.[{index}].content': expected a string or text parts."
        )));
    }
    Ok(())
}

fn id_of(index: usize, call: &Call<'_>) -> Result<String, Refused> {
    let arguments = call.function.as_ref().and_then(|f| f.arguments);
    if arguments.is_some_and(|arguments| !arguments.get().starts_with('"')) {
        return Err(Refused::request(format!(
            "Invalid type for 'messages[{index}].tool_calls[0].function.arguments': expected a string."
        )));
    }
    match call.id.as_deref() {
        Some(id) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(Refused::request(format!(
            "Missing required parameter: 'messages[{index}].tool_calls[0].id'."
        ))),
    }
}

fn unanswered(open: &[String]) -> Result<(), Refused> {
    if open.is_empty() {
        return Ok(());
    }
    Err(Refused::request(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to \
         each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"role":"assistant","content":null,"tool_calls":[
        {"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}]}"#;
    const A: &str = r#"{"role":"tool","tool_call_id":"a","content":"1"}"#;
    const B: &str = r#"{"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"2"}]}"#;
    const USER: &str = r#"{"role":"user","content":"hi"}"#;

    #[test]
    fn calls_are_answered_each_once_and_at_once() {
        let good: [&[&str]; 4] = [
            &[],
            &[USER],
            &[USER, CALL, B, A],
            &[CALL, A, B, USER, CALL, A, B],
        ];
        for messages in good {
            let list = format!("[{}]", messages.join(","));
            assert_eq!(check(&list), Ok(()), "{list}");
        }
        let bad: [(&[&str], &str); 9] = [
            (&[USER, A], "must be a response to a preceeding"),
            (&[CALL], "must be followed by tool messages"),
            (&[CALL, A], "response messages: b"),
            (&[CALL, A, USER, B], "response messages: b"),
            (&[CALL, A, A, B], "must be a response"),
            (&[CALL, A, B, USER, A], "must be a response"),
            (&[r#"{"role":"assistant"}"#], "Invalid value for 'content'"),
            (
                &[r#"{"tool_calls":[{"id":"a","function":{"arguments":{}}}]}"#],
                "expected a string",
            ),
            (
                &[
                    r#"{"tool_calls":[{"id":"a"}]}"#,
                    r#"{"role":"tool","tool_call_id":"a","content":[{"type":"image_url"}]}"#,
                ],
                "text parts",
            ),
        ];
        for (messages, part) in bad {
            let list = format!("[{}]", messages.join(","));
            let refused = check(&list).unwrap_err();
            assert!(refused.message.contains(part), "{list}: {refused}");
        }
    }
}
