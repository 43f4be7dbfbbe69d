//! Answers that are told in this format: recorded ones and made-up ones, read back by the strict
//! reader of `grammar`.

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{STOP, Teller, fault, fault_event, model, models, words};
use crate::dialect::anthropic::decode;
use crate::dialect::anthropic::grammar::{Block, Heard, read};
use crate::dialect::golden::{fixtures, golden};
use crate::dialect::voices::{Label, Voices};
use crate::dialect::{Stream, Told};
use crate::exchange::{
    Answer, Delivery, Dialect, Event, Fault, FaultKind, Finish, Form, Signed, Task, Usage,
    UsageWish,
};
use crate::sse::{self, Decoder};
use crate::units::{ByteSize, Tokens};

const KINDS: [FaultKind; 18] = [
    FaultKind::BadRequest,
    FaultKind::Unauthorized,
    FaultKind::NotFound,
    FaultKind::UnknownModel,
    FaultKind::MethodNotAllowed,
    FaultKind::RequestTimeout,
    FaultKind::BodyTooLarge,
    FaultKind::HeadTooLarge,
    FaultKind::UnsupportedMediaType,
    FaultKind::ContextLength,
    FaultKind::ContentPolicy,
    FaultKind::RateLimited,
    FaultKind::OverLimit,
    FaultKind::OverBudget,
    FaultKind::Overloaded,
    FaultKind::ProviderFailed,
    FaultKind::ProviderTimeout,
    FaultKind::Internal,
];
const LABEL: Label<'static> = Label {
    id: "req-1",
    model: "a-model",
    created: 0,
};

/// A provider of another task, so that nothing is passed on verbatim.
fn voices(delivery: Delivery) -> Voices<'static> {
    Voices {
        provider: Dialect::Anthropic,
        form: Form::Stream,
        asked: Task::Chat,
        client: Dialect::Anthropic,
        delivery,
        task: Task::Completion,
        label: LABEL,
    }
}

fn tell(events: &[Event<'_>]) -> Vec<u8> {
    let mut teller = Teller::new(&voices(Delivery::Stream(UsageWish::Asked)));
    let mut out = BytesMut::new();
    for event in events {
        teller.event(event, &mut out);
    }
    teller.end(&mut out);
    teller.end(&mut out);
    out.to_vec()
}

fn heard(events: &[Event<'_>]) -> Heard {
    let bytes = tell(events);
    read(&bytes).unwrap_or_else(|rule| panic!("{rule}\n{}", String::from_utf8_lossy(&bytes)))
}

fn text(text: &str) -> Event<'_> {
    Event::Text {
        choice: 0,
        text: text.into(),
    }
}

fn thought(text: &str) -> Event<'_> {
    Event::Reasoning {
        choice: 0,
        text: text.into(),
    }
}

fn seal(text: &str) -> Event<'_> {
    Event::Signature {
        choice: 0,
        of: Signed::Reasoning,
        text: text.into(),
    }
}

fn call<'a>(index: u32, id: &'a str, name: &'a str, arguments: &'a str) -> Event<'a> {
    Event::ToolCall {
        choice: 0,
        index,
        id: (!id.is_empty()).then(|| id.into()),
        name: (!name.is_empty()).then(|| name.into()),
        arguments: arguments.into(),
    }
}

fn done(reason: Finish) -> Event<'static> {
    Event::Finished { choice: 0, reason }
}

fn tool(id: &str, name: &str, input: &str) -> Block {
    Block::Tool {
        id: id.to_owned(),
        name: name.to_owned(),
        input: input.to_owned(),
    }
}

/// The recorded stream, read and told again, as a stream or whole; `None` if it breaks off.
fn retold(bytes: &[Bytes], delivery: Delivery) -> Option<Bytes> {
    let mut stream = Stream::new(&voices(delivery));
    let mut decoder = Decoder::new(ByteSize::kib(64));
    let mut out = BytesMut::new();
    let mut take = |frame: &sse::Frame, out: &mut BytesMut| match stream.frame(frame, &mut |_| {}) {
        Ok(Told::Answer(bytes) | Told::Life(bytes)) => out.extend_from_slice(&bytes),
        Ok(Told::End | Told::Failure) | Err(_) => {}
    };
    for piece in bytes {
        decoder.push(piece.clone());
        while let Some(frame) = decoder.next_frame().unwrap() {
            take(&frame, &mut out);
        }
    }
    while let Some(frame) = decoder.finish().unwrap() {
        take(&frame, &mut out);
    }
    stream.finished().then(|| {
        out.extend_from_slice(&stream.end());
        out.freeze()
    })
}

const STREAMED: Delivery = Delivery::Stream(UsageWish::Asked);

#[test]
fn each_recorded_stream_is_told_again_as_its_snapshot_says() {
    for (name, bytes) in fixtures("anthropic", "sse") {
        let bytes = [bytes];
        let Some(streamed) = retold(&bytes, STREAMED) else {
            continue;
        };
        read(&streamed).unwrap_or_else(|rule| panic!("{name}: {rule}"));
        let whole = retold(&bytes, Delivery::Whole).unwrap();
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let streamed = String::from_utf8(streamed.to_vec()).unwrap();
        golden(
            "anthropic",
            &format!("retold_{name}"),
            &format!("{streamed}{whole:#}\n"),
        );
    }
}

/// That the events are the same wherever it is cut is shown beside the decoder.
#[test]
fn a_stream_cut_anywhere_is_told_the_same() {
    for (name, bytes) in fixtures("anthropic", "sse") {
        for delivery in [STREAMED, Delivery::Whole] {
            let expected = retold(std::slice::from_ref(&bytes), delivery);
            for cut in (0..=bytes.len()).step_by(13) {
                let pieces = [bytes.slice(..cut), bytes.slice(cut..)];
                assert_eq!(retold(&pieces, delivery), expected, "{name} cut at {cut}");
            }
            let single: Vec<_> = (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect();
            assert_eq!(retold(&single, delivery), expected, "{name} byte by byte");
        }
    }
}

#[test]
fn each_recorded_whole_answer_is_told_as_a_stream_and_whole_again() {
    for (name, bytes) in fixtures("anthropic", "json") {
        let voices = Voices {
            form: Form::Whole,
            ..voices(STREAMED)
        };
        let Ok(streamed) = crate::dialect::whole(&voices, &bytes, &mut |_| {}) else {
            continue;
        };
        read(&streamed).unwrap_or_else(|rule| panic!("{name}: {rule}"));
        let mut answer = Answer::default();
        decode::whole(Task::Chat, &bytes, &mut |event| answer.event(&event)).unwrap();
        let whole: Value = serde_json::from_slice(&super::whole(&answer, &LABEL)).unwrap();
        let streamed = String::from_utf8(streamed.to_vec()).unwrap();
        golden(
            "anthropic",
            &format!("retold_whole_{name}"),
            &format!("{streamed}{whole:#}\n"),
        );
    }
}

#[test]
fn what_goes_between_two_of_this_format_is_not_touched() {
    for (name, bytes) in fixtures("anthropic", "sse") {
        let mut stream = Stream::new(&Voices::alike(Dialect::Anthropic, Task::Chat, STREAMED));
        let mut decoder = Decoder::new(ByteSize::kib(64));
        decoder.push(bytes.clone());
        let (mut out, mut expected) = (BytesMut::new(), BytesMut::new());
        while let Some(frame) = decoder.next_frame().unwrap() {
            match stream.frame(&frame, &mut |_| {}) {
                Ok(Told::Answer(bytes) | Told::Life(bytes)) => out.extend_from_slice(&bytes),
                Ok(Told::End) => out.extend_from_slice(&stream.end()),
                Ok(Told::Failure) | Err(_) => continue,
            }
            if frame.id.is_none() && frame.retry.is_none() {
                expected.extend_from_slice(&frame.raw);
            } else {
                let data = frame.data.unwrap_or_default();
                let event = std::str::from_utf8(frame.event.as_deref().unwrap()).unwrap();
                expected.extend_from_slice(&sse::encode(Some(event), &data));
            }
        }
        assert_eq!(out, expected, "{name}");
    }
}

#[test]
fn an_answer_of_every_kind_of_piece_keeps_its_order() {
    let heard = heard(&[
        Event::Started,
        Event::Ping,
        thought("Two"),
        thought(" calls."),
        seal("Eq"),
        seal("QB"),
        text("Let me "),
        text(""),
        text("look."),
        call(0, "toolu_1", "look", ""),
        call(0, "", "", "{\"a\":"),
        call(0, "", "", "1}"),
        call(1, "toolu_2", "now", "{}"),
        done(Finish::Stop),
        Event::Usage(Usage {
            input: Tokens(100),
            cached: Tokens(60),
            cache_write: Tokens(30),
            output: Tokens(20),
            reasoning: Tokens(5),
            ..Usage::default()
        }),
        Event::End,
    ]);
    let thinking = Block::Thinking {
        text: "Two calls.".to_owned(),
        signature: "EqQB".to_owned(),
    };
    assert_eq!(
        heard.blocks,
        [
            thinking,
            Block::Text("Let me look.".to_owned()),
            tool("toolu_1", "look", "{\"a\":1}"),
            tool("toolu_2", "now", "{}"),
        ]
    );
    assert_eq!(heard.message["id"], "msg_req-1");
    assert_eq!(heard.message["model"], "a-model");
    assert_eq!(heard.ending["stop_reason"], "tool_use");
    let usage = json!({
        "input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60,
        "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 5},
    });
    assert_eq!(heard.usage, usage);
    assert_eq!(heard.pings, 1);
}

#[test]
fn interleaved_calls_come_one_after_the_other() {
    let heard = heard(&[
        call(0, "a", "f", "{\"x\":"),
        call(1, "b", "g", "{\"y\":"),
        text("Meanwhile"),
        call(0, "", "", "1"),
        thought("hm"),
        seal("s"),
        call(2, "", "h", ""),
        call(1, "", "", "2}"),
        text("."),
        call(0, "", "", "}"),
        call(2, "c", "", "{}"),
        done(Finish::ToolCalls),
    ]);
    let thinking = Block::Thinking {
        text: "hm".to_owned(),
        signature: "s".to_owned(),
    };
    assert_eq!(
        heard.blocks,
        [
            tool("a", "f", "{\"x\":1}"),
            tool("b", "g", "{\"y\":2}"),
            Block::Text("Meanwhile".to_owned()),
            thinking,
            tool("c", "h", "{}"),
            Block::Text(".".to_owned()),
        ]
    );
}

#[test]
fn a_call_is_opened_as_soon_as_it_is_known_and_the_one_before_is_whole() {
    let mut teller = Teller::new(&voices(STREAMED));
    let mut step = |event: Event<'_>| {
        let mut out = BytesMut::new();
        teller.event(&event, &mut out);
        let out = String::from_utf8(out.to_vec()).unwrap();
        out.matches("event: ").count()
    };
    assert_eq!(step(Event::Started), 1);
    assert_eq!(step(call(0, "a", "", "")), 0, "no name yet");
    assert_eq!(step(call(0, "", "f", "")), 1, "start");
    assert_eq!(step(call(0, "", "", "{")), 1, "delta");
    assert_eq!(step(call(1, "b", "g", "{}")), 0, "waits");
    assert_eq!(step(call(0, "", "", "}")), 4, "delta, stop, start, delta");
    assert_eq!(step(text("x")), 3, "stop, start, delta");
}

#[test]
fn ids_that_are_missing_or_refused_are_replaced() {
    let heard = heard(&[
        call(0, "", "f", "{}"),
        call(7, "functions.f:0", "f", "{}"),
        call(9, "", "", "{"),
        done(Finish::Length),
    ]);
    let ids: Vec<_> = heard
        .blocks
        .iter()
        .map(|block| match block {
            Block::Tool { id, .. } => &**id,
            block => panic!("{block:?}"),
        })
        .collect();
    assert_eq!(ids[0], "toolu_req-1_0");
    assert!(ids[1].starts_with("functions_f_0_"));
    assert_eq!(ids[2], "toolu_req-1_9");
    assert_eq!(heard.ending["stop_reason"], "max_tokens");
}

#[test]
fn the_reason_follows_the_finish_and_what_was_said() {
    let one = || call(0, "a", "f", "{}");
    let refusal = || Event::Refusal {
        choice: 0,
        text: "I cannot.".into(),
    };
    for (events, expected) in [
        (vec![text("a"), done(Finish::Stop)], "end_turn"),
        (vec![text("a"), done(Finish::Other)], "end_turn"),
        (vec![text("a"), done(Finish::ToolCalls)], "end_turn"),
        (vec![text("a")], "end_turn"),
        (vec![], "end_turn"),
        (vec![one(), done(Finish::Stop)], "tool_use"),
        (vec![one()], "tool_use"),
        (vec![one(), done(Finish::Length)], "max_tokens"),
        (vec![one(), done(Finish::ContentFilter)], "refusal"),
        (vec![refusal(), done(Finish::Stop)], "refusal"),
        (vec![refusal(), done(Finish::Length)], "max_tokens"),
        (vec![done(Finish::Length), done(Finish::Stop)], "end_turn"),
    ] {
        let heard = heard(&events);
        assert_eq!(heard.ending["stop_reason"], expected, "{events:?}");
        let details = &heard.ending["stop_details"]["type"];
        assert_eq!(details == "refusal", expected == "refusal");
        let mut answer = Answer::default();
        for event in &events {
            answer.event(event);
        }
        let whole: Value = serde_json::from_slice(&super::whole(&answer, &LABEL)).unwrap();
        assert_eq!(whole["stop_reason"], expected, "{events:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_put_in_order_ends_with_an_error() {
    let long = "x".repeat(1 << 20);
    let mut events = vec![call(0, "a", "f", "{\"x\":\"")];
    events.extend((0..5).map(|_| text(&long)));
    events.push(done(Finish::ToolCalls));
    let kept = heard(&events);
    assert_eq!(kept.error.unwrap()["type"], "api_error");

    let many: Vec<_> = (0..5000).map(|key| call(key, "a", "f", "")).collect();
    assert!(heard(&many).error.is_some());
}

#[test]
fn a_fault_has_the_shape_of_the_format() {
    let plain = Fault::new(FaultKind::UnknownModel, "no model \"x\"\nhere");
    let expected =
        r#"{"type":"error","error":{"type":"not_found_error","message":"no model \"x\"\nhere"}}"#;
    assert_eq!(fault(&plain), expected);
    for (message, expected) in [
        ("205 > 200", "prompt is too long: 205 > 200"),
        (
            "prompt is too long: 205 > 200",
            "prompt is too long: 205 > 200",
        ),
    ] {
        let fault = fault(&Fault::new(FaultKind::ContextLength, message));
        let fault: Value = serde_json::from_slice(&fault).unwrap();
        assert_eq!(fault["error"]["message"], expected);
    }
}

#[test]
fn the_words_for_every_kind_of_fault() {
    let mut all = String::new();
    for kind in KINDS {
        writeln!(all, "{kind:?}: {}", words(kind)).unwrap();
    }
    golden("anthropic", "words", &all);
}

#[test]
fn our_own_fault_event_is_read_back_as_a_failure_and_has_no_end_mark() {
    for kind in KINDS {
        let event = fault_event(&Fault::new(
            kind,
            "it broke\r\n\r\nevent: message_stop\u{2028}",
        ));
        assert_eq!(
            event.iter().filter(|byte| b"\r\n".contains(byte)).count(),
            3
        );
        let mut frames = Decoder::new(ByteSize::kib(4));
        frames.push(event);
        let frame = frames.next_frame().unwrap().unwrap();
        let mut told = None;
        let mut stream = decode::Stream::new();
        let carry = stream.frame(&frame, &mut |event| {
            if let Event::Failed(failure) = event {
                told = failure.kind;
            }
        });
        assert_eq!(carry, Ok(crate::dialect::Carry::Failure));
        assert_eq!(told.as_deref(), Some(words(kind)));
    }
}

#[test]
fn models_are_listed_by_the_names_of_the_routes() {
    let model_of = |id: &str| json!({"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"});
    let list: Value = serde_json::from_slice(&models(["support", "a\"b"])).unwrap();
    let expected = json!({
        "data": [model_of("support"), model_of("a\"b")],
        "first_id": "support", "last_id": "a\"b", "has_more": false,
    });
    assert_eq!(list, expected);
    let none = json!({"data": [], "first_id": null, "last_id": null, "has_more": false});
    assert_eq!(serde_json::from_slice::<Value>(&models([])).unwrap(), none);
    let one: Value = serde_json::from_slice(&model("draft")).unwrap();
    assert_eq!(one, model_of("draft"));
    assert_eq!(super::count(Tokens(14)), r#"{"input_tokens":14}"#);
}

#[test]
fn the_end_mark_is_one_frame() {
    let encoded = sse::encode(Some("message_stop"), br#"{"type":"message_stop"}"#);
    assert_eq!(encoded, STOP);
    assert!(tell(&[]).ends_with(STOP));
}

fn any_event() -> impl Strategy<Value = Event<'static>> {
    let word = || prop::sample::select(vec!["", "a", "{", "}", "\"", "{}", "é\n", "[1]", "\\"]);
    let choice = || prop_oneof![9 => Just(0_u32), 1 => Just(1_u32)];
    let of = prop_oneof![Just(Signed::Reasoning), (0_u32..4).prop_map(Signed::Call)];
    let reason = prop::sample::select(vec![
        Finish::Stop,
        Finish::Length,
        Finish::ToolCalls,
        Finish::ContentFilter,
        Finish::Other,
    ]);
    prop_oneof![
        4 => (choice(), word()).prop_map(|(choice, it)| Event::Text { choice, text: it.into() }),
        2 => (choice(), word())
            .prop_map(|(choice, it)| Event::Reasoning { choice, text: it.into() }),
        1 => (choice(), word()).prop_map(|(choice, it)| Event::Refusal { choice, text: it.into() }),
        2 => (choice(), of, word())
            .prop_map(|(choice, of, it)| Event::Signature { choice, of, text: it.into() }),
        6 => (choice(), 0_u32..4, prop::option::of(word()), prop::option::of(word()), word())
            .prop_map(|(choice, index, id, name, it)| Event::ToolCall {
                choice,
                index,
                id: id.map(Into::into),
                name: name.map(Into::into),
                arguments: it.into(),
            }),
        1 => (choice(), reason).prop_map(|(choice, reason)| Event::Finished { choice, reason }),
        1 => any::<u32>().prop_map(|input| Event::Usage(Usage {
            input: Tokens(input.into()),
            cached: Tokens((input / 2).into()),
            ..Usage::default()
        })),
        1 => choice().prop_map(|choice| Event::Media { choice }),
        1 => prop::sample::select(vec![Event::Started, Event::Ping, Event::End]),
    ]
}

proptest! {
    #[test]
    fn any_events_are_told_as_a_well_formed_stream(
        events in prop::collection::vec(any_event(), 0..40)
    ) {
        let heard = heard(&events);
        prop_assert!(heard.error.is_none());
        let first = |choice: &u32| *choice == 0;
        let texts: String = events
            .iter()
            .filter_map(|event| match event {
                Event::Text { choice, text } | Event::Refusal { choice, text }
                    if first(choice) => Some(&**text),
                _ => None,
            })
            .collect();
        prop_assert_eq!(heard.text(), texts);
        let thoughts: String = events
            .iter()
            .filter_map(|event| match event {
                Event::Reasoning { choice, text } if first(choice) => Some(&**text),
                _ => None,
            })
            .collect();
        let told: String = heard
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Thinking { text, .. } => Some(&**text),
                _ => None,
            })
            .collect();
        prop_assert_eq!(told, thoughts);
    }

    #[test]
    fn pieces_of_calls_in_any_order_come_together(
        order in prop::collection::vec(0_usize..5, 0..60),
        texts in prop::collection::vec(any::<bool>(), 60),
    ) {
        let whole = [r#"{"a":1}"#, r#"{"b":{"c":"}"}}"#, "{}", r#"{"d":[[]]}"#, r#"{"e":"\"{"}"#];
        let names = ["f", "g", "h", "i", "j"];
        let mut sent = [0; 5];
        let mut events = Vec::new();
        for (at, &key) in order.iter().chain((0..5).cycle().take(80).collect::<Vec<_>>().iter()).enumerate() {
            if let Some(piece) = whole[key].get(sent[key]..=sent[key]) {
                let name = if sent[key] == 0 { names[key] } else { "" };
                events.push(call(u32::try_from(key).unwrap(), name, name, piece));
                sent[key] += 1;
            }
            if texts.get(at).is_some_and(|text| *text) {
                events.push(text("t"));
            }
        }
        let heard = heard(&events);
        for (name, input) in names.iter().zip(whole) {
            prop_assert!(heard.blocks.contains(&tool(name, name, input)), "{:?}", heard.blocks);
        }
    }
}
