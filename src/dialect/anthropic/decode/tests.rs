//! Every answer in `tests/fixtures/anthropic`, whole and cut, and what hostile bytes may do.

use std::fmt::Write as _;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Stream, whole};
use crate::dialect::golden::{fixtures, frames, golden};
use crate::dialect::{Carry, Malformed};
use crate::exchange::{Event, Task};
use crate::sse::{Decoder, Frame};
use crate::units::ByteSize;

/// One line for each frame, with whether the answer is finished after it, and one for each event.
fn transcript(pieces: &[Bytes]) -> String {
    let mut stream = Stream::new();
    let mut out = String::new();
    for frame in frames(pieces) {
        let mut events = String::new();
        let carry = stream.frame(&frame, &mut |event| {
            writeln!(events, "  {event:?}").unwrap();
        });
        assert_eq!(carry.is_ok(), !events.is_empty(), "{frame:?}");
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
    Stream::new().frame(&frame(data), &mut |event| events.push(format!("{event:?}")))?;
    Ok(events)
}

#[test]
fn each_recorded_stream_says_what_its_snapshot_says() {
    for (name, bytes) in fixtures("anthropic", "sse") {
        golden(
            "anthropic",
            &format!("stream_{name}"),
            &transcript(&[bytes]),
        );
    }
}

#[test]
fn each_recorded_whole_answer_says_what_its_snapshot_says() {
    for (name, bytes) in fixtures("anthropic", "json") {
        let task = if name == "count" {
            Task::Count
        } else {
            Task::Chat
        };
        let mut out = String::new();
        let read = whole(task, &bytes, &mut |event| {
            writeln!(out, "{event:?}").unwrap();
        });
        golden(
            "anthropic",
            &format!("whole_{name}"),
            &format!("{out}{read:?}\n"),
        );
    }
}

#[test]
fn a_stream_cut_anywhere_says_the_same() {
    for (name, bytes) in fixtures("anthropic", "sse") {
        let expected = transcript(std::slice::from_ref(&bytes));
        for cut in 0..=bytes.len() {
            let pieces = [bytes.slice(..cut), bytes.slice(cut..)];
            assert_eq!(transcript(&pieces), expected, "{name} cut at {cut}");
        }
        let single: Vec<_> = (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect();
        assert_eq!(transcript(&single), expected, "{name} byte by byte");
    }
}

#[test]
fn no_stream_is_finished_before_its_stop_reason() {
    for (name, bytes) in fixtures("anthropic", "sse") {
        let mut stream = Stream::new();
        let mut ended = false;
        for frame in frames(&[bytes]) {
            let _ = stream.frame(&frame, &mut |event| {
                ended |= matches!(event, Event::Finished { .. });
            });
            assert!(ended || !stream.finished(), "{name}");
        }
    }
}

#[test]
fn a_malformed_frame_tells_nothing_and_changes_nothing() {
    let mut stream = Stream::new();
    for data in [
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":{}}}"#,
    ] {
        let read = stream.frame(&frame(data), &mut |event| panic!("{event:?}"));
        assert!(read.is_err());
        assert!(!stream.finished());
    }
}

#[test]
fn no_line_of_a_frame_goes_on_that_is_not_text() {
    for (bytes, good) in [
        (&b"event: ping\ndata: {\"type\":\"ping\"}\n\n"[..], true),
        (b": caf\xc3\xa9\ndata: {\"type\":\"ping\"}\n\n", true),
        (b": caf\xe9\ndata: {\"type\":\"ping\"}\n\n", false),
        (
            b"event: ping\nid: \xff\ndata: {\"type\":\"ping\"}\n\n",
            false,
        ),
        (b": \xff\n\n", false),
        (b"data: {\"type\":\"ping\",\"x\":\"\xff\"}\n\n", false),
    ] {
        let frames = frames(&[Bytes::from_static(bytes)]);
        let mut stream = Stream::new();
        let read = frames
            .iter()
            .all(|frame| stream.frame(frame, &mut |_| {}).is_ok());
        assert_eq!(read, good, "{bytes:?}");
    }
}

#[test]
fn malformed_never_quotes_the_answer() {
    for data in [
        r#"{"type":"message_delta","delta":"canary"}"#,
        r#"{"type":"content_block_delta",canary}"#,
        r#"{"type":"content_block_start","index":"canary","content_block":{"type":"text"}}"#,
    ] {
        let error = told(data).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{data}");
    }
}

#[test]
fn blocks_are_bounded() {
    let mut stream = Stream::new();
    let mut open = |index: u32| {
        let block = r#"{"type":"tool_use","id":"a","name":"f","input":{}}"#;
        let data =
            format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#);
        stream.frame(&frame(data), &mut |_| {})
    };
    for index in 0..64 {
        assert_eq!(open(index), Ok(Carry::Forward));
    }
    assert_eq!(open(64), Err(Malformed::TooMany));
    assert_eq!(open(63), Ok(Carry::Forward));
    let many = vec![r#"{"type":"text","text":""}"#; 9000].join(",");
    let body = format!(r#"{{"type":"message","content":[{many}]}}"#);
    let read = whole(Task::Chat, body.as_bytes(), &mut |event| {
        panic!("{event:?}")
    });
    assert_eq!(read, Err(Malformed::TooMany));
}

#[test]
fn nesting_without_end_is_refused_or_ignored_without_a_deep_stack() {
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(200_000);
        assert!(told(format!(r#"{{"type":"ping","x":{deep}"#)).is_err());
        assert!(told(deep).is_err());
    }
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let closed = format!(r#"{{"type":"new","delta":{open}{close}}}"#);
    assert_eq!(told(closed).unwrap(), ["Ping"]);
}

#[test]
fn texts_are_borrowed_from_the_frame_where_they_have_no_escapes() {
    let delta = |delta: &str| {
        let delta = format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#);
        Bytes::from(delta)
    };
    for data in [
        delta(r#"{"type":"text_delta","text":"a"}"#),
        delta(r#"{"type":"thinking_delta","thinking":"b"}"#),
        delta(r#"{"type":"signature_delta","signature":"c"}"#),
    ] {
        let range = data.as_ptr_range();
        let mut seen = false;
        let mut sink = |event: Event<'_>| match event {
            Event::Text { text, .. }
            | Event::Reasoning { text, .. }
            | Event::Signature { text, .. } => seen = range.contains(&text.as_ptr()),
            event => panic!("{event:?}"),
        };
        Stream::new()
            .frame(&frame(data.clone()), &mut sink)
            .unwrap();
        assert!(seen, "{data:?}");
    }
}

#[test]
fn a_whole_answer_without_an_answer_in_it_is_malformed() {
    for body in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"type":"message"}"#,
        r#"{"type":"message","content":[{}]}"#,
        r#"{"type":"message","content":[{"type":"text","text":"a"}]"#,
        "<html></html>",
        "data: {}\n\n",
        r#"{"input_tokens":"14"}"#,
        r#"["message",null,null,null,null,null,null]"#,
    ] {
        for task in [Task::Chat, Task::Count] {
            let read = whole(task, body.as_bytes(), &mut |event| panic!("{event:?}"));
            assert!(read.is_err(), "{body}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_and_what_is_read_is_told(
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                &b"event: error\n"[..], b"event: content_block_delta\n", b"data: ", b"\n\n", b"{",
                b"}", b"\"type\":", b"\"content_block_start\"", b"\"index\":0", b",", b"\"delta\":",
                b"\"text_delta\"", b"\"content_block\":", b"\"tool_use\"", b"null", b"\xff", b"\\ud8",
            ]).prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..6),
        ], 0..40)
    ) {
        let bytes = Bytes::from(pieces.concat());
        let mut decoder = Decoder::new(ByteSize::kib(64));
        decoder.push(bytes.clone());
        let mut stream = Stream::new();
        while let Ok(Some(frame)) = decoder.next_frame() {
            let mut told = 0;
            let read = stream.frame(&frame, &mut |_| told += 1);
            prop_assert_eq!(read.is_ok(), told > 0);
        }
        for task in [Task::Chat, Task::Count] {
            let mut told = 0;
            let read = whole(task, &bytes, &mut |_| told += 1);
            prop_assert_eq!(read.is_ok(), told > 0);
        }
    }

    #[test]
    fn the_sums_of_a_usage_agree(fresh in 0_u64..1 << 40, read in 0_u64..1 << 33, write in 0_u64..1 << 33, output in 0_u64..1 << 33, thinking in 0_u64..1 << 33) {
        let data = format!(r#"{{"type":"message_delta","delta":{{}},"usage":{{"input_tokens":{fresh},"cache_read_input_tokens":{read},"cache_creation_input_tokens":{write},"output_tokens":{output},"output_tokens_details":{{"thinking_tokens":{thinking}}}}}}}"#);
        let mut usage = None;
        Stream::new().frame(&frame(data), &mut |event| if let Event::Usage(told) = event {
            usage = Some(told);
        }).unwrap();
        let usage = usage.unwrap();
        let most = |count: u64| count.min(u32::MAX.into());
        prop_assert_eq!(usage.input.0, most(fresh) + most(read) + most(write));
        prop_assert!(usage.cached.0 + usage.cache_write.0 <= usage.input.0);
        prop_assert!(usage.reasoning <= usage.output);
    }
}
