//! The pump: for every cut of a stream the client gets the same bytes.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::clocks::Expired;
use super::gate::Commit;
use super::inspect::Inspector;
use super::model::{self, Got};
use super::pump::{Life, Pump, Terms};
use super::verdict::Why;
use crate::dialect::Voices;
use crate::exchange::{Delivery, Dialect, Task, UsageWish};
use crate::route::{Hold, Malformed};
use crate::units::{ByteSize, Tokens};

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

/// A chunk of a choice with this delta and finish reason.
fn chunk(delta: &str, finish: &str) -> String {
    format!(
        r#"data: {{"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}{}"#,
        "\n\n"
    )
}

/// A chunk with this text.
fn said(text: &str) -> String {
    chunk(&format!(r#"{{"content":{text:?}}}"#), "null")
}

fn terms(wish: UsageWish, hold: Hold) -> Terms<'static> {
    Terms {
        voices: Voices::alike(Dialect::OpenAi, Task::Chat, Delivery::Stream(wish)),
        event_limit: ByteSize::kib(64),
        hold,
        inspector: None,
        malformed: Malformed::Break,
    }
}

/// Runs a stream that nothing holds.
fn run(wish: UsageWish, pieces: &[&[u8]]) -> Got {
    model::run(terms(wish, Hold::None), pieces)
}

fn whole(stream: &str) -> Got {
    run(UsageWish::NotAsked, &[stream.as_bytes()])
}

/// Runs a stream that is held so, and inspected by this.
fn held(hold: Hold, inspector: Option<Inspector>, stream: &str) -> Got {
    let terms = Terms {
        inspector,
        ..terms(UsageWish::NotAsked, hold)
    };
    model::run(terms, &[stream.as_bytes()])
}

/// Streams of every kind: whole, broken, empty, refused, unlike what was promised.
fn streams() -> Vec<String> {
    let crlf = [ROLE, TEXT, FINISH, USAGE, DONE]
        .concat()
        .replace('\n', "\r\n");
    let broken = "data: {\"choices\":\n\n";
    vec![
        [ROLE, COMMENT, TEXT, COMMENT, TEXT, FINISH, USAGE, DONE].concat(),
        [ROLE, &said(&"x".repeat(20)).repeat(3), FINISH].concat(),
        [ROLE, TEXT, ERROR, DONE].concat(),
        [ROLE, TEXT, TEXT, COMMENT, broken, TEXT, FINISH].concat(),
        [ROLE, ERROR].concat(),
        [ROLE, FINISH, DONE].concat(),
        [ROLE, TEXT].concat(),
        format!("\u{feff}{TEXT}{}", FINISH.trim_end()),
        format!("event: message\nid: 7\nretry: 10\n{TEXT}{FINISH}{DONE}"),
        format!("{TEXT}data: {{\"choices\":"),
        [&said("{\"a\""), &said(":1}"), FINISH, DONE].concat(),
        [&said("{\"sorry"), FINISH, DONE].concat(),
        chunk(
            r#"{"tool_calls":[{"index":0,"function":{"name":"b"}}]}"#,
            "\"tool_calls\"",
        ),
        crlf,
    ]
}

#[test]
fn every_cut_of_a_stream_gives_the_client_the_same_bytes() {
    let kinds = [
        (UsageWish::Asked, Malformed::Break, None),
        (UsageWish::NotAsked, Malformed::Skip, model::strict()),
    ];
    let runs = model::holds().into_iter().flat_map(|hold| {
        let kinds = kinds.clone().into_iter();
        kinds.map(move |(wish, malformed, inspector)| (hold, wish, malformed, inspector))
    });
    let runs: Vec<_> = runs.collect();
    for stream in streams() {
        for (hold, wish, malformed, inspector) in &runs {
            let run = |pieces: &[&[u8]]| {
                let terms = Terms {
                    inspector: inspector.clone(),
                    malformed: *malformed,
                    ..terms(*wish, *hold)
                };
                model::run(terms, pieces)
            };
            let bytes = stream.as_bytes();
            let expected = run(&[bytes]);
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                let got = run(&[head, tail]);
                assert_eq!(got, expected, "{hold:?}, cut at {cut} of {stream:?}");
            }
            let singles: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(
                run(&singles),
                expected,
                "{hold:?}, byte by byte: {stream:?}"
            );
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
        assert_eq!((got.bytes.as_str(), got.commit), ("", None), "{stream:?}");
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
        assert!(
            got.commit.is_some() && got.bytes.starts_with(ROLE),
            "{tail:?}"
        );
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
    let got = whole(&format!(
        "{TEXT}: hidden\nid: 7\n\n: seen\n\n{FINISH}{DONE}"
    ));
    assert_eq!(got.bytes, [TEXT, ": seen\n\n", FINISH, DONE].concat());
}

#[test]
fn what_is_held_fails_with_nothing_sent_and_what_is_let_out_breaks() {
    let head = |tokens| Hold::Head {
        tokens: Tokens(tokens),
        at_most: Duration::from_secs(1),
    };
    let broken = "data: {\"choices\":\n\n";
    for (tail, why) in [
        ("", "truncated"),
        (DONE, "truncated"),
        (ERROR, "error_event"),
        (broken, "malformed"),
    ] {
        let stream = [ROLE, TEXT, TEXT, tail].concat();
        for (hold, commit) in [
            (Hold::None, Some(Commit::Unheld)),
            (head(2), Some(Commit::Tokens)),
            (head(3), None),
            (Hold::All, None),
        ] {
            let got = held(hold, None, &stream);
            assert_eq!(got.end, Err(why), "{hold:?} {tail:?}");
            assert_eq!((got.commit, got.tokens), (commit, 2), "{hold:?} {tail:?}");
            let sent = if commit.is_some() {
                stream.strip_suffix(tail).unwrap()
            } else {
                ""
            };
            assert_eq!(got.bytes, sent, "{hold:?} {tail:?}");
        }
    }
}

#[test]
fn a_good_stream_goes_out_the_same_however_it_is_held() {
    let stream = [ROLE, TEXT, TEXT, FINISH, DONE].concat();
    for (hold, commit) in
        model::holds()
            .into_iter()
            .zip([Commit::Unheld, Commit::Tokens, Commit::End, Commit::End])
    {
        let got = held(
            hold,
            model::strict().filter(|_| hold == Hold::None),
            &stream,
        );
        // What is unheld is inspected to its first content, which is no JSON here.
        if hold == Hold::None {
            assert_eq!((got.end, got.bytes.as_str()), (Err("not_json"), ""));
            continue;
        }
        assert_eq!(
            (got.bytes, got.commit),
            (stream.clone(), Some(commit)),
            "{hold:?}"
        );
    }
}

#[test]
fn what_is_committed_is_no_longer_inspected() {
    let stream = [&said("{"), &said("no json"), FINISH, DONE].concat();
    let two = model::holds()[1];
    for (hold, end) in [
        (Hold::None, Ok(())),
        (two, Err("not_json")),
        (Hold::All, Err("not_json")),
    ] {
        let got = held(hold, model::strict(), &stream);
        assert_eq!(
            (got.end, got.commit.is_some()),
            (end, end.is_ok()),
            "{hold:?}"
        );
    }
}

#[test]
fn an_answer_that_ends_well_without_content_is_empty() {
    let empty = [ROLE, FINISH, DONE].concat();
    for hold in model::holds() {
        let got = held(hold, Some(Inspector::default()), &empty);
        assert_eq!(
            (got.end, got.bytes.as_str()),
            (Err("empty"), ""),
            "{hold:?}"
        );
        assert_eq!(
            held(hold, None, &empty).bytes,
            empty,
            "nobody looks: {hold:?}"
        );
    }
}

#[test]
fn a_comment_goes_out_once_the_head_has() {
    let stream = [COMMENT, TEXT, COMMENT, TEXT, COMMENT, FINISH, COMMENT, DONE].concat();
    for (hold, comments) in model::holds().into_iter().zip([3, 2, 0, 0]) {
        let got = held(hold, None, &stream);
        assert_eq!(got.bytes.matches(COMMENT).count(), comments, "{hold:?}");
        assert_eq!(got.bytes.replace(COMMENT, ""), stream.replace(COMMENT, ""));
    }
}

#[test]
fn a_frame_that_cannot_be_read_is_left_out_where_the_route_says_so_and_the_head_is_out() {
    let bad = "data: {\"choices\":\n\n";
    for (before, after, hold, end) in [
        (TEXT, FINISH, Hold::None, Ok(())),
        (ROLE, FINISH, Hold::None, Err("malformed")),
        (TEXT, FINISH, Hold::All, Err("malformed")),
        (TEXT, TEXT, Hold::None, Err("truncated")),
    ] {
        let skip = Terms {
            malformed: Malformed::Skip,
            ..terms(UsageWish::NotAsked, hold)
        };
        let got = model::run(skip, &[[before, bad, bad, after].concat().as_bytes()]);
        assert_eq!(got.end, end, "{before:?} {after:?}");
        let skipped = if end == Err("malformed") { 0 } else { 2 };
        assert_eq!(got.skipped, skipped, "{before:?} {after:?}");
        if end.is_ok() {
            assert_eq!(got.bytes, [before, after, DONE].concat());
        }
    }
}

#[test]
fn an_error_inside_a_stream_comes_with_its_document() {
    let mut pump = Pump::new(terms(UsageWish::NotAsked, Hold::None));
    let step = pump.chunk([ROLE, ERROR].concat().into(), Instant::now());
    let Some(Err(Why::InStream { failure, document })) = step.end else {
        panic!("{:?}", step.end);
    };
    assert_eq!(failure.message.as_deref(), Some("overloaded"));
    assert_eq!(document, ERROR.trim_start_matches("data: ").trim_end());
}

#[test]
fn time_lets_out_what_is_held_and_a_failure_that_comes_with_it_does_not() {
    let hold = Hold::Head {
        tokens: Tokens(50),
        at_most: Duration::from_millis(400),
    };
    let start = Instant::now();
    let late = start + Duration::from_millis(900);
    let open = || {
        let mut pump = Pump::new(terms(UsageWish::NotAsked, hold));
        let step = pump.chunk(Bytes::from_static(ROLE.as_bytes()), start);
        assert_eq!(
            (step.life, step.tokens, pump.due()),
            (Life::Progress, Tokens(0), None)
        );
        let then = start + Duration::from_millis(500);
        let step = pump.chunk(Bytes::from_static(TEXT.as_bytes()), then);
        assert_eq!(
            (step.life, step.tokens, step.send),
            (Life::Content, Tokens(1), None)
        );
        assert_eq!((pump.due(), pump.held_since()), (Some(late), Some(start)));
        assert_eq!(pump.held(), ROLE.len() + TEXT.len());
        pump
    };

    let mut pump = open();
    assert!(pump.tick(start + Duration::from_millis(899)).send.is_none());
    let step = pump.tick(late);
    assert_eq!(step.send.unwrap(), [ROLE, TEXT].concat());
    assert_eq!((pump.commit(), pump.due()), (Some(Commit::Time), None));
    assert!(step.end.is_none() && step.life == Life::None);

    // A frame that comes late finds the time over.
    let mut pump = open();
    let step = pump.chunk(Bytes::from_static(b": late\n\n"), late);
    assert_eq!(step.send.unwrap(), [ROLE, TEXT].concat());
    assert_eq!((step.life, step.tokens), (Life::None, Tokens(0)));

    let mut pump = open();
    let step = pump.chunk(Bytes::from_static(ERROR.as_bytes()), late);
    assert!(step.end.unwrap().is_err() && step.send.is_none());
    assert_eq!(
        (pump.commit(), pump.held(), pump.tokens()),
        (None, 0, Tokens(1))
    );

    let mut pump = open();
    let step = pump.broken_off(Why::Expired(Expired::Stall), late);
    assert!(step.end.unwrap().is_err() && step.send.is_none());
}

#[test]
fn an_answer_that_is_cut_after_its_finish_is_good_if_it_is_an_answer() {
    for (stream, inspector, why, end) in [
        (
            [ROLE, TEXT, FINISH],
            None,
            Why::Expired(Expired::Crawl),
            Ok(()),
        ),
        (
            [ROLE, TEXT, FINISH],
            Some(Inspector::default()),
            Why::Stopping,
            Ok(()),
        ),
        ([ROLE, TEXT, FINISH], None, Why::TooLarge, Err("too_large")),
        ([ROLE, TEXT, TEXT], None, Why::Stopping, Err("stopping")),
        (
            [ROLE, ROLE, FINISH],
            Some(Inspector::default()),
            Why::Stopping,
            Err("empty"),
        ),
    ] {
        let terms = Terms {
            inspector,
            ..terms(UsageWish::NotAsked, Hold::All)
        };
        let now = Instant::now();
        let mut pump = Pump::new(terms);
        pump.chunk(stream.concat().into(), now);
        let step = pump.broken_off(why, now);
        let got = step.end.unwrap().map_err(|why| why.name());
        assert_eq!(got, end);
        let sent = step.send.unwrap_or_default();
        let expected = if end.is_ok() {
            stream.concat() + DONE
        } else {
            String::new()
        };
        assert_eq!(sent, expected);
    }
}

#[test]
fn an_answer_held_to_its_end_has_a_bound() {
    let piece = format!(": {}\n{TEXT}", "x".repeat(60 << 10));
    let stream = piece.repeat((32 << 20) / piece.len() + 1);
    let got = held(Hold::All, None, &stream);
    assert_eq!((got.end, got.bytes.as_str()), (Err("held_too_much"), ""));
}

#[test]
fn the_recorded_streams_come_out_the_same_for_every_cut_and_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openai");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        for cuts in [[40, 90], [128, 0], [255, 129]] {
            // Blank lines at the end mean nothing, and letters there would.
            bytes.extend(cuts);
            model::pump(&bytes);
            (0..24).for_each(|way| model::cut(&bytes, way));
            bytes.truncate(bytes.len() - 2);
        }
    }
}

/// Gemini writes an error as bare lines, and as a rule nothing after them.
#[test]
fn an_error_in_bare_lines_at_the_very_end_is_read() {
    let stream = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n{\n  \"error\": {\n    \"code\": 503,\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n";
    for end in [stream.len(), stream.len() - 1] {
        let terms = Terms {
            voices: Voices {
                provider: Dialect::Gemini,
                ..terms(UsageWish::Asked, Hold::None).voices
            },
            ..terms(UsageWish::Asked, Hold::None)
        };
        let got = model::run(terms, &[&stream.as_bytes()[..end]]);
        assert_eq!(got.end, Err("error_event"));
    }
}
