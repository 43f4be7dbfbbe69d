//! What a client may ask, and that a provider gets it byte for byte.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{build, parse};
use crate::exchange::{Delivery, Dialect, FaultKind, Request, UsageWish};
use crate::units::Tokens;

/// A request with these fields beside `messages`, or in its place.
fn with(fields: &str) -> String {
    if fields.contains("messages") {
        return format!("{{{fields}}}");
    }
    format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{fields}}}"#)
}

fn parsed(body: impl Into<Bytes>) -> Request {
    parse::chat(body.into()).unwrap()
}

fn built(request: &Request) -> Vec<u8> {
    build::chat(request, "target \"model\"").concat()
}

fn tree(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

/// Fields that are refused, the parameter to blame and a part of the message.
#[rustfmt::skip]
const REFUSED: &[[&str; 3]] = &[
    ["\"n\":1", "model", "Missing required parameter: 'model'"],
    [r#""model":null"#, "model", "Missing required parameter: 'model'"],
    [r#""model":"""#, "model", "must not be empty"],
    [r#""model":7"#, "model", "expected a string, but got a number"],
    [r#""model":true"#, "model", "expected a string, but got a boolean"],
    [r#""model":["a"]"#, "model", "expected a string, but got an array"],
    [r#""model":{"a":1}"#, "model", "expected a string, but got an object"],
    [r#""model":"a\n""#, "model", "control characters"],
    [r#""model":"a\u0000""#, "model", "control characters"],
    [r#""model":"a\u007f""#, "model", "control characters"],
    [r#""model":"a\u0085b""#, "model", "control characters"],
    [r#""model":"\ud800""#, "model", "half a surrogate pair"],
    [r#""Model":"a","model":"b""#, "model", "It is spelt 'model'"],
    [r#""model":"b","MODEL":"a""#, "model", "Unknown parameter: 'MODEL'"],
    [r#""MODEL":"a""#, "model", "It is spelt 'model'"],
    [r#""model":"b","m\u006Fdeĺ":1,"mOdel":2"#, "model", "'mOdel'"],
    [r#""model":"b","\u017ftream":true"#, "stream", "It is spelt 'stream'"],
    [r#""model":"b","max_to\u212aens":5"#, "max_tokens", "It is spelt 'max_tokens'"],
    [r#""model":"b","N":5"#, "n", "It is spelt 'n'"],
    [r#""model":"b","Messages":[],"messages":[1]"#, "messages", "It is spelt 'messages'"],
    [r#""model":"m","messages":null"#, "messages", "Missing required parameter: 'messages'"],
    [r#""model":"m","messages":[]"#, "messages", "at least one message"],
    ["\"model\":\"m\",\"messages\":[ \n\t]", "messages", "at least one message"],
    [r#""model":"m","messages":{}"#, "messages", "expected an array, but got an object"],
    [r#""model":"m","messages":"hi""#, "messages", "expected an array, but got a string"],
    [r#""model":"m","messages":0"#, "messages", "expected an array, but got a number"],
    [r#""model":"m","messages":false"#, "messages", "expected an array, but got a boolean"],
    [r#""model":"m","stream":"true""#, "stream", "expected a boolean, but got a string"],
    [r#""model":"m","stream":1"#, "stream", "expected a boolean, but got a number"],
    [r#""model":"m","stream":[]"#, "stream", "expected a boolean, but got an array"],
    [r#""model":"m","stream":{}"#, "stream", "expected a boolean, but got an object"],
    [r#""model":"m","stream_options":{}"#, "stream_options", "only allowed when 'stream' is true"],
    [r#""model":"m","stream":false,"stream_options":{}"#, "stream_options", "only allowed"],
    [r#""model":"m","stream":null,"stream_options":{}"#, "stream_options", "only allowed"],
    [r#""model":"m","stream":true,"stream_options":[]"#, "stream_options", "expected an object"],
    [r#""model":"m","stream":true,"stream_options":true"#, "stream_options", "got a boolean"],
    [r#""model":"m","stream":true,"stream_options":"x""#, "stream_options", "got a string"],
    [r#""model":"m","stream":true,"stream_options":{"include_usage":1}"#, "stream_options.include_usage", "expected a boolean, but got a number"],
    [r#""model":"m","stream":true,"stream_options":{"include_usage":"no"}"#, "stream_options.include_usage", "got a string"],
    [r#""model":"m","stream":true,"stream_options":{"include_usage":{}}"#, "stream_options.include_usage", "got an object"],
    [r#""model":"m","stream":true,"stream_options":{"include_usage":true,"include_usage":false}"#, "stream_options", "duplicate key"],
    [r#""model":"m","stream":true,"stream_options":{"Include_Usage":false}"#, "include_usage", "It is spelt"],
    [r#""model":"m","max_tokens":0"#, "max_tokens", "must be an integer from 1 to 4294967296"],
    [r#""model":"m","max_tokens":-1"#, "max_tokens", "must be an integer from 1"],
    [r#""model":"m","max_tokens":-0"#, "max_tokens", "must be an integer from 1"],
    [r#""model":"m","max_tokens":1.0"#, "max_tokens", "must be an integer from 1"],
    [r#""model":"m","max_tokens":1e2"#, "max_tokens", "must be an integer from 1"],
    [r#""model":"m","max_tokens":1e999"#, "max_tokens", "must be an integer from 1"],
    [r#""model":"m","max_tokens":4294967297"#, "max_tokens", "must be an integer from 1"],
    [r#""model":"m","max_tokens":9223372036854775808"#, "max_tokens", "must be an integer"],
    [r#""model":"m","max_tokens":99999999999999999999999"#, "max_tokens", "must be an integer"],
    [r#""model":"m","max_tokens":"5""#, "max_tokens", "expected an integer, but got a string"],
    [r#""model":"m","max_tokens":[5]"#, "max_tokens", "expected an integer, but got an array"],
    [r#""model":"m","max_tokens":true"#, "max_tokens", "expected an integer, but got a boolean"],
    [r#""model":"m","max_completion_tokens":0"#, "max_completion_tokens", "must be an integer"],
    [r#""model":"m","max_completion_tokens":{}"#, "max_completion_tokens", "got an object"],
    [r#""model":"m","max_completion_tokens":5,"max_tokens":-1"#, "max_tokens", "must be an integer"],
    [r#""model":"m","n":0"#, "n", "must be an integer from 1 to 128"],
    [r#""model":"m","n":129"#, "n", "must be an integer from 1 to 128"],
    [r#""model":"m","n":1000000000"#, "n", "must be an integer from 1 to 128"],
    [r#""model":"m","n":-1"#, "n", "must be an integer from 1 to 128"],
    [r#""model":"m","n":1.5"#, "n", "must be an integer from 1 to 128"],
    [r#""model":"m","n":"1""#, "n", "expected an integer, but got a string"],
    [r#""model":"m","n":false"#, "n", "expected an integer, but got a boolean"],
];

#[test]
fn a_field_with_a_value_it_cannot_have_is_refused_by_name() {
    for [fields, param, message] in REFUSED {
        let fault = parse::chat(with(fields).into()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadRequest, "{fields}");
        assert_eq!(fault.param.as_deref(), Some(*param), "{fields}");
        assert!(
            fault.message.contains(message),
            "{fields}: {}",
            fault.message
        );
        assert!(fault.message.ends_with('.'), "{fields}: {}", fault.message);
    }
}

#[test]
fn a_body_that_is_not_one_json_object_is_refused() {
    let good = with(r#""model":"m""#);
    let bodies = [
        String::new(),
        "   ".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("[{good}]"),
        "\"model\"".to_owned(),
        "model=m&messages=hi".to_owned(),
        good.trim_end_matches('}').to_owned(),
        format!("{good}{good}"),
        format!("{good}x"),
        format!("\u{feff}{good}"),
        good.replace("\"m\"", "m"),
        good.replace('"', "'"),
        good.replace("\"m\"", "\"m\","),
        good.replace("\"m\"", "\"a\nb\""),
        with(r#""model":"m","model":"m""#),
        with(r#""model":"m","mod\u0065l":"x""#),
        with(r#""model":"m","x":1,"x":1"#),
        with(&format!(
            r#""model":"m","x":{}{}"#,
            "[".repeat(500),
            "]".repeat(500)
        )),
    ];
    for body in bodies {
        let fault = parse::chat(body.clone().into()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadRequest, "{body}");
        assert!(
            fault
                .message
                .starts_with("The body is not a valid JSON object: "),
            "{body}"
        );
    }
    assert!(parse::chat(Bytes::from_static(b"{\"model\":\"\xff\"}")).is_err());
}

#[test]
fn a_fault_never_quotes_a_value() {
    let secret = "canary".repeat(1000);
    for fields in [
        "\"model\":[\"@\"]",
        "\"model\":\"m\",\"n\":\"@\"",
        "\"model\":\"@\"",
        "\"model\":\"@\n\"",
    ] {
        let fault = parse::chat(with(&fields.replace('@', &secret)).into()).unwrap_err();
        assert!(!format!("{fault:?}").contains("canary"), "{fields}");
        assert!(fault.message.len() < 200, "{fields}");
    }
}

#[test]
fn what_routing_needs_is_read() {
    use Delivery::{Stream, Whole};
    use UsageWish::{Asked, NotAsked};

    for (fields, delivery) in [
        (r#""model":"m""#, Whole),
        (r#""model":"m","stream":null"#, Whole),
        (r#""model":"m","stream":false,"stream_options":null"#, Whole),
        (r#""model":"m","stream":true"#, Stream(NotAsked)),
        (
            r#""model":"m","stream":true,"stream_options":null"#,
            Stream(NotAsked),
        ),
        (
            r#""model":"m","stream":true,"stream_options":{}"#,
            Stream(NotAsked),
        ),
        (
            r#""model":"m","stream_options":{"include_usage":null},"stream":true"#,
            Stream(NotAsked),
        ),
        (
            r#""model":"m","stream":true,"stream_options":{"include_usage":false}"#,
            Stream(NotAsked),
        ),
        (
            r#""model":"m","stream":true,"stream_options":{"x":1,"include_usage":true}"#,
            Stream(Asked),
        ),
    ] {
        assert_eq!(parsed(with(fields)).delivery, delivery, "{fields}");
    }
}

#[test]
fn the_bounds_of_the_answer_are_read() {
    for (fields, max_output, choices) in [
        (r#""model":"m""#, None, 1),
        (r#""model":"m","max_tokens":null,"n":null"#, None, 1),
        (
            r#""model":"m","max_tokens":1,"n":128"#,
            Some(Tokens(1)),
            128,
        ),
        (
            r#""model":"m","max_tokens":4294967296"#,
            Some(Tokens(1 << 32)),
            1,
        ),
        (
            r#""model":"m","max_tokens":7,"max_completion_tokens":9"#,
            Some(Tokens(9)),
            1,
        ),
        (
            r#""model":"m","max_tokens":7,"max_completion_tokens":null"#,
            Some(Tokens(7)),
            1,
        ),
    ] {
        let request = parsed(with(fields));
        assert_eq!(
            (request.max_output, request.choices),
            (max_output, choices),
            "{fields}"
        );
    }
}

#[test]
fn a_model_is_known_by_its_decoded_name() {
    for (value, model) in [
        ("m", "m"),
        ("o/m-1:x", "o/m-1:x"),
        (r#"\u006d\"\\ø"#, "m\"\\ø"),
        ("🌧", "🌧"),
    ] {
        let request = parsed(with(&format!(r#""mod\u0065l":"{value}""#)));
        assert_eq!(
            (request.model.as_str(), request.dialect),
            (model, Dialect::OpenAi)
        );
    }
    assert!(parse::chat(with(&format!(r#""model":"{}""#, "m".repeat(256))).into()).is_ok());
    let fault = parse::chat(with(&format!(r#""model":"{}""#, "m".repeat(257))).into()).unwrap_err();
    assert!(fault.message.contains("at most 256 bytes"));
}

#[test]
fn what_is_not_read_is_never_judged() {
    let odd = r#""model":"m","messages":[null],"temperature":1e999,"tools":"x","store":[],"ÿ":{"a":1,"a":2},"x":"\ud800""#;
    let request = parsed(with(odd));
    let sent = built(&request);
    let expected = with(odd).replacen("\"m\"", r#""target \"model\"""#, 1);
    assert_eq!(sent, expected.as_bytes());
}

#[test]
fn a_request_is_spliced_and_nothing_else_is_touched() {
    let target = r#""target \"model\"""#;
    for (body, expected) in [
        (
            r#"{"model":"m","messages":[1]}"#,
            r#"{"model":@,"messages":[1]}"#,
        ),
        (
            r#" { "messages" : [1] , "mod\u0065l" : "m" } "#,
            r#" { "messages" : [1] , "mod\u0065l" : @ } "#,
        ),
        (
            r#"{"model":"m","messages":[1],"stream":false}"#,
            r#"{"model":@,"messages":[1],"stream":false}"#,
        ),
        (
            r#"{"model":"m","messages":[1],"stream":true}"#,
            r#"{"model":@,"messages":[1],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":null,"model":"m","messages":[1],"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":@,"messages":[1],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{"a": 1},"model":"m","messages":[1],"stream":true}"#,
            r#"{"stream_options":{"a": 1,"include_usage":true},"model":@,"messages":[1],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{ "include_usage" : null , "a":1e999},"model":"m","messages":[1],"stream":true}"#,
            r#"{"stream_options":{ "include_usage" : true , "a":1e999},"model":@,"messages":[1],"stream":true}"#,
        ),
        (
            r#"{"stream_options":{ "include_usage" : true },"model":"m","messages":[1],"stream":true}"#,
            r#"{"stream_options":{ "include_usage" : true },"model":@,"messages":[1],"stream":true}"#,
        ),
    ] {
        let sent = built(&parsed(body));
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            expected.replace('@', target),
            "{body}"
        );
    }
}

#[test]
fn a_long_prompt_is_never_copied() {
    let prompt = "x".repeat(200_000);
    let body = Bytes::from(with(&format!(
        r#""model":"m","messages":[{{"role":"user","content":"{prompt}"}}],"stream":true,"stream_options":{{"a":1}}"#
    )));
    let request = parsed(body.clone());
    let range = body.as_ptr_range();
    let pieces = build::chat(&request, "target");
    let (same, new): (Vec<_>, Vec<_>) = pieces
        .iter()
        .partition(|piece| range.contains(&piece.as_ptr()));
    assert!(same.iter().any(|piece| piece.len() > 200_000));
    assert!(new.iter().map(|piece| piece.len()).sum::<usize>() < 100);
}

/// A request in which any field that is not read may have any name and value.
fn requests() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let any_value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z\"\\\\]{0,4}", inner, 0..4)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    });
    let others = prop::collection::hash_map("[a-z_\"\u{e9}\\\\]{2,9}", any_value.clone(), 0..6);
    let options = prop::option::of(prop::collection::hash_map("[a-z]{2,9}", any_value, 0..3));
    let stream = prop::option::of(any::<Option<bool>>());
    (
        "[a-z/ø]{1,9}",
        others,
        stream,
        options,
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(model, others, stream, options, usage)| {
            let mut body: Map<_, _> = others.into_iter().collect();
            body.insert("model".into(), model.into());
            body.insert(
                "messages".into(),
                json!([{"role": "user", "content": "hi"}]),
            );
            if let Some(stream) = stream {
                body.insert("stream".into(), stream.into());
            }
            if let (Some(Some(true)), Some(options)) = (stream, options) {
                let mut options: Map<_, _> = options.into_iter().collect();
                if let Some(usage) = usage {
                    options.insert("include_usage".into(), usage.into());
                }
                body.insert("stream_options".into(), options.into());
            }
            body.into()
        })
}

proptest! {
    #[test]
    fn a_provider_gets_every_field_of_the_client_but_model_and_usage(body in requests(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) };
        let request = parsed(text.unwrap());
        let mut expected = body.clone();
        expected["model"] = "target \"model\"".into();
        if body["stream"] == true {
            expected["stream_options"]["include_usage"] = true.into();
        }
        prop_assert_eq!(tree(&built(&request)), expected);
    }

    #[test]
    fn what_is_built_parses_to_the_same_request(body in requests()) {
        let request = parsed(body.to_string());
        let again = parsed(built(&request));
        prop_assert_eq!(again.model, "target \"model\"");
        prop_assert_eq!(again.choices, request.choices);
        let asked = match request.delivery {
            Delivery::Whole => Delivery::Whole,
            Delivery::Stream(_) => Delivery::Stream(UsageWish::Asked),
        };
        prop_assert_eq!(again.delivery, asked);
    }

    #[test]
    fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..100), text in r#"\{("(model|stream|n|messages)":[\[\]{}"a0-9,]{0,6},?){0,4}\}"#) {
        for body in [body, text.into_bytes()] {
            if let Ok(request) = parse::chat(body.into()) {
                let _ = built(&request);
            }
        }
    }
}
