//! Every stream in `tests/fixtures/gemini`, whole and cut, and what hostile bytes may do.

use std::fmt::Write as _;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Stream, whole};
use crate::dialect::carry::{Carry, Malformed};
use crate::dialect::golden::{fixtures, frames, golden};
use crate::dialect::{classify, failure};
use crate::exchange::{Class, Dialect, Event};
use crate::sse::Frame;
use crate::units::Tokens;

/// One line for each frame, with whether the answer is finished after it, and one for each event.
fn transcript(pieces: &[Bytes]) -> String {
    let mut stream = Stream::new();
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
        raw: [b"data: ", &data[..], b"\n\n"].concat().into(),
        event: None,
        data: Some(data),
        id: None,
        retry: None,
    }
}

fn told(data: impl Into<Bytes>) -> Result<Vec<String>, Malformed> {
    let mut events = Vec::new();
    Stream::new().frame(&frame(data), &mut |event| events.push(format!("{event:?}")))?;
    Ok(events)
}

#[test]
fn each_recorded_stream_says_what_its_snapshot_says() {
    for (name, bytes) in fixtures("gemini", "sse") {
        golden("gemini", &format!("stream_{name}"), &transcript(&[bytes]));
    }
}

#[test]
fn each_recorded_whole_answer_says_what_its_snapshot_says() {
    for (name, bytes) in fixtures("gemini", "json") {
        let mut out = String::new();
        let read = whole(&bytes, &mut |event| writeln!(out, "{event:?}").unwrap());
        assert_eq!(read.is_ok(), !out.is_empty(), "{name}");
        golden(
            "gemini",
            &format!("whole_{name}"),
            &format!("{out}{read:?}\n"),
        );
    }
}

#[test]
fn a_stream_cut_anywhere_says_the_same() {
    for (name, bytes) in fixtures("gemini", "sse") {
        let expected = transcript(std::slice::from_ref(&bytes));
        for cut in 0..=bytes.len() {
            let pieces = [bytes.slice(..cut), bytes.slice(cut..)];
            assert_eq!(transcript(&pieces), expected, "{name} cut at {cut}");
        }
        let single: Vec<_> = (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect();
        assert_eq!(transcript(&single), expected, "{name} byte by byte");
    }
}

/// A stream that breaks off anywhere is finished only if the frame with the last end was whole.
#[test]
fn no_stream_is_finished_before_its_last_end() {
    for (name, bytes) in fixtures("gemini", "sse") {
        let mut stream = Stream::new();
        for frame in frames(&[bytes]) {
            let before = stream.finished();
            let mut ends = false;
            let read = stream.frame(&frame, &mut |event| {
                ends |= matches!(event, Event::Finished { .. });
            });
            if stream.finished() && !before {
                assert!(read.is_ok() && ends, "{name}");
            }
        }
    }
}

#[test]
fn every_recorded_error_has_its_class() {
    let (_, list) = fixtures("gemini", "list").pop().unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap();
    assert!(list.len() >= 20);
    for case in list {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let body = case["body"].to_string();
        let failure = failure(Dialect::Gemini, status, body.as_bytes());
        let class = classify(&failure);
        assert_eq!(class.name(), case["class"], "{}: {failure:?}", case["name"]);
    }
}

#[test]
fn an_end_that_is_an_error_has_a_class() {
    for (reason, class) in [
        ("MALFORMED_FUNCTION_CALL", Class::BadModelOutput),
        ("UNEXPECTED_TOOL_CALL", Class::BadModelOutput),
        ("TOO_MANY_TOOL_CALLS", Class::BadModelOutput),
        ("MALFORMED_RESPONSE", Class::BadModelOutput),
        ("MISSING_THOUGHT_SIGNATURE", Class::BadRequest),
        ("OTHER", Class::Transient),
        ("FINISH_REASON_UNSPECIFIED", Class::Transient),
    ] {
        let data = format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#);
        let mut found = None;
        let mut stream = Stream::new();
        let carry = stream.frame(&frame(data), &mut |event| {
            if let Event::Failed(failure) = event {
                found = Some(classify(&failure));
            }
        });
        assert_eq!(
            (carry, found),
            (Ok(Carry::Failure), Some(class)),
            "{reason}"
        );
        assert!(!stream.finished());
    }
}

#[test]
fn what_is_no_part_of_an_answer_is_malformed() {
    for shape in [
        "[]",
        "7",
        "null",
        "\"text\"",
        "{}",
        r#"{"foo":1}"#,
        r#"{"candidates":{}}"#,
        r#"{"candidates":[7]}"#,
        r#"{"candidates":[{"content":"a"}]}"#,
        r#"{"candidates":[{"content":{"parts":{}}}]}"#,
        r#"{"candidates":[{"index":-1}]}"#,
        r#"{"candidates":[{"index":"0"}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":7}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":7}}]}}]}"#,
        r#"{"error":null}"#,
        r#"[{"responseId":"a"},{}]"#,
    ] {
        assert_eq!(told(shape), Err(Malformed::Shape), "{shape}");
    }
    for json in ["", "x", "{", r#"{"candidates":["#, r#"{"responseId":"a"}}"#] {
        let read = told(json);
        assert!(matches!(read, Err(Malformed::NotJson { .. })), "{json}");
    }
    let not_text = told(&b"{\"responseId\":\"\xff\"}"[..]);
    assert_eq!(not_text, Err(Malformed::NotUtf8));
}

#[test]
fn an_answer_has_a_bounded_number_of_candidates_and_parts() {
    let candidates = |count: u32| {
        let all: Vec<_> = (0..count)
            .map(|at| format!(r#"{{"index":{at}}}"#))
            .collect();
        told(format!(r#"{{"candidates":[{}]}}"#, all.join(",")))
    };
    assert!(candidates(128).is_ok());
    assert_eq!(candidates(129), Err(Malformed::TooMany));
    let parts = |count: usize| {
        let all = vec!["{}"; count].join(",");
        told(format!(
            r#"{{"candidates":[{{"content":{{"parts":[{all}]}}}}]}}"#
        ))
    };
    assert!(parts(2048).is_ok());
    assert_eq!(parts(2049), Err(Malformed::TooMany));
}

#[test]
fn a_frame_that_is_refused_leaves_no_trace() {
    let mut stream = Stream::new();
    let all: Vec<_> = (0..129).map(|at| format!(r#"{{"index":{at}}}"#)).collect();
    let refused = frame(format!(r#"{{"candidates":[{}]}}"#, all.join(",")));
    assert!(
        stream
            .frame(&refused, &mut |event| panic!("{event:?}"))
            .is_err()
    );
    let good =
        frame(r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#);
    let mut events = 0;
    stream.frame(&good, &mut |_| events += 1).unwrap();
    assert!(stream.finished() && events == 3);
}

#[test]
fn nesting_without_end_is_refused_without_a_deep_stack() {
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(200_000);
        assert!(told(format!(r#"{{"candidates":[],"x":{deep}"#)).is_err());
        assert!(told(deep).is_err());
    }
}

#[test]
fn texts_are_borrowed_from_the_frame_where_they_have_no_escapes() {
    let data = Bytes::from(
        r#"{"candidates":[{"content":{"parts":[{"text":"a"},{"text":"b","thought":true},{"functionCall":{"id":"c","name":"d","args":{"e":1}}}]}}]}"#,
    );
    let range = data.as_ptr_range();
    let inside = |text: &str| range.contains(&text.as_ptr());
    let mut seen = 0;
    let mut sink = |event: Event<'_>| match event {
        Event::Text { text, .. } | Event::Reasoning { text, .. } => {
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
    Stream::new()
        .frame(&frame(data.clone()), &mut sink)
        .unwrap();
    assert_eq!(seen, 3);
}

/// Documents that are near to what the API sends.
#[expect(clippy::too_many_lines, reason = "lists of words")]
fn chunkish() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "candidates",
        "content",
        "parts",
        "text",
        "thought",
        "thoughtSignature",
        "functionCall",
        "id",
        "name",
        "args",
        "partialArgs",
        "jsonPath",
        "stringValue",
        "willContinue",
        "inlineData",
        "finishReason",
        "index",
        "usageMetadata",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cachedContentTokenCount",
        "error",
        "message",
        "promptFeedback",
        "blockReason",
        "responseId",
    ]);
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "0",
            "1",
            "-1",
            "1e400",
            "\"\"",
            "\"a\"",
            "\"STOP\"",
            "\"OTHER\"",
            "\"CONTINUATION\"",
            "\"SAFETY\"",
            "\"$.a[0].b\"",
            "{}",
            "[]",
            "\"\\ud800\"",
        ])
        .prop_map(str::to_owned),
        any::<u64>().prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(7, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((words.clone(), inner), 0..5).prop_map(|fields| {
                let all: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", all.join(","))
            }),
        ]
    })
}

/// Whole chunks of which the parts are anything.
fn chunk() -> impl Strategy<Value = String> {
    (chunkish(), chunkish(), chunkish()).prop_map(|(part, reason, usage)| {
        format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}},"finishReason":{reason}}}],"usageMetadata":{usage}}}"#)
    })
}

proptest! {
    #[test]
    fn no_document_panics_and_nothing_is_told_of_what_is_refused(
        documents in prop::collection::vec(prop_oneof![chunkish(), chunk()], 1..4),
    ) {
        let mut stream = Stream::new();
        let mut failed = false;
        for document in &documents {
            let mut count = 0;
            let read = stream.frame(&frame(document.clone()), &mut |event| {
                count += 1;
                failed |= matches!(event, Event::Failed(_));
                if let Event::Usage(usage) = event {
                    let most = Tokens(2 * u64::from(u32::MAX));
                    assert!(usage.input <= most && usage.output <= most);
                    assert!(usage.cached <= usage.input && usage.reasoning <= usage.output);
                }
            });
            prop_assert_eq!(read.is_ok(), count > 0);
            prop_assert!(!failed || !stream.finished());
            let mut count = 0;
            let read = whole(document.as_bytes(), &mut |_| count += 1);
            prop_assert_eq!(read.is_ok(), count > 0);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
        let bytes = Bytes::from(bytes);
        let cut = cut.min(bytes.len());
        let pieces = [bytes.slice(..cut), bytes.slice(cut..)];
        prop_assert_eq!(transcript(&pieces), transcript(std::slice::from_ref(&bytes)));
        let _ = whole(&bytes, &mut |_| {});
    }
}
