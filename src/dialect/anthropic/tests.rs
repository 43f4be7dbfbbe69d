//! What a client may ask, that a provider of this format gets it byte for byte, and what it means
//! in neutral words.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{build, parse, promise};
use crate::dialect::golden::{fixtures, golden};
use crate::dialect::promise::{Promise, PromisedText};
use crate::dialect::{self, Recipient, Unfit};
use crate::exchange::{Delivery, Dialect, FaultKind, Form, Need, Request, Task, UsageWish};
use crate::json::Top;
use crate::units::Tokens;

const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

fn parsed(body: impl Into<Bytes>) -> Request {
    parse::request(Task::Chat, body.into()).unwrap()
}

fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":5,{MESSAGES}{fields}}}"#)
}

/// Bodies without their braces, the parameter to blame and a part of the message.
#[rustfmt::skip]
const REFUSED: &[[&str; 3]] = &[
    [r#""max_tokens":1,"messages":[1]"#, "model", "Missing required parameter: 'model'"],
    [r#""model":null,"max_tokens":1,"messages":[1]"#, "model", "Missing required parameter"],
    [r#""model":"","max_tokens":1,"messages":[1]"#, "model", "must not be empty"],
    [r#""model":7,"max_tokens":1,"messages":[1]"#, "model", "expected a string, but got a number"],
    [r#""model":"a\n","max_tokens":1,"messages":[1]"#, "model", "control characters"],
    [r#""model":"\ud800","max_tokens":1,"messages":[1]"#, "model", "half a surrogate pair"],
    [r#""model":"m","max_tokens":1"#, "messages", "Missing required parameter: 'messages'"],
    [r#""model":"m","max_tokens":1,"messages":[ ]"#, "messages", "at least one element"],
    [r#""model":"m","max_tokens":1,"messages":"hi""#, "messages", "expected an array, but got a string"],
    [r#""model":"m","messages":[1]"#, "max_tokens", "Missing required parameter: 'max_tokens'"],
    [r#""model":"m","max_tokens":null,"messages":[1]"#, "max_tokens", "Missing required parameter"],
    [r#""model":"m","max_tokens":"5","messages":[1]"#, "max_tokens", "expected an integer, but got a string"],
    [r#""model":"m","max_tokens":-1,"messages":[1]"#, "max_tokens", "must be an integer from 0"],
    [r#""model":"m","max_tokens":1.5,"messages":[1]"#, "max_tokens", "must be an integer from 0"],
    [r#""model":"m","max_tokens":4294967297,"messages":[1]"#, "max_tokens", "must be an integer from 0 to 4294967296"],
    [r#""model":"m","max_tokens":1,"messages":[1],"stream":"true""#, "stream", "expected a boolean, but got a string"],
    [r#""model":"m","max_tokens":1,"messages":[1],"Stream":true"#, "stream", "It is spelt 'stream'"],
    [r#""Model":"x","model":"m","max_tokens":1,"messages":[1]"#, "model", "It is spelt 'model'"],
    [r#""model":"m","max_to\u212aens":1,"messages":[1]"#, "max_tokens", "It is spelt 'max_tokens'"],
];

#[test]
fn what_is_wrong_with_a_field_is_told_by_its_name() {
    for [fields, param, message] in REFUSED {
        let fault = parse::request(Task::Chat, format!("{{{fields}}}").into()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadRequest, "{fields}");
        assert_eq!(fault.param.as_deref(), Some(*param), "{fields}");
        assert!(
            fault.message.contains(message),
            "{fields}: {}",
            fault.message
        );
    }
    for body in ["", "[]", "{", r#"{"model":"m","model":"n"}"#] {
        assert!(parse::request(Task::Chat, body.into()).is_err(), "{body}");
    }
    for task in [Task::Completion, Task::Embedding] {
        let fault = parse::request(task, with("").into()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::NotFound);
    }
}

#[test]
fn what_routing_needs_is_read() {
    let request = parsed(with(r#","stream":true"#));
    assert_eq!(request.dialect, Dialect::Anthropic);
    assert_eq!(request.model, "m");
    assert_eq!(request.delivery, Delivery::Stream(UsageWish::Asked));
    assert_eq!(request.max_output, Some(Tokens(5)));
    assert_eq!(parsed(with(r#","stream":null"#)).delivery, Delivery::Whole);
    let count = format!(r#"{{"model":"m","stream":true,{MESSAGES}}}"#);
    let count = parse::request(Task::Count, count.into()).unwrap();
    assert_eq!((count.task, count.delivery), (Task::Count, Delivery::Whole));
    assert_eq!(count.max_output, None);
}

#[test]
fn what_is_promised_is_what_the_request_says() {
    let json = PromisedText::Json(Top::Any);
    for (fields, text) in [
        ("", PromisedText::Plain),
        (r#","output_config":{"effort":"low"}"#, PromisedText::Plain),
        (
            r#","output_config":{"format":{"type":"json_schema","schema":{}}}"#,
            json,
        ),
        (
            r#","output_config":{"format":null},"output_format":{"type":"json_schema"}"#,
            json,
        ),
        (
            r#","output_config":{"format":{"type":"text"}}"#,
            PromisedText::Plain,
        ),
        (r#","output_config":7"#, PromisedText::Plain),
    ] {
        let Promise { text: promised, .. } = promise::promise(&parsed(with(fields)));
        assert_eq!(promised, text, "{fields}");
    }
    for (fields, tools) in [
        ("", Some(vec![])),
        (r#","tools":null"#, Some(vec![])),
        (
            r#","tools":[{"name":"a","input_schema":{}},{"type":"bash_20250124","name":"b"}]"#,
            Some(vec!["a", "b"]),
        ),
        (r#","tools":[{"type":"mcp_toolset"}]"#, None),
        (r#","tools":{}"#, None),
    ] {
        let promised = promise::promise(&parsed(with(fields))).tools;
        let names =
            promised.map(|tools| tools.into_iter().map(|tool| tool.name).collect::<Vec<_>>());
        let tools = tools.map(|tools| tools.into_iter().map(str::to_owned).collect());
        assert_eq!(names, tools, "{fields}");
    }
}

#[test]
fn a_provider_of_this_format_gets_the_clients_bytes() {
    let body = r#"{ "unknown" : [ {"a":1.50} ],"model":"m" , "max_tokens":5,
        "messages":[{"role":"user","content":[{"type":"hologram","x":"\u00e9"}]}],"stream" : true}"#;
    let request = parsed(body);
    let sent = |form| {
        let ask = dialect::build(
            &request,
            &Recipient::plain(Dialect::Anthropic, "target \"x\"", form),
        );
        let ask = ask.unwrap();
        assert_eq!(ask.path, "/v1/messages");
        assert_eq!(ask.headers.len(), 1);
        assert_eq!(ask.headers[0].1, "2023-06-01");
        assert!(ask.dropped.is_empty());
        String::from_utf8(ask.body.concat()).unwrap()
    };
    let same = body.replace(r#""m""#, r#""target \"x\"""#);
    assert_eq!(sent(Form::Stream), same);
    assert_eq!(sent(Form::Whole), same.replace("true}", "false}"));
    let whole = parsed(with(""));
    let ask = build::same(
        &whole,
        &Recipient::plain(Dialect::Anthropic, "t", Form::Stream),
    )
    .unwrap();
    let expected = with(r#","stream":true"#).replace(r#""m""#, r#""t""#);
    assert_eq!(String::from_utf8(ask.body.concat()).unwrap(), expected);
}

#[test]
fn a_count_goes_to_its_own_path_and_keeps_what_it_says_of_streams() {
    let body = format!(r#"{{"model":"m","stream":true,{MESSAGES}}}"#);
    let request = parse::request(Task::Count, body.clone().into()).unwrap();
    let to = Recipient::plain(Dialect::Anthropic, "m", Form::Whole);
    let ask = dialect::build(&request, &to).unwrap();
    assert_eq!(ask.task, Task::Count);
    assert_eq!(ask.path, "/v1/messages/count_tokens");
    assert_eq!(String::from_utf8(ask.body.concat()).unwrap(), body);
}

#[test]
fn each_recorded_request_means_what_its_snapshot_says() {
    for (name, bytes) in fixtures("anthropic/requests", "json") {
        let request = parsed(bytes);
        golden(
            "anthropic",
            &format!("request_{name}"),
            &format!("{:#?}\n", parse::conversation(&request)),
        );
    }
}

#[test]
fn texts_are_borrowed_from_the_body_where_they_have_no_escapes() {
    let body = Bytes::from(with(r#","system":"a long prompt","x":1"#));
    let range = body.as_ptr_range();
    let request = parsed(body.clone());
    let conversation = parse::conversation(&request).unwrap();
    assert!(range.contains(&conversation.system[0].as_ptr()));
    let crate::exchange::Part::Text(text) = &conversation.turns[0].parts[0] else {
        panic!("{conversation:?}");
    };
    assert!(range.contains(&text.as_ptr()));
}

#[test]
fn what_cannot_be_read_is_blamed_by_place_and_never_quoted() {
    for (body, param) in [
        (
            json!({"messages": [{"role": "canary", "content": "a"}]}),
            "messages.0.role",
        ),
        (
            json!({"messages": [{"role": "user", "content": {"canary": 1}}]}),
            "messages.0.content",
        ),
        (
            json!({"messages": [{"role": "user", "content": ["canary"]}]}),
            "messages.0.content",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "txt": "canary"}]}]}),
            "messages.0.content.0",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": "canary"}]}]}),
            "messages.0.content.0",
        ),
        (json!({"messages": ["canary"]}), "messages"),
        (json!({"system": {"canary": 1}}), "system"),
        (
            json!({"system": [{"type": "canary", "text": "a"}]}),
            "system",
        ),
        (json!({"tools": [{"nam": "canary"}]}), "tools.0.name"),
        (json!({"tools": "canary"}), "tools"),
        (json!({"tool_choice": {"type": "canary"}}), "tool_choice"),
        (
            json!({"output_config": {"format": {"type": "canary"}}}),
            "output_config.format",
        ),
        (json!({"thinking": "canary"}), "thinking"),
        (json!({"stop_sequences": "canary"}), "stop_sequences"),
        (json!({"top_p": "canary"}), "top_p"),
        (json!({"metadata": "canary"}), "metadata"),
    ] {
        let mut whole =
            json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in body.as_object().unwrap() {
            whole[name] = value.clone();
        }
        let request = parsed(whole.to_string());
        let unfit = parse::conversation(&request).unwrap_err();
        assert!(!format!("{unfit} {unfit:?}").contains("canary"), "{unfit}");
        let Unfit::Unreadable { param: told, .. } = unfit else {
            panic!("{unfit:?}");
        };
        assert_eq!(told, param);
    }
}

#[test]
fn what_only_anthropic_has_needs_anthropic() {
    let blocks = [
        "server_tool_use",
        "web_search_tool_result",
        "mcp_tool_use",
        "container_upload",
        "search_result",
        "compaction",
        "hologram",
    ];
    for kind in blocks {
        let body: Value = json!({
            "model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [{"type": kind}]}],
        });
        let request = parsed(body.to_string());
        let unfit = parse::conversation(&request).unwrap_err();
        assert_eq!(unfit, Unfit::Lacks(Need::Native), "{kind}");
    }
}
