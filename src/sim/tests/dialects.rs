use std::io::ErrorKind;

use serde_json::{Value, json};

use crate::sim::tests::Client;
use crate::sim::tests::formats::{ALL, BOTH, CHATS, Format, How, Said, events, read};
use crate::sim::{End, GARBAGE, Options, Sim, answer_text};

#[tokio::test]
async fn a_script_says_the_same_in_every_format() {
    for format in ALL {
        for how in BOTH {
            let answer = format.ask("tokens=20,prompt=9", how).await;
            assert_eq!(answer.status, 200, "{format:?}: {}", answer.text());
            let said = read(format, &answer, how);
            assert_eq!(said.text, answer_text(20), "{format:?} {how:?}");
            assert!(said.ended && said.error.is_none(), "{format:?} {how:?}");
            let told = how == How::Whole || matches!(format, Format::Anthropic | Format::Gemini);
            assert_eq!(said.usage, told.then_some((9, 20)), "{format:?} {how:?}");
            let wanted = match format {
                Format::Anthropic => "end_turn",
                Format::Gemini => "STOP",
                _ => "stop",
            };
            assert_eq!(said.finish, wanted);
        }
    }
}

#[tokio::test]
async fn reasoning_calls_and_refusals_have_each_formats_form() {
    for format in CHATS {
        for how in BOTH {
            let mut request = format.request("m", how);
            offer(format, &mut request);
            let answer = format.post(
                "tools=2,tokens=5,thinking=3,prompt=9,cached=4",
                how,
                &request,
            );
            let answer = answer.await;
            let said = read(format, &answer, how);
            let call = |text: &str| ("weather".to_owned(), json!({ "text": text }));
            assert_eq!(
                said.calls,
                [call(" w0 w1 w2"), call(" w3 w4")],
                "{format:?}"
            );
            assert_eq!(said.reasoning, " r0 r1 r2", "{format:?} {how:?}");
            assert!(said.ended, "{format:?} {how:?}");
            if format != Format::OpenAi || how == How::Whole {
                assert_eq!(said.usage, Some((9, 8)), "{format:?} {how:?}");
            }
            let refused = read(format, &format.ask("refusal,tokens=2", how).await, how);
            let expected = match format {
                Format::Anthropic => (" w0 w1", "", "refusal"),
                Format::Gemini => (" w0 w1", "", "SAFETY"),
                _ => ("", " w0 w1", "stop"),
            };
            let Said {
                text,
                refusal,
                finish,
                ..
            } = &refused;
            assert_eq!((text.as_str(), refusal.as_str(), finish.as_str()), expected);
        }
    }
}

fn offer(format: Format, request: &mut Value) {
    let schema = json!({ "type": "object" });
    request["tools"] = match format {
        Format::Anthropic => json!([{ "name": "weather", "input_schema": schema }]),
        Format::Gemini => json!([{ "functionDeclarations": [{ "name": "weather" }] }]),
        _ => json!([{ "type": "function", "function": { "name": "weather" } }]),
    };
}

#[tokio::test]
async fn a_finish_is_told_in_the_formats_own_word() {
    let cases = [
        ("length", ["length", "max_tokens", "MAX_TOKENS"]),
        ("content_filter", ["content_filter", "refusal", "SAFETY"]),
        ("stop_sequence", ["stop", "stop_sequence", "STOP"]),
        ("RECITATION", ["RECITATION", "RECITATION", "RECITATION"]),
    ];
    for (finish, expected) in cases {
        for (format, expected) in CHATS.into_iter().zip(expected) {
            for how in BOTH {
                let script = format!("tokens=1,finish={finish}");
                let said = read(format, &format.ask(&script, how).await, how);
                assert_eq!(said.finish, expected, "{format:?} {finish}");
            }
        }
    }
    let mut request = Format::Anthropic.request("m", How::Whole);
    request["stop_sequences"] = json!(["FIN"]);
    let answer = Format::Anthropic
        .post("finish=stop_sequence", How::Whole, &request)
        .await;
    assert!(answer.text().contains("\"stop_sequence\":\"FIN\""));
}

#[tokio::test]
async fn a_stream_of_messages_opens_and_closes_every_block() {
    let answer = Format::Anthropic.ask(
        "thinking=2,tools=2,tokens=3,prompt=9,cached=4,cache_write=2",
        How::Stream,
    );
    let answer = answer.await;
    let events = events(&answer.text());
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    let block = |deltas: usize| {
        let mut names = vec!["content_block_start"];
        names.extend(vec!["content_block_delta"; deltas]);
        names.push("content_block_stop");
        names
    };
    let mut expected = vec!["message_start"];
    expected.extend(["content_block_start", "ping"]);
    expected.extend(block(3).into_iter().skip(1));
    expected.extend(block(3));
    expected.extend(block(2));
    expected.extend(["message_delta", "message_stop"]);
    assert_eq!(names, expected);
    let data: Vec<Value> = events
        .iter()
        .map(|(_, data)| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(data[5]["delta"]["type"], "signature_delta");
    let size = Format::Anthropic
        .request("m", How::Stream)
        .to_string()
        .len();
    assert_eq!(
        data[7]["content_block"]["id"],
        format!("toolu_sim_{size}_0")
    );
    assert_eq!(
        (&data[7]["index"], &data[12]["index"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(data[8]["delta"]["partial_json"], "");
    let usage = json!({ "input_tokens": 3, "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 4, "output_tokens": 5,
        "output_tokens_details": { "thinking_tokens": 2 } });
    assert_eq!(data[data.len() - 2]["usage"], usage);
    for header in [
        "request-id: req_sim_1",
        "anthropic-ratelimit-requests-remaining: 999",
    ] {
        assert!(answer.head.contains(header), "{}", answer.head);
    }
    let empty = Format::Anthropic
        .ask("tokens=0,refusal", How::Whole)
        .await
        .text();
    assert!(
        empty.contains("\"content\":[]") && empty.contains("\"stop_details\":{"),
        "{empty}"
    );
}

#[tokio::test]
async fn a_stream_of_content_has_crlf_whole_calls_and_running_totals() {
    let answer = Format::Gemini
        .ask("tools=2,tokens=3,prompt=9", How::Stream)
        .await;
    let text = answer.text();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert!(!text.contains("[DONE]") && !text.contains("event:"));
    let chunks: Vec<Value> = events(&text)
        .iter()
        .map(|(_, data)| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(chunks.len(), 3);
    let part = |at: usize| &chunks[at]["candidates"][0]["content"]["parts"][0];
    assert!(part(0)["thoughtSignature"].is_string() && part(1)["thoughtSignature"].is_null());
    assert!(part(0)["functionCall"]["id"].is_null());
    assert_eq!(part(2)["text"], "");
    let counts: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            chunk["usageMetadata"]["candidatesTokenCount"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(counts, [2, 3, 3]);
    for how in BOTH {
        let blocked = Format::Gemini.ask("refusal,tokens=0", how).await;
        let said = read(Format::Gemini, &blocked, how);
        assert_eq!(said.finish, "SAFETY");
        assert!(
            blocked.text().contains("promptFeedback") && !blocked.text().contains("candidates\":")
        );
    }
}

#[tokio::test]
async fn faults_stand_at_the_same_places_in_every_format() {
    for format in CHATS {
        let whole = format.ask("tokens=9", How::Stream).await;
        for at in [0, 1, 5, 9] {
            let cut = format.ask(&format!("tokens=9,cut@{at}"), How::Stream).await;
            assert!(
                !cut.complete && whole.text().starts_with(&cut.text()),
                "{format:?} {at}"
            );
            let said = read(format, &cut, How::Stream);
            assert_eq!(said.text, answer_text(at), "{format:?}");
            assert!(!said.ended && said.finish.is_empty(), "{format:?} {at}");
            let reset = format
                .ask(&format!("tokens=9,reset@{at}"), How::Stream)
                .await;
            assert_eq!(reset.error, Some(ErrorKind::ConnectionReset), "{format:?}");
        }
        let garbage = format.ask("tokens=2,garbage@1", How::Stream).await;
        assert!(memchr::memmem::find(&garbage.body, GARBAGE).is_some());
        let thought = format.ask("tokens=9,thinking=9,cut@t4", How::Stream).await;
        assert_eq!(
            read(format, &thought, How::Stream).reasoning,
            " r0 r1 r2 r3"
        );
        let document = format.ask("tokens=9,cut@3", How::Whole).await;
        assert!(
            !document.complete && document.text().ends_with(" w2"),
            "{format:?}"
        );
        let malformed = format.ask("tokens=9,malformed@3", How::Stream).await;
        let bad = |(_, data): &(String, String)| {
            data != "[DONE]" && serde_json::from_str::<Value>(data).is_err()
        };
        assert_eq!(
            events(&malformed.text())
                .iter()
                .filter(|event| bad(event))
                .count(),
            1
        );
    }
}

#[tokio::test]
async fn an_error_in_the_stream_is_the_formats_own_and_its_last_word() {
    for (format, field, expected) in [
        (Format::OpenAi, "type", "overloaded_error"),
        (Format::Anthropic, "type", "overloaded_error"),
        (Format::Gemini, "status", "UNAVAILABLE"),
    ] {
        for how in BOTH {
            let answer = format
                .ask("tokens=4,error@2,error_type=overloaded_error", how)
                .await;
            assert!(answer.status == 200 && answer.complete);
            let said = read(format, &answer, how);
            assert_eq!(said.error.unwrap()[field], expected, "{format:?}");
            assert!(said.finish.is_empty());
            if how == How::Stream {
                assert_eq!(said.text, answer_text(2), "{format:?}");
                assert_eq!(said.ended, format == Format::OpenAi, "{format:?}");
            }
        }
    }
    let raw = Format::Gemini
        .ask("tokens=1,error@1", How::Stream)
        .await
        .text();
    let (_, error) = raw.split_once("\r\n\r\n").unwrap();
    assert!(error.starts_with("{\n  \"error\": {\n"), "{error}");
}

#[tokio::test]
async fn an_error_status_has_the_formats_own_body() {
    let cases = [
        (
            Format::OpenAi,
            "status=429",
            "\"code\":\"rate_limit_exceeded\"",
        ),
        (Format::Azure, "status=429", "\"code\":\"429\""),
        (Format::Azure, "status=404", "DeploymentNotFound"),
        (
            Format::Azure,
            "status=400,error_code=content_filter",
            "ResponsibleAIPolicyViolation",
        ),
        (Format::Anthropic, "status=429", "rate_limit_error"),
        (Format::Anthropic, "status=529", "overloaded_error"),
        (
            Format::Anthropic,
            "status=500",
            "\"request_id\":\"req_sim_1\"",
        ),
        (
            Format::Gemini,
            "status=429,retry_after=7",
            "\"retryDelay\": \"7s\"",
        ),
        (Format::Gemini, "status=503", "UNAVAILABLE"),
    ];
    for (format, script, part) in cases {
        for how in BOTH {
            let answer = format.ask(script, how).await;
            assert!(script.contains(&answer.status.to_string()), "{script}");
            assert!(answer.text().contains(part), "{script}: {}", answer.text());
        }
    }
    let delay = |format: Format| async move {
        format
            .ask("status=429,retry_after=7", How::Whole)
            .await
            .head
            .contains("retry-after: 7\r\n")
    };
    assert!(delay(Format::Anthropic).await && delay(Format::OpenAi).await);
    assert!(!delay(Format::Gemini).await);
}

#[tokio::test]
async fn signs_of_life_are_pings_or_comments() {
    for (format, ping) in [
        (Format::OpenAi, ": ping\n\n"),
        (
            Format::Anthropic,
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        ),
        (Format::Gemini, ": ping\n\n"),
    ] {
        let answer = format
            .ask("tokens=1,first_after=500ms,ping=5ms", How::Stream)
            .await;
        assert!(answer.text().matches(ping).count() > 0, "{format:?}");
        assert_eq!(read(format, &answer, How::Stream).text, " w0");
    }
}

#[tokio::test]
async fn the_journal_tells_the_model_that_the_path_names() {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("own", "tokens=2".parse().unwrap());
    let mut client = Client::connect(&sim).await;
    for format in ALL {
        let request = format.request("own", How::Whole).to_string();
        client
            .post(&format.path("own", How::Whole), format.headers(), &request)
            .await;
        assert_eq!(
            read(format, &client.answer().await, How::Whole).text,
            " w0 w1"
        );
    }
    let path = Format::Gemini.path("sim:tokens=3", How::Whole);
    let request = Format::Gemini.request("", How::Whole).to_string();
    client.post(&path, Format::Gemini.headers(), &request).await;
    assert_eq!(
        read(Format::Gemini, &client.answer().await, How::Whole).text,
        " w0 w1 w2"
    );
    sim.journal()
        .wait_for_no_request(crate::sim::tests::PATIENCE)
        .await
        .unwrap();
    let entries = sim.journal().entries();
    assert!(entries.iter().all(|entry| entry.end() == Some(End::Served)));
    assert_eq!(
        entries
            .iter()
            .filter(|entry| entry.model() == Some("own"))
            .count(),
        5
    );
    assert_eq!(sim.tally("own").total, 5);
}

#[tokio::test]
async fn lists_and_counts_are_told_in_each_format() {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("own", "tokens=2".parse().unwrap());
    let mut client = Client::connect(&sim).await;
    let get = async |client: &mut Client, path: &str, headers: &str| -> Value {
        client
            .send(format!("GET {path} HTTP/1.1\r\n{headers}\r\n").as_bytes())
            .await;
        serde_json::from_slice(&client.answer().await.body).unwrap()
    };
    let headers = Format::Anthropic.headers();
    let list = get(&mut client, "/v1/models", headers).await;
    assert_eq!(
        (&list["data"][0]["type"], &list["last_id"]),
        (&json!("model"), &json!("own"))
    );
    let one = get(&mut client, "/v1/models/own", headers).await;
    assert_eq!(one["display_name"], "own");
    let list = get(&mut client, "/v1beta/models", "").await;
    assert_eq!(list["models"][0]["name"], "models/own");
    let mut request = Format::Anthropic.request("own", How::Whole);
    let fields = request.as_object_mut().unwrap();
    fields.remove("max_tokens");
    fields.remove("stream");
    let request = request.to_string();
    client
        .post("/v1/messages/count_tokens", headers, &request)
        .await;
    let counted: Value = serde_json::from_slice(&client.answer().await.body).unwrap();
    assert_eq!(counted["input_tokens"], request.len().div_ceil(4));
    sim.script("own", "status=529".parse().unwrap());
    client
        .post("/v1/messages/count_tokens", headers, &request)
        .await;
    let refused = client.answer().await;
    assert!(refused.status == 529 && refused.text().contains("overloaded_error"));
    let request = Format::Gemini.request("", How::Whole).to_string();
    client
        .post(
            "/v1beta/models/m:countTokens",
            Format::Gemini.headers(),
            &request,
        )
        .await;
    assert!(client.answer().await.text().contains("totalTokens"));
}

#[tokio::test]
async fn a_text_is_said_as_given() {
    let json = "{\"city\":\"Oslo 🌤\",\"temp\":4}";
    let script = "text=\"{\\\"city\\\":\\\"Oslo 🌤\\\",\\\"temp\\\":4}\",cut@99";
    for format in ALL {
        for how in BOTH {
            let said = read(format, &format.ask(script, how).await, how);
            assert_eq!(said.text, json, "{format:?} {how:?}");
        }
    }
}
