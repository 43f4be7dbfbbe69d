//! Every stream in `tests/fixtures/openai`, whole and cut, and what hostile bytes may do.

use std::fmt::Write as _;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Stream, whole};
use crate::dialect::failure::failure;
use crate::dialect::golden::{fixtures, frames, golden};
use crate::dialect::{Carry, Malformed};
use crate::exchange::{Event, Failure, Task, Usage};
use crate::sse::Frame;
use crate::units::Tokens;

/// One line for each frame, with whether the answer is finished after it, and one for each event.
fn transcript(pieces: &[Bytes]) -> String {
    let mut stream = Stream::new(Task::Chat);
    let mut out = String::new();
    for frame in frames(pieces) {
        let mut events = String::new();
        let carry = stream.frame(&frame, &mut |event| {
            writeln!(events, "  {event:?}").unwrap();
        });
        let state = if stream.finished() {
            "finished"
        } else {
            "open"
        };
        writeln!(out, "{carry:?}, {state}\n{}", events.trim_end_matches('\n')).unwrap();
    }
    out
}

fn frame(data: impl Into<Bytes>) -> Frame {
    let data = data.into();
    Frame {
        raw: data.clone(),
        event: None,
        data: Some(data),
        id: None,
        retry: None,
    }
}

fn told(data: impl Into<Bytes>) -> Result<Vec<String>, Malformed> {
    let mut events = Vec::new();
    Stream::new(Task::Chat).frame(&frame(data), &mut |event| events.push(format!("{event:?}")))?;
    Ok(events)
}

#[test]
fn each_recorded_stream_says_what_its_snapshot_says() {
    for (name, bytes) in fixtures("openai", "sse") {
        golden("openai", &format!("stream_{name}"), &transcript(&[bytes]));
    }
}

#[test]
fn each_recorded_whole_answer_says_what_its_snapshot_says() {
    for (name, bytes) in fixtures("openai", "json") {
        let mut out = String::new();
        let read = whole(Task::Chat, &bytes, &mut |event| {
            writeln!(out, "{event:?}").unwrap();
        });
        golden(
            "openai",
            &format!("whole_{name}"),
            &format!("{out}{read:?}\n"),
        );
    }
}

#[test]
fn a_stream_cut_anywhere_says_the_same() {
    for (name, bytes) in fixtures("openai", "sse") {
        let expected = transcript(std::slice::from_ref(&bytes));
        for cut in 0..=bytes.len() {
            let pieces = [bytes.slice(..cut), bytes.slice(cut..)];
            assert_eq!(transcript(&pieces), expected, "{name} cut at {cut}");
        }
        let single: Vec<_> = (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect();
        assert_eq!(transcript(&single), expected, "{name} byte by byte");
    }
}

/// A tail that lacks its blank line may be a whole frame, so the end may come one line end early,
/// but never before the frame with the last finish reason is whole.
#[test]
fn no_stream_is_finished_before_its_last_finish_reason() {
    for (name, bytes) in fixtures("openai", "sse") {
        let all = frames(&[bytes]);
        let mut stream = Stream::new(Task::Chat);
        let mut finished_at = None;
        for (at, frame) in all.iter().enumerate() {
            let mut finishes = false;
            let read = stream.frame(frame, &mut |event| {
                finishes |= matches!(event, Event::Finished { .. });
            });
            if stream.finished() && finished_at.is_none() {
                assert!(read.is_ok() && finishes, "{name} finished by frame {at}");
                finished_at = Some(at);
            }
        }
    }
}

#[test]
fn what_is_no_part_of_an_answer_is_malformed() {
    let shapes: &[&str] = &[
        "[]",
        "7",
        "null",
        "true",
        "\"text\"",
        "{}",
        r#"{"id":"a","object":"chat.completion.chunk"}"#,
        r#"{"choices":{}}"#,
        r#"{"choices":"a"}"#,
        r#"{"choices":[null]}"#,
        r#"{"choices":[[]]}"#,
        r#"{"choices":[{"delta":"a"}]}"#,
        r#"{"choices":[{"delta":[]}]}"#,
        r#"{"choices":null}"#,
        r#"{"choices":[{"index":-1}]}"#,
        r#"{"choices":[{"index":1.5}]}"#,
        r#"{"choices":[{"index":4294967296}]}"#,
        r#"{"choices":[{"index":"0"}]}"#,
        r#"{"error":null}"#,
        r#"{"error":false}"#,
        r#"{"type":"ping"}"#,
    ];
    for shape in shapes {
        assert_eq!(told(*shape), Err(Malformed::Shape), "{shape}");
    }
    let broken: &[&str] = &[
        "",
        " ",
        "x",
        "DONE",
        "{",
        r#"{"choices":["#,
        r#"{"choices":[]"#,
        r#"{"choices":[]}}"#,
        r#"{"choices":[]}{"choices":[]}"#,
        r#"{"choices":[],}"#,
        r"{'choices':[]}",
        r#"{"choices":[{"delta":{"content":"a}}]}"#,
        r#"{"choices":[],"x":01}"#,
        "{\"choices\":[],\"x\":\"\n\"}",
    ];
    for json in broken {
        assert!(
            matches!(told(*json), Err(Malformed::NotJson { .. })),
            "{json}"
        );
    }
    assert_eq!(
        told(&b"{\"choices\":[],\"x\":\"\xff\"}"[..]),
        Err(Malformed::NotUtf8)
    );
}

#[test]
fn no_line_of_a_frame_goes_on_that_is_not_text() {
    const CHUNK: &[u8] = br#"data: {"choices":[]}"#;
    for (before, after, good) in [
        (&b""[..], &b"\n\n"[..], true),
        (b"", b"\r\n\r\n", true),
        (b": caf\xc3\xa9\n", b"\n\n", true),
        (b": caf\xe9\n", b"\n\n", false),
        (b"\xff\n", b"\n\n", false),
        (b"", b"\n\xff\n\n", false),
        (b"\xff\n\n", b"\n\n", false),
    ] {
        let frames = frames(&[[before, CHUNK, after].concat().into()]);
        let mut stream = Stream::new(Task::Chat);
        let read = frames
            .iter()
            .all(|frame| stream.frame(frame, &mut |_| {}).is_ok());
        assert_eq!(read, good, "{before:?} {after:?}");
    }
}

#[test]
fn a_malformed_frame_tells_nothing_and_changes_nothing() {
    let mut stream = Stream::new(Task::Chat);
    let broken = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#;
    let read = stream.frame(&frame(broken), &mut |event| panic!("{event:?}"));
    assert!(read.is_err());
    assert!(!stream.finished());
}

#[test]
fn malformed_never_quotes_the_answer() {
    for data in [
        r#"{"choices":"canary"}"#,
        r#"{"choices":[],canary}"#,
        r#"{"choices":[{"index":"canary"}]}"#,
    ] {
        let error = told(data).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{data}");
    }
}

#[test]
fn an_answer_has_a_bounded_number_of_choices_and_pieces() {
    let choices = |count: u32| {
        let list: Vec<_> = (0..count)
            .map(|index| format!(r#"{{"index":{index}}}"#))
            .collect();
        format!(r#"{{"choices":[{}]}}"#, list.join(","))
    };
    assert!(told(choices(128)).is_ok());
    assert_eq!(told(choices(129)), Err(Malformed::TooMany));
    let calls = format!(
        r#"{{"choices":[{{"delta":{{"tool_calls":[{}{{}}]}}}}]}}"#,
        "{},".repeat(9000)
    );
    assert_eq!(told(calls), Err(Malformed::TooMany));
}

#[test]
fn nesting_without_end_is_refused_without_a_deep_stack() {
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(200_000);
        assert!(told(format!(r#"{{"choices":[],"x":{deep}"#)).is_err());
        assert!(told(deep).is_err());
    }
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        told(format!(r#"{{"choices":[],"x":{open}{close}}}"#))
    };
    // As deep as a request may be.
    assert_eq!(nested(127).unwrap(), ["Ping"]);
    for levels in [128, 100_000] {
        assert!(matches!(nested(levels), Err(Malformed::NotJson { .. })));
    }
}

#[test]
fn a_field_is_known_however_its_name_is_written() {
    let told = |json: &str| told(json.to_owned()).unwrap();
    let plain = told(r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#);
    let escaped =
        r#"{"ch\u006fices":[{"d\u0065lta":{"c\u006fntent":"a"},"finish\u005freason":"stop"}]}"#;
    assert_eq!(told(escaped), plain);
    let half = r#"{"\ud800":1,"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
    assert_eq!(told(half), plain);
}

#[test]
fn texts_are_borrowed_from_the_frame_where_they_have_no_escapes() {
    let data = Bytes::from(
        r#"{"choices":[{"delta":{"content":"a","reasoning":"b","refusal":"c","tool_calls":[{"id":"d","function":{"name":"e","arguments":"f"}}]}}]}"#,
    );
    let range = data.as_ptr_range();
    let inside = |text: &str| range.contains(&text.as_ptr());
    let mut seen = 0;
    let mut sink = |event: Event<'_>| match event {
        Event::Text { text, .. } | Event::Reasoning { text, .. } | Event::Refusal { text, .. } => {
            assert!(inside(&text));
            seen += 1;
        }
        Event::ToolCall {
            id,
            name,
            arguments,
            ..
        } => {
            assert!(inside(&id.unwrap()) && inside(&name.unwrap()) && inside(&arguments));
            seen += 1;
        }
        _ => {}
    };
    Stream::new(Task::Chat)
        .frame(&frame(data.clone()), &mut sink)
        .unwrap();
    assert_eq!(seen, 4);
}

#[test]
fn the_last_of_a_field_that_comes_twice_counts() {
    let data = r#"{"choices":[{"delta":{"content":"a"}}],"choices":[{"delta":{"content":"b"},"delta":{"content":"c"}}],"usage":null,"usage":{"prompt_tokens":1,"completion_tokens":1,"completion_tokens":2}}"#;
    let events = told(data).unwrap();
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(events[1].contains("\"c\""), "{events:?}");
    assert!(events[2].contains("output: Tokens(2)"), "{events:?}");
}

#[test]
fn what_counts_as_an_error_is_what_the_sdks_raise_for() {
    for (error, fails) in [
        ("null", false),
        ("false", false),
        ("0", false),
        ("-0.0", false),
        ("\"\"", false),
        ("true", true),
        ("1", true),
        ("\"x\"", true),
        ("{}", true),
        ("[]", true),
        ("{\"code\":null}", true),
    ] {
        for data in [
            format!(r#"{{"choices":[],"usage":null,"error":{error}}}"#),
            format!(r#"{{"choices":[{{"index":3,"error":{error}}}]}}"#),
            format!(r#"{{"x_groq":{{"error":{error}}}}}"#),
        ] {
            let carry = Stream::new(Task::Chat)
                .frame(&frame(data.clone()), &mut |_| {})
                .unwrap();
            assert_eq!(carry == Carry::Failure, fails, "{data}");
        }
    }
}

#[test]
fn a_whole_answer_without_an_answer_in_it_is_malformed() {
    for body in [
        "",
        "{}",
        "null",
        r#"{"choices":[]}"#,
        r#"{"choices":null,"usage":{}}"#,
        r#"{"choices":[{}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#,
        r#"{"choices":[{"message":{"content":"a"}}"#,
        "<html></html>",
        "data: {}\n\n",
    ] {
        assert!(
            whole(Task::Chat, body.as_bytes(), &mut |event| panic!(
                "{event:?}"
            ))
            .is_err(),
            "{body}"
        );
    }
}

/// Error bodies, each with what is found in it: type, code and message, `-` for none.
#[rustfmt::skip]
const ERROR_BODIES: &[[&str; 4]] = &[
    [r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#, "t", "c", "m"],
    [r#"{"error":{"message":"m","type":"t","param":null,"code":null}}"#, "t", "-", "m"],
    [r#"{"error":{"message":"m","type":"BadRequestError","code":400}}"#, "BadRequestError", "400", "m"],
    [r#"{"error":{"code":402,"message":"m","metadata":{"error_type":"t"}},"user_id":"u"}"#, "t", "402", "m"],
    [r#"{"code":"some words","error":"m"}"#, "-", "some words", "m"],
    [r#"{"error":"m"}"#, "-", "-", "m"],
    [r#"{"object":"error","message":"m","type":"t","param":null,"code":"3505"}"#, "t", "3505", "m"],
    [r#"{"detail":[{"type":"t","loc":["body","seed"],"msg":"m","input":7}]}"#, "t", "-", "m"],
    [r#"{"detail":"m"}"#, "-", "-", "m"],
    [r#"{"statusCode":404,"message":"m"}"#, "-", "-", "m"],
    [r#"[{"error":{"code":429,"message":"m","status":"EXHAUSTED"}},{"error":"n"}]"#, "EXHAUSTED", "429", "m"],
    [r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, "overloaded_error", "-", "m"],
    [r#"{"error":{"message":["a"],"code":true}}"#, "-", "-", "[\"a\"]"],
    ["\"m\"", "-", "-", "m"],
    ["\u{feff}{\"error\":\"m\"}", "-", "-", "m"],
    [r#"{"error":{"message":"cut of"#, "-", "-", r#"{"error":{"message":"cut of"#],
    ["<html>\n<title>502 Bad\nGateway</title></html>", "html", "-", "502 Bad Gateway"],
    ["<html><body>no title</body></html>", "html", "-", "-"],
    ["<!DOCTYPE html><TITLE>Just a moment...</TITLE>", "html", "-", "Just a moment..."],
    ["<?xml version=\"1.0\"?><Error><title>m</title></Error>", "-", "-", "m"],
    ["upstream  connect error\r\n", "-", "-", "upstream  connect error"],
    ["{}", "-", "-", "-"],
    ["[]", "-", "-", "-"],
    ["null", "-", "-", "-"],
    ["", "-", "-", "-"],
    [" \n", "-", "-", "-"],
];

#[test]
fn what_an_error_body_says_is_found_in_every_shape() {
    let some = |text: &str| Some(text.to_owned()).filter(|text| text != "-");
    for [body, kind, code, message] in ERROR_BODIES {
        let expected = Failure {
            status: Some(418),
            kind: some(kind),
            code: some(code),
            message: some(message),
            ..Failure::default()
        };
        assert_eq!(failure(418, body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn what_stands_beside_an_error_is_found_too() {
    let google = |details: &str| format!(r#"{{"error":{{"code":429,"details":{details}}}}}"#);
    let violations =
        r#"[{"quotaId":"A","quotaValue":"0"},{"quotaMetric":"m","quotaId":"B","quotaValue":"10"}]"#;
    for (body, reasons, delay) in [
        (
            r#"{"error":{"details":{"error_code":"A"}}}"#.to_owned(),
            Some("A"),
            None,
        ),
        (
            r#"{"error":{"innererror":{"code":"A","content_filter_result":{}}}}"#.to_owned(),
            Some("A"),
            None,
        ),
        (
            r#"{"details":{"error_code":"outer"},"error":{"message":"m"}}"#.to_owned(),
            Some("outer"),
            None,
        ),
        (
            r#"{"details":{"error_code":"outer"},"error":{"details":{"error_code":"inner"}}}"#
                .to_owned(),
            Some("inner"),
            None,
        ),
        (
            google(r#"[{"reason":"A","domain":"d"},{"reason":7},{"reason":true}]"#),
            Some("A 7"),
            None,
        ),
        (google(r#"[{"retryDelay":"45.25s"}]"#), None, Some("45.25s")),
        (google(r#"[{"retryDelay":{}}]"#), None, None),
        (
            google(&format!(r#"[{{"violations":{violations}}}]"#)),
            Some("A quotaValue:0 B"),
            None,
        ),
        (google(r#""prose""#), None, None),
        (google(r#"[[{"reason":"too deep"}]]"#), None, None),
        (
            r#"[{"error":{"details":[{"reason":"A","retryDelay":"1s"}]}}]"#.to_owned(),
            Some("A"),
            Some("1s"),
        ),
    ] {
        let failure = failure(429, body.as_bytes());
        assert_eq!(failure.reasons.as_deref(), reasons, "{body}");
        assert_eq!(failure.retry_delay.as_deref(), delay, "{body}");
    }
}

#[test]
fn what_stands_beside_an_error_is_short() {
    let reasons = |lengths: &[usize]| {
        let items = lengths
            .iter()
            .map(|length| format!(r#"{{"reason":"{}"}}"#, "r".repeat(*length)));
        let items = items.collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"error":{{"details":[{items}]}}}}"#);
        failure(429, body.as_bytes()).reasons.unwrap().len()
    };
    assert_eq!(reasons(&[127, 128]), 256);
    assert_eq!(reasons(&[128, 128]), 128);
    assert_eq!(reasons(&[127, 127, 127]), 255);
    assert_eq!(reasons(&[500]), 128);
    assert_eq!(reasons(&[1; 400]), 255);
    let long = format!(
        r#"{{"error":{{"details":[{{"retryDelay":"{}"}}]}}}}"#,
        "9".repeat(500)
    );
    assert_eq!(
        failure(429, long.as_bytes()).retry_delay.unwrap().len(),
        128
    );
}

#[test]
fn an_error_message_is_short_and_has_no_control_characters() {
    let body = format!(
        r#"{{"error":{{"message":"\u001b[31mred\n\u0000{}","type":"{}"}}}}"#,
        "é".repeat(2000),
        "t".repeat(500)
    );
    let failure = failure(500, body.as_bytes());
    let message = failure.message.unwrap();
    assert!(message.starts_with("[31mred éé") && message.len() <= 1024 && message.len() > 1020);
    assert_eq!(failure.kind.unwrap().len(), 128);
    let bytes = crate::dialect::failure::failure(500, b"\xff\xfe\x00bad");
    assert_eq!(bytes.message.as_deref(), Some("\u{fffd}\u{fffd}bad"));
}

#[test]
fn an_error_inside_a_stream_has_a_status_only_if_it_names_one() {
    for (code, status) in [
        ("502", Some(502)),
        ("\"429\"", Some(429)),
        ("1300", None),
        ("200", None),
        ("\"x\"", None),
        ("null", None),
        ("-1", None),
        ("1e999", None),
    ] {
        let data = format!(r#"{{"error":{{"message":"m","code":{code}}}}}"#);
        let mut found = None;
        let mut sink = |event: Event<'_>| {
            if let Event::Failed(failure) = event {
                found = Some(failure.status);
            }
        };
        Stream::new(Task::Chat)
            .frame(&frame(data), &mut sink)
            .unwrap();
        assert_eq!(found, Some(status), "{code}");
    }
}

#[test]
fn an_event_named_error_is_a_failure_whatever_its_data() {
    for data in [
        None,
        Some(""),
        Some("[DONE]"),
        Some("no json"),
        Some(r#"{"choices":[]}"#),
    ] {
        let named = Frame {
            event: Some(Bytes::from_static(b"error")),
            data: data.map(|data: &str| Bytes::copy_from_slice(data.as_bytes())),
            ..frame("")
        };
        let mut stream = Stream::new(Task::Chat);
        assert_eq!(
            stream.frame(&named, &mut |_| {}),
            Ok(Carry::Failure),
            "{data:?}"
        );
        assert!(!stream.finished());
    }
}

#[test]
fn a_finish_reason_ends_well_or_is_a_failure_or_is_none() {
    for (reason, expected) in [
        ("\"stop\"", "Finished { choice: 0, reason: Stop }"),
        ("\"eos\"", "Finished { choice: 0, reason: Stop }"),
        ("\"length\"", "Finished { choice: 0, reason: Length }"),
        ("\"model_length\"", "Finished { choice: 0, reason: Length }"),
        (
            "\"tool_calls\"",
            "Finished { choice: 0, reason: ToolCalls }",
        ),
        (
            "\"function_call\"",
            "Finished { choice: 0, reason: ToolCalls }",
        ),
        (
            "\"content_filter\"",
            "Finished { choice: 0, reason: ContentFilter }",
        ),
        ("\"novel\"", "Finished { choice: 0, reason: Other }"),
        ("\"error\"", "code: Some(\"error\")"),
        ("\"abort\"", "code: Some(\"abort\")"),
        (
            "\"insufficient_system_resource\"",
            "code: Some(\"insufficient_system_resource\")",
        ),
        ("null", "Started"),
        ("\"\"", "Started"),
        ("true", "Started"),
        ("{\"a\":1}", "Started"),
    ] {
        let events = told(format!(r#"{{"choices":[{{"finish_reason":{reason}}}]}}"#)).unwrap();
        assert!(
            events.last().unwrap().contains(expected),
            "{reason}: {events:?}"
        );
    }
}

/// JSON of the words this decoder knows, in places where they may and may not stand.
fn jsonish() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "choices",
        "delta",
        "message",
        "content",
        "index",
        "finish_reason",
        "error",
        "usage",
        "x_groq",
        "tool_calls",
        "function",
        "arguments",
        "name",
        "id",
        "prompt_tokens",
        "completion_tokens",
        "audio",
        "data",
        "reasoning",
        "refusal",
        "type",
        "text",
        "thinking",
        "code",
        "other",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("0".to_owned()),
        Just("-1e400".to_owned()),
        Just("\"stop\"".to_owned()),
        Just("\"\"".to_owned()),
        Just(r#""\ud83c""#.to_owned()),
        Just(r#""a\n""#.to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((words.clone(), inner), 0..5).prop_map(|fields| {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_input_panics_or_tells_and_then_fails(mut data in jsonish(), cut in any::<prop::sample::Index>()) {
        for wrap in ["@", r#"{"choices":[{"delta":@,"message":@}]}"#, r#"{"usage":@}"#, r#"{"error":@}"#] {
            let data = wrap.replace('@', &data);
            let mut count = 0;
            let read = Stream::new(Task::Chat).frame(&frame(data.clone()), &mut |_| count += 1);
            prop_assert_eq!(read.is_ok(), count > 0);
            let mut count = 0;
            let read = whole(Task::Chat, data.as_bytes(), &mut |_| count += 1);
            prop_assert_eq!(read.is_ok(), count > 0);
            failure(500, data.as_bytes());
        }
        let mut at = cut.index(data.len() + 1);
        while !data.is_char_boundary(at) { at -= 1; }
        data.truncate(at);
        let _ = told(data);
    }

    #[test]
    fn any_bytes_are_read_without_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = whole(Task::Chat, &data, &mut |_| {});
        failure(200, &data);
        let _ = told(data);
    }

    #[test]
    fn any_text_comes_through_as_it_is(text in ".*", choice in 0u32..128) {
        let data = serde_json::json!({"choices": [{"index": choice, "delta": {"content": text}}]});
        let mut found = String::new();
        let mut sink = |event: Event<'_>| if let Event::Text { choice: told, text } = event {
            assert_eq!(told, choice);
            found.push_str(&text);
        };
        Stream::new(Task::Chat).frame(&frame(data.to_string()), &mut sink).unwrap();
        prop_assert_eq!(found, text);
    }

    #[test]
    fn no_usage_is_absurd(prompt in any::<f64>(), completion in any::<i64>(), part in any::<u64>()) {
        let data = format!(
            r#"{{"usage":{{"prompt_tokens":{prompt:e},"completion_tokens":{completion},"prompt_tokens_details":{{"cached_tokens":{part},"audio_tokens":{part}}},"completion_tokens_details":{{"reasoning_tokens":{part}}}}}}}"#
        );
        let mut usage = Usage::default();
        let mut sink = |event: Event<'_>| if let Event::Usage(found) = event { usage = found };
        let _ = Stream::new(Task::Chat).frame(&frame(data), &mut sink);
        let most = Tokens(u32::MAX.into());
        prop_assert!(usage.input <= most && usage.output <= most);
        prop_assert!(usage.cached <= usage.input && usage.reasoning <= usage.output);
    }
}

#[test]
fn what_stands_beside_a_text_and_seals_a_call_is_told() {
    let chunk = r#"{"choices":[{"index":0,"delta":{"content":"a","annotations":[{"type":"url_citation"}],"tool_calls":[{"index":2,"id":"c","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"seal"}}}]},"logprobs":{"content":[{"token":"a"}],"refusal":[]}}]}"#;
    let told = told(chunk).unwrap().join("\n");
    insta::assert_snapshot!(told);
}

#[test]
fn a_plain_completion_is_read_streamed_and_whole() {
    let chunk = r#"{"object":"text_completion","choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let mut streamed = Vec::new();
    let mut stream = Stream::new(Task::Completion);
    stream
        .frame(&frame(chunk), &mut |event| {
            streamed.push(format!("{event:?}"));
        })
        .unwrap();
    assert!(stream.finished());
    let mut read = Vec::new();
    whole(Task::Completion, chunk.as_bytes(), &mut |event| {
        read.push(format!("{event:?}"));
    })
    .unwrap();
    assert_eq!(streamed, read);
    assert_eq!(read.len(), 4, "{read:?}");
    let empty = br#"{"choices":[{"index":0}]}"#;
    assert_eq!(
        whole(Task::Completion, empty, &mut |_| {}),
        Err(Malformed::Shape)
    );
}

#[test]
fn vectors_are_counted_and_not_looked_into() {
    for (body, good) in [
        (
            r#"{"object":"list","data":[{"index":1,"embedding":[0.1]},{"index":0,"embedding":"QUJD"}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#,
            true,
        ),
        (r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#, true),
        (r#"{"data":[]}"#, false),
        (r#"{"data":[{"index":0,"embedding":[]}]}"#, false),
        (
            r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
            false,
        ),
        (r#"{"data":[{"index":1,"embedding":[1]}]}"#, false),
        (r#"{"data":[7]}"#, false),
        (r#"{"choices":[]}"#, false),
        ("[]", false),
    ] {
        let mut told = 0;
        let read = whole(Task::Embedding, body.as_bytes(), &mut |_| told += 1);
        assert_eq!(read.is_ok(), good, "{body}");
        assert_eq!(told > 0, good, "{body}");
    }
    let mut failed = false;
    whole(
        Task::Embedding,
        br#"{"error":{"message":"no"}}"#,
        &mut |event| {
            failed |= matches!(event, Event::Failed(_));
        },
    )
    .unwrap();
    assert!(failed);
}
