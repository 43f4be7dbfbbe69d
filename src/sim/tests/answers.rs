use std::io::Read as _;

use serde_json::Value;

use crate::sim::tests::{Client, answer_to, sim, stream};
use crate::sim::{Options, Script, Sim, answer_text, scripted_text};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn a_stream_has_role_tokens_finish_and_end_in_order() {
    let answer = stream("tokens=3").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .contains("content-type: text/event-stream; charset=utf-8\r\n")
    );
    assert!(answer.complete);
    let events = answer.events();
    let deltas: Vec<_> = events[..5]
        .iter()
        .map(|event| json(event)["choices"][0]["delta"].to_string())
        .collect();
    assert_eq!(
        deltas,
        [
            r#"{"content":"","refusal":null,"role":"assistant"}"#,
            r#"{"content":" w0"}"#,
            r#"{"content":" w1"}"#,
            r#"{"content":" w2"}"#,
            "{}"
        ]
    );
    let first = json(&events[0]);
    assert_eq!(first["object"], "chat.completion.chunk");
    assert_eq!(
        (&first["model"], &first["id"]),
        (&json("\"m\""), &json("\"chatcmpl-sim-1\""))
    );
    assert!(first.get("usage").is_none());
    assert_eq!(json(&events[4])["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[5..], ["[DONE]"]);
}

#[tokio::test]
async fn a_whole_answer_carries_the_same_text_and_exact_usage() {
    let answer = answer_to("tokens=300", "").await;
    assert!(
        answer
            .head
            .contains("content-type: application/json\r\ncontent-length: ")
            || answer.head.contains("content-length: ")
    );
    let document = json(&answer.text());
    assert_eq!(document["object"], "chat.completion");
    assert_eq!(
        document["choices"][0]["message"]["content"],
        answer_text(300).as_str()
    );
    assert_eq!(document["choices"][0]["finish_reason"], "stop");
    assert_eq!(document["usage"]["completion_tokens"], 300);
    // A quarter of the body's bytes.
    assert_eq!(
        document["usage"]["prompt_tokens"],
        r#"{"model":"m","messages":[]}"#.len().div_ceil(4)
    );
    assert_eq!(stream("tokens=300").await.content(), answer_text(300));
}

#[tokio::test]
async fn usage_is_told_as_the_script_says() {
    let asked = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
    let plain = ",\"stream\":true";
    let cases = [
        ("tokens=3,prompt=7", plain, None),
        ("tokens=3,prompt=7", asked, Some((7, 3, 10))),
        ("tokens=3,prompt=7", ",\"n\":2", Some((7, 6, 13))),
        ("tokens=3,usage=none", asked, None),
        ("tokens=3,usage=none", "", None),
        ("tokens=3,usage=zero", asked, Some((0, 0, 0))),
        ("tokens=3,prompt=7,usage=every", plain, Some((7, 3, 10))),
    ];
    for (script, more, expected) in cases {
        let answer = answer_to(script, more).await;
        let events = answer.events();
        let last = events.iter().rev().find(|event| *event != "[DONE]");
        let last = last.map_or_else(|| json(&answer.text()), |event| json(event));
        let usage = last
            .get("usage")
            .filter(|usage| !usage.is_null())
            .map(|usage| {
                let count = |name| usage[name].as_u64().unwrap();
                (
                    count("prompt_tokens"),
                    count("completion_tokens"),
                    count("total_tokens"),
                )
            });
        assert_eq!(usage, expected, "{script} {more}");
    }
    let every = stream("tokens=2,prompt=1,usage=every").await;
    let counts: Vec<_> = every.events()[..5]
        .iter()
        .map(|event| json(event)["usage"]["completion_tokens"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [0, 1, 2, 2, 2]);
}

#[tokio::test]
async fn tool_calls_come_in_pieces_that_join_to_json() {
    let offered = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\"}}]";
    let streamed = answer_to("tools=2,tokens=5", &format!("{offered},\"stream\":true")).await;
    let mut calls = vec![(String::new(), String::new()); 2];
    let mut finish = Value::Null;
    for event in streamed.events().iter().filter(|event| *event != "[DONE]") {
        let choice = &json(event)["choices"][0];
        for piece in choice["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let call = &mut calls[usize::try_from(piece["index"].as_u64().unwrap()).unwrap()];
            call.0
                .push_str(piece["function"]["name"].as_str().unwrap_or(""));
            call.1
                .push_str(piece["function"]["arguments"].as_str().unwrap());
        }
        finish = choice["finish_reason"].clone();
    }
    let expected = [
        ("weather".to_owned(), r#"{"text":" w0 w1 w2"}"#.to_owned()),
        ("weather".to_owned(), r#"{"text":" w3 w4"}"#.to_owned()),
    ];
    assert_eq!(calls, expected);
    assert_eq!(finish, "tool_calls");
    let whole = json(&answer_to("tools=2:own,tokens=5", offered).await.text());
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["tool_calls"][0]["function"]["name"], "own");
    assert_eq!(
        message["tool_calls"][1]["function"]["arguments"],
        expected[1].1
    );
    assert!(message["content"].is_null());
}

#[tokio::test]
async fn several_choices_are_told_apart() {
    let script: Script = "tokens=2".parse().unwrap();
    for more in [",\"n\":3", ",\"n\":3,\"stream\":true"] {
        let answer = answer_to("tokens=2", more).await;
        let mut texts = vec![String::new(); 3];
        let documents = match answer.events() {
            events if events.is_empty() => vec![answer.text()],
            events => events
                .into_iter()
                .filter(|event| event != "[DONE]")
                .collect(),
        };
        for document in documents {
            for choice in json(&document)["choices"].as_array().unwrap() {
                let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
                let content = choice["delta"]["content"].as_str();
                let content = content.or(choice["message"]["content"].as_str());
                texts[index].push_str(content.unwrap_or(""));
            }
        }
        for (choice, text) in (0..).zip(texts) {
            assert_eq!(Some(text), scripted_text(&script, choice, None), "{more}");
        }
    }
    let none = json(&answer_to("tokens=0", ",\"n\":2").await.text());
    assert_eq!(none["choices"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_ends_of_a_stream_are_as_scripted() {
    let cases = [
        ("tokens=1,no_done", vec!["null", "null", "\"stop\""]),
        ("tokens=1,no_finish", vec!["null", "null", "[DONE]"]),
        ("tokens=1,no_finish,no_done", vec!["null", "null"]),
        (
            "tokens=1,done_twice",
            vec!["null", "null", "\"stop\"", "[DONE]", "[DONE]"],
        ),
        (
            "tokens=1,finish=content_filter",
            vec!["null", "null", "\"content_filter\"", "[DONE]"],
        ),
        ("tokens=1,role=none", vec!["null", "\"stop\"", "[DONE]"]),
        ("tokens=1,role=joined", vec!["null", "\"stop\"", "[DONE]"]),
        ("tokens=0", vec!["null", "\"stop\"", "[DONE]"]),
        ("empty", vec![]),
    ];
    for (script, expected) in cases {
        let answer = stream(script).await;
        let events = answer.events();
        let finishes: Vec<_> = events
            .iter()
            .map(|event| match event.as_str() {
                "[DONE]" => event.clone(),
                _ => json(event)["choices"][0]["finish_reason"].to_string(),
            })
            .collect();
        assert_eq!(finishes, expected, "{script}");
        assert!(answer.complete, "{script}");
        let role = events
            .iter()
            .any(|event| event.contains("\"role\":\"assistant\""));
        assert_eq!(
            role,
            !script.contains("none") && script != "empty",
            "{script}"
        );
    }
}

#[tokio::test]
async fn a_canary_marks_every_token() {
    let script: Script = "tokens=4".parse().unwrap();
    let sim = sim("tokens=4").await;
    let mut client = Client::connect(&sim).await;
    let body = r#"{"model":"m","stream":true}"#;
    client
        .post("/v1/chat/completions", "X-Sim-Canary: c-1\r\n", body)
        .await;
    assert_eq!(
        Some(client.answer().await.content()),
        scripted_text(&script, 0, Some("c-1"))
    );
    client
        .ask("m", ",\"stream\":true,\"user\":\"canary:c-2\"")
        .await;
    assert_eq!(
        Some(client.answer().await.content()),
        scripted_text(&script, 0, Some("c-2"))
    );
    client
        .post("/v1/chat/completions", "X-Sim-Canary: a\"b\r\n", body)
        .await;
    assert_eq!(client.answer().await.status, 400);
}

#[tokio::test]
async fn every_content_coding_is_undone_by_its_decoder() {
    let plain = stream("tokens=50").await.text();
    for script in [
        "encoding=gzip",
        "encoding=deflate",
        "encoding=br",
        "encoding=zstd",
    ] {
        for how in ["", ",delay=1ms", ",chunks=event", ",chunks=random:3"] {
            let answer = stream(&format!("tokens=50,{script}{how}")).await;
            let name = script.strip_prefix("encoding=").unwrap();
            assert!(
                answer
                    .head
                    .contains(&format!("content-encoding: {name}\r\n"))
            );
            assert!(answer.complete);
            let coded = answer.body.as_slice();
            let mut text = String::new();
            let read = match name {
                "gzip" => flate2::read::GzDecoder::new(coded).read_to_string(&mut text),
                "deflate" => flate2::read::ZlibDecoder::new(coded).read_to_string(&mut text),
                "br" => brotli::Decompressor::new(coded, 4096).read_to_string(&mut text),
                _ => zstd::stream::read::Decoder::new(coded)
                    .unwrap()
                    .read_to_string(&mut text),
            };
            read.unwrap();
            assert_eq!(text, plain, "{script}{how}");
        }
    }
}

#[tokio::test]
async fn bytes_are_cut_as_scripted_and_never_changed() {
    let plain = stream("tokens=30").await;
    assert_eq!(plain.chunks.len(), 1);
    let lengths = async |script: &str| {
        let answer = stream(&format!("tokens=30,{script}")).await;
        assert_eq!(answer.text(), plain.text(), "{script}");
        answer.chunks.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert!(lengths("chunks=1").await.iter().all(|length| *length == 1));
    assert_eq!(lengths("chunks=100").await[0], 100);
    assert_eq!(lengths("chunks=event").await.len(), 33);
    assert_eq!(
        lengths("chunks=random:7").await,
        lengths("chunks=random:7").await
    );
    assert_ne!(
        lengths("chunks=random:7").await,
        lengths("chunks=random:8").await
    );
    assert!(
        lengths("drip=1000/1ms")
            .await
            .iter()
            .rev()
            .skip(1)
            .all(|length| *length == 1000)
    );
    // Without a seed, the simulator's own and the request's number decide.
    assert_eq!(
        lengths("chunks=random").await,
        lengths("chunks=random").await
    );
    let crlf = stream("tokens=30,crlf").await.text();
    assert_eq!(crlf.replace("\r\n", "\n"), plain.text());
    assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count());
}

#[tokio::test]
async fn a_huge_event_and_large_tokens_arrive_whole() {
    let script: Script = "tokens=3,event_bytes=4MiB,token_bytes=1KiB"
        .parse()
        .unwrap();
    let answer = stream("tokens=3,event_bytes=4MiB,token_bytes=1KiB").await;
    assert_eq!(Some(answer.content()), scripted_text(&script, 0, None));
    assert_eq!(answer.content().len(), (4 << 20) + 2048);
    let whole = answer_to("tokens=3,event_bytes=4MiB", "").await;
    assert!(whole.head.contains("content-length: "));
    assert_eq!(whole.content().len(), (4 << 20) + 6);
}

#[tokio::test]
async fn a_document_can_come_where_a_stream_was_asked_and_a_length_on_a_stream() {
    let whole = stream("whole,tokens=3").await;
    assert!(whole.head.contains("content-type: application/json"));
    assert_eq!(whole.content(), " w0 w1 w2");
    let measured = stream("content_length,tokens=3,malformed@1,error@2").await;
    assert!(
        measured.head.contains("content-length: "),
        "{}",
        measured.head
    );
    assert!(measured.complete && measured.inbox_is_right());
    let closed = stream("until_close,tokens=3").await;
    assert!(closed.head.contains("connection: close"));
    assert!(closed.complete && !closed.head.contains("transfer-encoding"));
    let endless = sim("tokens=inf").await;
    let mut client = Client::connect(&endless).await;
    client.ask("m", "").await;
    client.read_until(" w9999 ").await;
}

impl crate::sim::tests::Answer {
    /// The events and the end mark are all there.
    fn inbox_is_right(&self) -> bool {
        self.text().ends_with("data: [DONE]\n\n")
    }
}

#[tokio::test]
async fn scripts_are_chosen_by_header_then_name_then_any() {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("*", "tokens=2".parse().unwrap());
    sim.script("own", "tokens=3".parse().unwrap());
    let mut client = Client::connect(&sim).await;
    let cases = [
        ("", "other", 2),
        ("", "own", 3),
        ("", "sim:tokens=4", 4),
        ("x-sim-script: tokens=5\r\n", "own", 5),
    ];
    for (header, model, tokens) in cases {
        let body = format!("{{\"model\":\"{model}\"}}");
        client.post("/v1/chat/completions", header, &body).await;
        assert_eq!(
            client.answer().await.content(),
            answer_text(tokens),
            "{model}"
        );
    }
    sim.scripts(
        "own",
        vec!["status=500".parse().unwrap(), "tokens=1".parse().unwrap()],
    );
    for status in [500, 200, 200] {
        client.ask("own", "").await;
        assert_eq!(client.answer().await.status, status);
    }
    let bad = [("x-sim-script: nonsense\r\n", "m"), ("", "sim:nonsense")];
    for (header, model) in bad {
        let mut client = Client::connect(&sim).await;
        let body = format!("{{\"model\":\"{model}\"}}");
        client.post("/v1/chat/completions", header, &body).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("is not a key"), "{}", answer.text());
    }
}
