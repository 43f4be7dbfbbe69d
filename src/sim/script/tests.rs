use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::sim::script::{
    Chunks, Content, Done, Drip, Encoding, ErrorText, Fault, FaultKind, Finish, Framing, Length,
    Newline, ParseError, Point, Reading, Role, Script, Shape, Usage,
};

fn good() -> Script {
    Script::default()
}

fn faulty(kind: FaultKind, at: Point) -> Script {
    Script {
        faults: vec![Fault { kind, at }],
        ..good()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_key_says_one_thing() {
    let millis = Duration::from_millis;
    let error = |kind: &str| ErrorText {
        kind: Some(kind.to_owned()),
        ..ErrorText::default()
    };
    let cases: Vec<(&str, Script)> = vec![
        ("", good()),
        (
            "30% status=500",
            Script {
                share: Some(30),
                status: 500,
                ..good()
            },
        ),
        (
            "100%",
            Script {
                share: Some(100),
                ..good()
            },
        ),
        (
            "body=\"1%\"",
            Script {
                body: Some(b"1%".to_vec()),
                ..good()
            },
        ),
        ("  tokens = 16 , ", good()),
        (
            "status=429, retry_after=2",
            Script {
                status: 429,
                retry_after: Some("2".into()),
                ..good()
            },
        ),
        (
            "retry_after=\"Wed, 21 Oct\"",
            Script {
                retry_after: Some("Wed, 21 Oct".into()),
                ..good()
            },
        ),
        (
            "header=A:b,header=C: d ",
            Script {
                headers: vec![("A".into(), "b".into()), ("C".into(), "d".into())],
                ..good()
            },
        ),
        (
            "type=text/html",
            Script {
                content_type: Some("text/html".into()),
                ..good()
            },
        ),
        (
            "interim=103",
            Script {
                interim: Some(103),
                ..good()
            },
        ),
        (
            "error_type=x",
            Script {
                error: error("x"),
                ..good()
            },
        ),
        (
            r#"body="{\"a\": [1,2]}\n""#,
            Script {
                body: Some(b"{\"a\": [1,2]}\n".to_vec()),
                ..good()
            },
        ),
        (
            r#"raw="\x00\xFF""#,
            Script {
                raw: Some(vec![0, 255]),
                ..good()
            },
        ),
        (
            "unread",
            Script {
                reading: Reading::Nothing,
                ..good()
            },
        ),
        (
            "head_after=1s,first_after=2m,delay=20ms",
            Script {
                head_after: millis(1000),
                first_after: millis(120_000),
                delay: millis(20),
                ..good()
            },
        ),
        (
            "delay=300us,ping=5ms",
            Script {
                delay: Duration::from_micros(300),
                ping: Some(millis(5)),
                ..good()
            },
        ),
        (
            "tokens=inf",
            Script {
                tokens: Length::Endless,
                ..good()
            },
        ),
        (
            "token_bytes=1KiB,event_bytes=4MiB",
            Script {
                token_bytes: 1024,
                event_bytes: 4 << 20,
                ..good()
            },
        ),
        (
            "tools",
            Script {
                content: Content::Tools {
                    calls: 1,
                    name: None,
                },
                ..good()
            },
        ),
        (
            "tools=3:f_1",
            Script {
                content: Content::Tools {
                    calls: 3,
                    name: Some("f_1".into()),
                },
                ..good()
            },
        ),
        (
            "text=\"{\\\"a\\\": 1}\"",
            Script {
                content: Content::Said("{\"a\": 1}".into()),
                ..good()
            },
        ),
        (
            "refusal,thinking=3",
            Script {
                content: Content::Refusal,
                thinking: 3,
                ..good()
            },
        ),
        (
            "echo,cache_write=2",
            Script {
                content: Content::Echo,
                cache_write: 2,
                ..good()
            },
        ),
        (
            "canary=a.b-c",
            Script {
                canary: Some("a.b-c".into()),
                ..good()
            },
        ),
        (
            "role=joined",
            Script {
                role: Role::Joined,
                ..good()
            },
        ),
        (
            "role=none",
            Script {
                role: Role::Missing,
                ..good()
            },
        ),
        (
            "finish=length",
            Script {
                finish: Finish::Reason("length".into()),
                ..good()
            },
        ),
        (
            "no_finish,no_done",
            Script {
                finish: Finish::Missing,
                done: Done::Missing,
                ..good()
            },
        ),
        (
            "done_twice,crlf",
            Script {
                done: Done::Twice,
                newline: Newline::CrLf,
                ..good()
            },
        ),
        (
            "usage=none",
            Script {
                usage: Usage::Missing,
                ..good()
            },
        ),
        (
            "usage=zero",
            Script {
                usage: Usage::Zero,
                ..good()
            },
        ),
        (
            "usage=every,prompt=10,cached=3",
            Script {
                usage: Usage::Every,
                prompt: Some(10),
                cached: 3,
                ..good()
            },
        ),
        (
            "chunks=1",
            Script {
                chunks: Chunks::Size(1),
                ..good()
            },
        ),
        (
            "chunks=event",
            Script {
                chunks: Chunks::Event,
                ..good()
            },
        ),
        (
            "chunks=random",
            Script {
                chunks: Chunks::Random(None),
                ..good()
            },
        ),
        (
            "chunks=random:7",
            Script {
                chunks: Chunks::Random(Some(7)),
                ..good()
            },
        ),
        (
            "drip=10/5ms",
            Script {
                drip: Some(Drip {
                    bytes: 10,
                    every: millis(5),
                }),
                ..good()
            },
        ),
        (
            "encoding=br",
            Script {
                encoding: Some(Encoding::Brotli),
                ..good()
            },
        ),
        (
            "content_length",
            Script {
                framing: Framing::Length,
                ..good()
            },
        ),
        (
            "until_close",
            Script {
                framing: Framing::UntilClose,
                ..good()
            },
        ),
        (
            "whole",
            Script {
                shape: Shape::Whole,
                ..good()
            },
        ),
        (
            "empty",
            Script {
                shape: Shape::Empty,
                ..good()
            },
        ),
        (
            "close_after",
            Script {
                close_after: Some(Duration::ZERO),
                ..good()
            },
        ),
        (
            "close_after=50ms,stray=x",
            Script {
                close_after: Some(millis(50)),
                stray: Some(b"x".to_vec()),
                ..good()
            },
        ),
        ("hang", faulty(FaultKind::Stall(None), Point::Request)),
        ("cut", faulty(FaultKind::Cut, Point::Request)),
        ("reset@head", faulty(FaultKind::Reset, Point::Head)),
        ("stall@12", faulty(FaultKind::Stall(None), Point::Token(12))),
        (
            "stall@0=2s",
            faulty(FaultKind::Stall(Some(millis(2000))), Point::Token(0)),
        ),
        ("garbage@300b", faulty(FaultKind::Garbage, Point::Byte(300))),
        ("error@1", faulty(FaultKind::Error, Point::Token(1))),
        ("cut@t3", faulty(FaultKind::Cut, Point::Thought(3))),
        ("error@t0", faulty(FaultKind::Error, Point::Thought(0))),
        ("malformed@done", faulty(FaultKind::Malformed, Point::Done)),
        ("cut@end", faulty(FaultKind::Cut, Point::End)),
        ("goaway", faulty(FaultKind::Goaway, Point::Request)),
        ("goaway@3", faulty(FaultKind::Goaway, Point::Token(3))),
        ("refuse", faulty(FaultKind::Refuse, Point::Request)),
    ];
    for (text, script) in cases {
        assert_eq!(text.parse::<Script>().as_ref(), Ok(&script), "{text}");
        let shown = script.to_string();
        assert_eq!(shown.parse(), Ok(script), "{text} shown as {shown}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_slip_is_explained() {
    let cases = [
        (
            "statsu=500",
            "\"statsu\" is not a key, did you mean \"status\"?",
        ),
        ("0% status=500", "0%: a share is 1% to 100%"),
        ("101% status=500", "101%: a share is 1% to 100%"),
        ("% status=500", "%: a share is"),
        ("30% unread", "unread cannot have a share"),
        ("gibberish", "\"gibberish\" is not a key"),
        ("cutt@3", "\"cutt@3\" is not a key, did you mean \"cut\"?"),
        ("status", "status needs a value: status=200 to 999"),
        ("status=99", "status=99: expected 200 to 999"),
        ("tokens=many", "tokens=many: expected a number, or inf"),
        ("tokens=-1", "tokens=-1: expected"),
        ("delay=20", "delay=20: expected a duration"),
        ("delay=48m,delay=1s", "delay is given twice"),
        ("head_after=9999999m", "at most a day"),
        ("unread=1", "unread takes no value"),
        ("cut@3=5", "cut@3 takes no value"),
        ("cut@x", "cut@x: a place is @12"),
        ("hang@3", "hang has no place"),
        ("stall", "a stall has a place"),
        ("refuse@3", "refuse has no place"),
        ("error", "an event stands after a token"),
        ("malformed@3b", "an event stands after a token"),
        ("garbage@head", "garbage stands before all"),
        ("body=\"x", "body: a quoted value ends with"),
        ("body=\"\\q\"", "body: a quoted value ends with"),
        ("body=\"x\"y", "body: a quoted value ends with"),
        (
            "header=no colon",
            "header=\"no colon\": expected Name:Value",
        ),
        ("header=\"a b:c\"", "expected Name:Value"),
        ("canary=a b", "expected 1 to 64"),
        ("tools=0", "with 1 to 128 calls"),
        ("tools=1,echo", "exclude each other"),
        ("tools=17", "at least as many tokens"),
        (
            "content_length,tokens=inf",
            "content_length needs an answer",
        ),
        ("content_length,encoding=gzip", "exclude each other"),
        (
            "prompt=1,cached=2",
            "cached and cache_write are parts of prompt",
        ),
        ("chunks=0", "chunks=0: expected"),
        ("drip=0/5ms", "drip=0/5ms: expected"),
        ("encoding=lzw", "expected gzip, deflate, br or zstd"),
        ("ping=10us", "at least 1ms"),
    ];
    for (text, part) in cases {
        let error = text.parse::<Script>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let many: Vec<_> = (0..65).map(|at| format!("stall@{at}=1ms")).collect();
    assert_eq!(
        many.join(",").parse::<Script>(),
        Err(ParseError::Together("at most 64 faults"))
    );
}

#[test]
fn every_key_that_is_suggested_is_known() {
    for key in crate::sim::script::error::KEYS {
        let unknown =
            |text: &str| matches!(text.parse::<Script>(), Err(ParseError::Unknown { .. }));
        assert!(!unknown(key), "{key}");
    }
}

fn time() -> impl Strategy<Value = Duration> {
    (0_u64..86_400_000_000).prop_map(Duration::from_micros)
}

fn interval() -> impl Strategy<Value = Duration> {
    (1_000_u64..86_400_000_000).prop_map(Duration::from_micros)
}

fn fault() -> impl Strategy<Value = Fault> {
    let anywhere = prop_oneof![
        Just(Point::Head),
        Just(Point::Done),
        Just(Point::End),
        any::<u64>().prop_map(Point::Thought),
        any::<u64>().prop_map(Point::Token),
        any::<u64>().prop_map(Point::Byte)
    ];
    let stall = (option::of(time()), anywhere.clone()).prop_map(|(length, at)| Fault {
        kind: FaultKind::Stall(length),
        at,
    });
    let breaks = (
        prop_oneof![
            Just(FaultKind::Cut),
            Just(FaultKind::Reset),
            Just(FaultKind::Goaway)
        ],
        anywhere,
    )
        .prop_map(|(kind, at)| Fault { kind, at });
    let events = (
        prop_oneof![Just(FaultKind::Error), Just(FaultKind::Malformed)],
        any::<u64>(),
    )
        .prop_map(|(kind, token)| Fault {
            kind,
            at: Point::Token(token),
        });
    let early = prop_oneof![
        Just(FaultKind::Cut),
        Just(FaultKind::Garbage),
        Just(FaultKind::Stall(None))
    ]
    .prop_map(|kind| Fault {
        kind,
        at: Point::Request,
    });
    prop_oneof![stall, breaks, events, early]
}

prop_compose! {
    fn head()(
        status in 200_u16..=999,
        retry_after in option::of(".*"),
        headers in vec(("[A-Za-z-]{1,9}", "([!-~]([ -~]{0,9}[!-~])?)?"), 0..3),
        content_type in option::of(".*"),
        interim in option::of(100_u16..=199),
        error in (option::of(".*"), option::of(".*"), option::of(".*")),
        body in option::of(vec(any::<u8>(), 0..40)),
        raw in option::of(vec(any::<u8>(), 0..40)),
        stray in option::of(vec(any::<u8>(), 0..40)),
    ) -> Script {
        let (kind, code, message) = error;
        let error = ErrorText { kind, code, message };
        Script { status, retry_after, headers, content_type, interim, error, body, raw, stray, ..good() }
    }
}

prop_compose! {
    fn answer()(
        share in option::of(1_u8..=100),
        tokens in prop_oneof![Just(Length::Endless), (8_u64..1 << 40).prop_map(Length::Tokens)],
        sizes in (0_u64..1 << 28, 0_u64..1 << 28),
        content in prop_oneof![
            Just(Content::Text), Just(Content::Refusal), Just(Content::Echo),
            ".*".prop_map(Content::Said),
            (1_u64..8, option::of("[a-z_]{1,9}"))
                .prop_map(|(calls, name)| Content::Tools { calls, name })
        ],
        canary in option::of("[A-Za-z0-9._-]{1,64}"),
        role in prop_oneof![Just(Role::Own), Just(Role::Joined), Just(Role::Missing)],
        finish in prop_oneof![
            Just(Finish::Natural), Just(Finish::Missing), ".*".prop_map(Finish::Reason)
        ],
        usage in prop_oneof![
            Just(Usage::Asked), Just(Usage::Missing), Just(Usage::Zero), Just(Usage::Every)
        ],
        prompt in option::of(100_u64..1000),
        cached in 0_u64..100,
        done in prop_oneof![Just(Done::Once), Just(Done::Missing), Just(Done::Twice)],
        shape in prop_oneof![Just(Shape::Asked), Just(Shape::Whole), Just(Shape::Empty)],
    ) -> Script {
        let (token_bytes, event_bytes) = sizes;
        Script {
            share, tokens, token_bytes, event_bytes, content, canary, role, finish, usage, prompt, cached,
            done, shape, ..good()
        }
    }
}

prop_compose! {
    fn wire()(
        times in (time(), time(), time()),
        ping in option::of(interval()),
        close_after in option::of(time()),
        newline in prop_oneof![Just(Newline::Lf), Just(Newline::CrLf)],
        chunks in prop_oneof![
            Just(Chunks::Due), Just(Chunks::Event), Just(Chunks::Random(None)),
            any::<u64>().prop_map(|seed| Chunks::Random(Some(seed))),
            (1_u64..u64::MAX).prop_map(Chunks::Size)
        ],
        drip in option::of((1_u64..u64::MAX, interval()).prop_map(|(bytes, every)| Drip { bytes, every })),
        encoding in option::of(prop_oneof![
            Just(Encoding::Gzip), Just(Encoding::Deflate), Just(Encoding::Brotli), Just(Encoding::Zstd)
        ]),
        framing in prop_oneof![Just(Framing::Natural), Just(Framing::UntilClose)],
        reading in prop_oneof![Just(Reading::All), Just(Reading::Nothing)],
        faults in vec(fault(), 0..6),
    ) -> Script {
        let (head_after, first_after, delay) = times;
        let mut kept: Vec<Fault> = Vec::new();
        for fault in faults {
            // A key stands only once; the length of a stall is no part of its key.
            let same = |other: &Fault| {
                std::mem::discriminant(&other.kind) == std::mem::discriminant(&fault.kind)
                    && other.at == fault.at
            };
            if !kept.iter().any(same) {
                kept.push(fault);
            }
        }
        Script {
            head_after, first_after, delay, ping, close_after, newline, chunks, drip, encoding,
            framing, reading, faults: kept, ..good()
        }
    }
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_the_same(head in head(), answer in answer(), wire in wire()) {
        for script in [head, answer, wire] {
            let text = script.to_string();
            prop_assert!(text.is_ascii());
            prop_assert_eq!(text.parse(), Ok(script), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".*", like in "[a-z_@=0-9\",\\\\:/]{0,60}") {
        let _ = text.parse::<Script>();
        let _ = like.parse::<Script>();
    }
}
