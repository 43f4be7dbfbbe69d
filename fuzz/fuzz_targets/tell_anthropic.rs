//! Any list of events told as a stream of Anthropic's format: each block is opened, filled and
//! closed before the next, and the end comes once and last. Each pair of bytes is an event.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use segue::dialect::Voices;
use segue::dialect::anthropic::encode::Teller;
use segue::exchange::{Delivery, Dialect, Event, Finish, Signed, Task, Usage, UsageWish};
use segue::sse::Decoder;
use segue::units::{ByteSize, Tokens};
use serde_json::Value;

const TEXTS: [&str; 8] = ["", "{", "}", "\"", "a", "{}", "\\", "é\n"];

fuzz_target!(|bytes: &[u8]| {
    let delivery = Delivery::Stream(UsageWish::Asked);
    let mut teller = Teller::new(&Voices::alike(Dialect::Anthropic, Task::Chat, delivery));
    let mut out = BytesMut::new();
    for pair in bytes.chunks_exact(2) {
        if let [kind, value] = *pair {
            teller.event(&event(kind, value), &mut out);
        }
    }
    teller.end(&mut out);
    teller.end(&mut out);
    check(out.freeze());
});

fn event(kind: u8, value: u8) -> Event<'static> {
    let word = |bits: u8| TEXTS[usize::from(bits & 7)];
    let (choice, text) = (u32::from(kind >> 7), word(value));
    let some = |wanted: bool, bits: u8| wanted.then(|| word(bits).into());
    match kind & 15 {
        0 => Event::Started,
        1 | 2 => Event::Text {
            choice,
            text: text.into(),
        },
        3 => Event::Reasoning {
            choice,
            text: text.into(),
        },
        4 => Event::Refusal {
            choice,
            text: text.into(),
        },
        5 => Event::Signature {
            choice,
            of: Signed::Reasoning,
            text: text.into(),
        },
        6 => Event::Signature {
            choice,
            of: Signed::Call(value.into()),
            text: text.into(),
        },
        7 => Event::Ping,
        8 => Event::Media { choice },
        9 => Event::End,
        10 => Event::Usage(Usage {
            input: Tokens(value.into()),
            ..Usage::default()
        }),
        11 => Event::Finished {
            choice,
            reason: match value & 3 {
                0 => Finish::Stop,
                1 => Finish::Length,
                2 => Finish::ToolCalls,
                _ => Finish::ContentFilter,
            },
        },
        _ => Event::ToolCall {
            choice,
            index: (value >> 6).into(),
            id: some(kind & 16 != 0, value >> 3),
            name: some(kind & 32 != 0, value >> 3),
            arguments: text.into(),
        },
    }
}

fn check(bytes: Bytes) {
    let mut decoder = Decoder::new(ByteSize::mib(64));
    decoder.push(bytes);
    let (mut open, mut next, mut types) = (None, 0, Vec::new());
    while let Ok(Some(frame)) = decoder.next_frame() {
        let data: Value = serde_json::from_slice(&frame.data.unwrap_or_default()).unwrap();
        let kind = data["type"].as_str().unwrap().to_owned();
        assert_eq!(frame.event.as_deref(), Some(kind.as_bytes()));
        let index = data["index"].as_u64();
        match &*kind {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(next)));
                open = index;
                next += 1;
            }
            "content_block_delta" => assert!(open.is_some() && open == index),
            "content_block_stop" => {
                assert!(open.is_some() && open == index);
                open = None;
            }
            "message_start" | "message_delta" | "message_stop" | "error" => {
                assert!(open.is_none() || kind == "error");
            }
            other => assert_eq!(other, "ping"),
        }
        types.push(kind);
    }
    assert_eq!(decoder.pending(), 0);
    assert_eq!(types.first().map(String::as_str), Some("message_start"));
    let count = |wanted: &str| types.iter().filter(|kind| *kind == wanted).count();
    assert_eq!(count("message_start"), 1);
    match types.last().map(String::as_str) {
        Some("message_stop") => {
            assert_eq!(
                (
                    count("message_delta"),
                    count("message_stop"),
                    count("error")
                ),
                (1, 1, 0)
            );
        }
        last => assert_eq!((last, count("message_stop")), (Some("error"), 0)),
    }
}
