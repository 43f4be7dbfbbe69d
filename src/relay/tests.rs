//! The pump: for every cut of a stream the client gets the same bytes.

use bytes::Bytes;

use super::pump::Pump;
use super::verdict::Why;
use crate::exchange::{Delivery, Dialect, UsageWish};
use crate::units::ByteSize;

const ROLE: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"#,
    r#""delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
    "\n\n"
);
const TEXT: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"#,
    r#""delta":{"content":"Grüße"},"finish_reason":null}],"usage":null}"#,
    "\n\n"
);
const FINISH: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"#,
    r#""delta":{},"finish_reason":"stop"}],"usage":null}"#,
    "\n\n"
);
const USAGE: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","choices":[],"#,
    r#""usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#,
    "\n\n"
);
const ERROR: &str = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
const COMMENT: &str = ": PROCESSING\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// What a client got of a stream, and how it ended.
#[derive(Debug, PartialEq)]
struct Got {
    bytes: String,
    end: Result<(), &'static str>,
    committed: bool,
    usage: Option<u64>,
}

fn run(wish: UsageWish, pieces: &[&[u8]]) -> Got {
    let mut pump = Pump::new(Dialect::OpenAi, Delivery::Stream(wish), ByteSize::kib(64));
    let mut bytes = Vec::new();
    let mut end: Option<Result<(), Why>> = None;
    for piece in pieces {
        let step = pump.chunk(Bytes::copy_from_slice(piece));
        bytes.extend(step.send.unwrap_or_default());
        end = step.end;
        if end.is_some() {
            break;
        }
    }
    let end = end.unwrap_or_else(|| {
        let step = pump.finish();
        bytes.extend(step.send.unwrap_or_default());
        step.end.unwrap()
    });
    Got {
        bytes: String::from_utf8(bytes).unwrap(),
        end: end.map_err(|why| why.name()),
        committed: pump.is_committed(),
        usage: pump.usage().map(|usage| usage.output.0),
    }
}

fn whole(stream: &str) -> Got {
    run(UsageWish::NotAsked, &[stream.as_bytes()])
}

#[test]
fn every_cut_of_a_stream_gives_the_client_the_same_bytes() {
    let crlf = [ROLE, TEXT, FINISH, USAGE, DONE]
        .concat()
        .replace('\n', "\r\n");
    let streams = [
        [ROLE, COMMENT, TEXT, COMMENT, TEXT, FINISH, USAGE, DONE].concat(),
        [ROLE, TEXT, FINISH].concat(),
        [ROLE, TEXT, ERROR, DONE].concat(),
        [ROLE, ERROR].concat(),
        [ROLE, TEXT].concat(),
        format!("\u{feff}{TEXT}{}", FINISH.trim_end()),
        format!("event: message\nid: 7\nretry: 10\n{TEXT}{FINISH}{DONE}"),
        format!("{TEXT}data: {{\"choices\":"),
        crlf,
    ];
    for stream in streams {
        for wish in [UsageWish::Asked, UsageWish::NotAsked] {
            let bytes = stream.as_bytes();
            let expected = run(wish, &[bytes]);
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                assert_eq!(
                    run(wish, &[head, tail]),
                    expected,
                    "cut at {cut} of {stream:?}"
                );
            }
            let singles: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(run(wish, &singles), expected, "byte by byte: {stream:?}");
        }
    }
}

#[test]
fn a_good_stream_goes_out_as_it_came_without_the_usage_that_was_not_asked_for() {
    let stream = [ROLE, TEXT, FINISH, USAGE, DONE].concat();
    let got = whole(&stream);
    assert_eq!(got.bytes, [ROLE, TEXT, FINISH, DONE].concat());
    assert_eq!((got.end, got.usage), (Ok(()), Some(1)));
    let got = run(UsageWish::Asked, &[stream.as_bytes()]);
    assert_eq!(got.bytes, stream);
}

#[test]
fn an_error_before_the_first_content_lets_no_byte_out() {
    for stream in [
        ERROR.to_owned(),
        [ROLE, ERROR].concat(),
        [ROLE, COMMENT, ERROR, DONE].concat(),
        [ROLE, "data: {\"choices\":\n\n"].concat(),
        [ROLE, "<html>\n\n"].concat(),
        ROLE.to_owned(),
        DONE.to_owned(),
        [ROLE, DONE].concat(),
        String::new(),
    ] {
        let got = whole(&stream);
        assert!(got.end.is_err() || stream.contains("<html>"), "{stream:?}");
        assert_eq!(
            (got.bytes.as_str(), got.committed),
            ("", false),
            "{stream:?}"
        );
    }
}

#[test]
fn a_break_after_content_is_told_apart_from_an_end() {
    for (tail, expected) in [
        ("", Err("truncated")),
        (DONE, Err("truncated")),
        (ERROR, Err("error_event")),
        ("data: {\"choices\":\n\n", Err("malformed")),
        (FINISH, Ok(())),
    ] {
        let got = whole(&[ROLE, TEXT, tail].concat());
        assert_eq!(got.end, expected, "{tail:?}");
        assert!(got.committed && got.bytes.starts_with(ROLE), "{tail:?}");
        assert_eq!(got.bytes.contains("[DONE]"), expected.is_ok(), "{tail:?}");
    }
}

#[test]
fn an_error_after_the_finish_is_a_break() {
    let got = whole(&[ROLE, TEXT, FINISH, ERROR].concat());
    assert_eq!(got.end, Err("error_event"));
    assert!(!got.bytes.contains("[DONE]"));
}

#[test]
fn a_missing_end_mark_after_the_finish_is_supplied_once() {
    let got = whole(&[ROLE, TEXT, FINISH].concat());
    assert_eq!(got.bytes, [ROLE, TEXT, FINISH, DONE].concat());
    let got = whole(&[ROLE, TEXT, FINISH, DONE, DONE, TEXT].concat());
    assert_eq!(got.bytes, [ROLE, TEXT, FINISH, DONE].concat());
}

#[test]
fn an_event_over_its_limit_is_a_break() {
    let long = format!("data: {}\n\n", "x".repeat(80 << 10));
    assert_eq!(whole(&[ROLE, TEXT, &long].concat()).end, Err("too_large"));
}

#[test]
fn fields_that_sdks_stumble_over_are_left_out() {
    let got = whole(&format!("id: 7\nevent: x\nretry: 5\n{TEXT}{FINISH}{DONE}"));
    assert_eq!(got.bytes, [TEXT, FINISH, DONE].concat());
}
