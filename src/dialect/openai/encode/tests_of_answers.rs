//! Recorded streams and documents of this format, told again in our own words: what is told is read
//! back as the same events, however the provider's bytes are cut.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use serde_json::Value;

use super::{Teller, whole};
use crate::dialect::golden::{fixtures, frames, golden};
use crate::dialect::openai::decode;
use crate::dialect::voices::{Label, Voices};
use crate::exchange::{
    Answer, AsideKind, Delivery, Dialect, Event, Finish, Form, Signed, Task, Trust, Usage,
    UsageWish,
};
use crate::units::Tokens;

const LABEL: Label<'static> = Label {
    id: "x1",
    model: "M",
    created: 1_795_248_000,
};

fn voices(task: Task, wish: UsageWish) -> Voices<'static> {
    Voices {
        provider: Dialect::Anthropic,
        form: Form::Stream,
        asked: Task::Chat,
        client: Dialect::OpenAi,
        delivery: Delivery::Stream(wish),
        task,
        label: LABEL,
    }
}

/// The stream told again, and what it gathers to.
fn retold(pieces: &[Bytes], task: Task, wish: UsageWish) -> (String, Answer) {
    let mut reader = decode::Stream::new(Task::Chat);
    let mut teller = Teller::new(&voices(task, wish));
    let (mut out, mut answer) = (BytesMut::new(), Answer::default());
    for frame in frames(pieces) {
        let _ = reader.frame(&frame, &mut |event| {
            teller.event(&event, &mut out);
            answer.event(&event);
        });
    }
    if reader.finished() {
        teller.end(&mut out);
    }
    (String::from_utf8(out.to_vec()).unwrap(), answer)
}

/// What a stream of ours gathers to.
fn gathered(told: &str) -> Answer {
    let mut reader = decode::Stream::new(Task::Chat);
    let mut answer = Answer::default();
    for frame in frames(&[Bytes::copy_from_slice(told.as_bytes())]) {
        reader
            .frame(&frame, &mut |event| answer.event(&event))
            .unwrap();
    }
    answer
}

/// Indexes count calls, and ids that a provider did not give are made up: the rest must agree.
fn comparable(mut answer: Answer) -> Answer {
    use crate::exchange::Piece;
    for choice in &mut answer.choices {
        let mut count = 0;
        for piece in &mut choice.pieces {
            if let Piece::Call { index, id, .. } = piece {
                *index = count;
                if id.starts_with("call_x1_") {
                    id.clear();
                }
                count += 1;
            }
        }
        if count > 0 && matches!(choice.finish, Some(Finish::Stop | Finish::Other)) {
            choice.finish = Some(Finish::ToolCalls);
        }
        if choice.finish == Some(Finish::Other) {
            choice.finish = Some(Finish::Stop);
        }
    }
    if let Some(usage) = &mut answer.usage {
        usage.audio = Tokens(0);
        // What was mended once is sound when it is told again.
        usage.trust = Trust::Sound;
    }
    answer
}

#[test]
fn each_recorded_stream_is_told_again_as_its_snapshot_says() {
    for (name, bytes) in fixtures("openai", "sse") {
        let (told, answer) = retold(&[bytes], Task::Chat, UsageWish::Asked);
        golden("openai", &format!("told_{name}"), &told);
        let mut answer = comparable(answer);
        // The usage is told at the end, and what broke has none.
        answer.usage = answer.usage.filter(|_| told.ends_with("[DONE]\n\n"));
        assert_eq!(comparable(gathered(&told)), answer, "{name}");
        for line in told.lines().filter_map(|line| line.strip_prefix("data: ")) {
            assert!(
                line == "[DONE]" || serde_json::from_str::<Value>(line).is_ok(),
                "{name} {line}"
            );
        }
    }
}

#[test]
fn a_stream_cut_anywhere_is_told_the_same() {
    for (name, bytes) in fixtures("openai", "sse") {
        let expected = retold(
            std::slice::from_ref(&bytes),
            Task::Chat,
            UsageWish::NotAsked,
        )
        .0;
        for cut in 0..=bytes.len() {
            let pieces = [bytes.slice(..cut), bytes.slice(cut..)];
            assert_eq!(
                retold(&pieces, Task::Chat, UsageWish::NotAsked).0,
                expected,
                "{name} cut at {cut}"
            );
        }
        let single: Vec<_> = (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect();
        assert_eq!(
            retold(&single, Task::Chat, UsageWish::NotAsked).0,
            expected,
            "{name} byte by byte"
        );
    }
}

#[test]
fn each_recorded_answer_becomes_the_document_of_its_snapshot() {
    let streams = fixtures("openai", "sse")
        .into_iter()
        .map(|(name, bytes)| (name, retold(&[bytes], Task::Chat, UsageWish::Asked).1));
    let documents = fixtures("openai", "json").into_iter().map(|(name, bytes)| {
        let mut answer = Answer::default();
        let _ = decode::whole(Task::Chat, &bytes, &mut |event| answer.event(&event));
        (format!("whole_{name}"), answer)
    });
    for (name, answer) in streams.chain(documents) {
        let document = whole(Task::Chat, &answer, &LABEL);
        golden(
            "openai",
            &format!("document_{name}"),
            std::str::from_utf8(&document).unwrap(),
        );
        if answer.choices.is_empty() {
            continue;
        }
        let mut again = Answer::default();
        decode::whole(Task::Chat, &document, &mut |event| again.event(&event)).unwrap();
        assert_eq!(
            again.usage,
            answer.usage.map(|usage| Usage {
                audio: Tokens(0),
                trust: Trust::Sound,
                ..usage
            }),
            "{name}"
        );
        assert_eq!(again.choices.len(), answer.choices.len(), "{name}");
    }
}

#[test]
fn a_chat_is_told_as_a_plain_completion() {
    let (_, bytes) = fixtures("openai", "sse")
        .into_iter()
        .find(|(name, _)| name == "text")
        .unwrap();
    let (told, answer) = retold(&[bytes], Task::Completion, UsageWish::Asked);
    golden("openai", "completion_text", &told);
    golden(
        "openai",
        "completion_text_whole",
        std::str::from_utf8(&whole(Task::Completion, &answer, &LABEL)).unwrap(),
    );
    let mut reader = decode::Stream::new(Task::Completion);
    let mut again = Answer::default();
    for frame in frames(&[told.into()]) {
        reader
            .frame(&frame, &mut |event| again.event(&event))
            .unwrap();
    }
    assert!(reader.finished());
    assert_eq!(again, answer);
}

#[test]
fn usage_is_told_only_to_who_asked_and_no_end_follows_a_failure() {
    let usage = Event::Usage(Usage {
        input: Tokens(7),
        ..Usage::default()
    });
    for (wish, told) in [(UsageWish::Asked, true), (UsageWish::NotAsked, false)] {
        let mut teller = Teller::new(&voices(Task::Chat, wish));
        let mut out = BytesMut::new();
        teller.event(&usage, &mut out);
        assert!(out.is_empty());
        teller.end(&mut out);
        let out = String::from_utf8(out.to_vec()).unwrap();
        assert_eq!(out.contains("prompt_tokens"), told);
        assert!(out.ends_with("data: [DONE]\n\n"));
    }
    let mut teller = Teller::new(&voices(Task::Chat, UsageWish::Asked));
    let mut out = BytesMut::new();
    teller.event(
        &Event::Failed(crate::exchange::Failure::default()),
        &mut out,
    );
    teller.end(&mut out);
    assert!(out.is_empty());
}

/// Calls as block formats tell them: keys with gaps, ids and names once, seals, results that have
/// no id at all.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of events")]
fn calls_are_counted_and_begin_with_id_type_and_name() {
    let call = |index,
                id: Option<&'static str>,
                name: Option<&'static str>,
                arguments: &'static str| Event::ToolCall {
        choice: 0,
        index,
        id: id.map(Into::into),
        name: name.map(Into::into),
        arguments: arguments.into(),
    };
    let events = [
        Event::Started,
        Event::Text {
            choice: 0,
            text: "see".into(),
        },
        call(3, Some("a"), Some("f"), ""),
        call(3, Some("a"), Some("f"), "{\"x\":"),
        call(7, None, None, ""),
        call(7, None, Some("g"), "{}"),
        call(3, None, None, "1}"),
        Event::Signature {
            choice: 0,
            of: Signed::Call(7),
            text: "seal\"".into(),
        },
        Event::Signature {
            choice: 0,
            of: Signed::Reasoning,
            text: "no".into(),
        },
        Event::Aside {
            choice: 0,
            kind: AsideKind::LogProbs,
            json: "[\n{\"token\":\"a\"}]".into(),
        },
        Event::Aside {
            choice: 0,
            kind: AsideKind::Annotations,
            json: "[{}]".into(),
        },
        Event::Finished {
            choice: 0,
            reason: Finish::Stop,
        },
        Event::Finished {
            choice: 0,
            reason: Finish::Length,
        },
    ];
    let mut teller = Teller::new(&voices(Task::Chat, UsageWish::NotAsked));
    let (mut out, mut answer) = (BytesMut::new(), Answer::default());
    for event in &events {
        teller.event(event, &mut out);
        answer.event(event);
    }
    teller.end(&mut out);
    golden("openai", "told_calls", std::str::from_utf8(&out).unwrap());
    golden(
        "openai",
        "document_calls",
        std::str::from_utf8(&whole(Task::Chat, &answer, &LABEL)).unwrap(),
    );
}

/// Any order of any events, as a hostile provider might have them.
fn events() -> impl Strategy<Value = Vec<Event<'static>>> {
    let text = || prop_oneof![".{0,9}", Just("\r\n\u{2028}\"\\\0".to_owned())];
    let choice = || 0_u32..3;
    let one = prop_oneof![
        Just(Event::Started),
        Just(Event::Ping),
        (choice(), text()).prop_map(|(choice, text)| Event::Text {
            choice,
            text: text.into()
        }),
        (choice(), text()).prop_map(|(choice, text)| Event::Reasoning {
            choice,
            text: text.into()
        }),
        (choice(), text()).prop_map(|(choice, text)| Event::Refusal {
            choice,
            text: text.into()
        }),
        (
            choice(),
            any::<u32>(),
            prop::option::of(text()),
            prop::option::of(text()),
            text()
        )
            .prop_map(|(choice, index, id, name, arguments)| Event::ToolCall {
                choice,
                index,
                id: id.map(Into::into),
                name: name.map(Into::into),
                arguments: arguments.into()
            }),
        (choice(), any::<u32>(), text()).prop_map(|(choice, call, text)| Event::Signature {
            choice,
            of: Signed::Call(call),
            text: text.into()
        }),
        choice().prop_map(|choice| Event::Media { choice }),
        (choice(), Just(AsideKind::LogProbs)).prop_map(|(choice, kind)| Event::Aside {
            choice,
            kind,
            json: "[1]".into()
        }),
        choice().prop_map(|choice| Event::Finished {
            choice,
            reason: Finish::Stop
        }),
        (0_u64..99, 0_u64..99).prop_map(|(input, output)| Event::Usage(Usage {
            input: Tokens(input),
            output: Tokens(output),
            ..Usage::default()
        })),
    ];
    prop::collection::vec(one, 0..24)
}

proptest! {
    #[test]
    fn whatever_is_told_is_a_stream_of_documents(events in events(), completion in any::<bool>()) {
        let task = if completion { Task::Completion } else { Task::Chat };
        let mut teller = Teller::new(&voices(task, UsageWish::Asked));
        let (mut out, mut answer) = (BytesMut::new(), Answer::default());
        for event in &events {
            teller.event(event, &mut out);
            answer.event(event);
        }
        teller.end(&mut out);
        let told = String::from_utf8(out.to_vec()).unwrap();
        for frame in frames(&[Bytes::from(told)]) {
            let Some(data) = frame.data else { continue };
            prop_assert!(data == "[DONE]" || serde_json::from_slice::<Value>(&data).is_ok(), "{data:?}");
        }
        let document = whole(task, &answer, &LABEL);
        let document: Value = serde_json::from_slice(&document).unwrap();
        if let Some(usage) = answer.usage {
            prop_assert_eq!(&document["usage"]["total_tokens"], usage.input.0 + usage.output.0);
        }
    }
}
