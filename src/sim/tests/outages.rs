use std::io::ErrorKind;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpStream;

use crate::sim::tests::{Client, PATIENCE, answer_to, sim};
use crate::sim::{End, Entry, Options, Script, Sim, answer_text, scripted_calls, scripted_text};

#[tokio::test]
async fn a_simulator_that_is_down_refuses_connects_and_comes_back_where_it_was() {
    let sim = sim("tokens=3").await;
    for _ in 0..3 {
        let mut client = Client::connect(&sim).await;
        client.ask("sim:stall@1", ",\"stream\":true").await;
        client.read_until(" w0").await;
        sim.down().await;
        sim.down().await;
        assert_eq!((sim.open_connections(), sim.under_way()), (0, 0));
        assert!(!client.answer().await.complete);
        let refused = TcpStream::connect(sim.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        sim.up().await.unwrap();
        sim.up().await.unwrap();
        let mut client = Client::connect(&sim).await;
        client.ask("m", "").await;
        assert_eq!(client.answer().await.content(), answer_text(3));
    }
    let entries = sim.journal().entries();
    assert_eq!(entries.len(), 6);
    assert_eq!(entries[0].end(), Some(End::Stopped));
    sim.down().await;
    let address = sim.address();
    sim.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn requests_are_counted_by_model_and_at_once() {
    let sim = sim("hang").await;
    assert_eq!(sim.tally("m").total, 0);
    let mut clients = Vec::new();
    for model in ["m", "m", "other"] {
        let mut client = Client::connect(&sim).await;
        client.ask(model, "").await;
        clients.push(client);
    }
    let all = |entries: &[Arc<Entry>]| {
        entries
            .iter()
            .filter(|entry| entry.model().is_some())
            .count()
            == 3
    };
    sim.journal().wait_for(all, PATIENCE).await.unwrap();
    let counts = |model| {
        let tally = sim.tally(model);
        (tally.total, tally.under_way, tally.most)
    };
    assert_eq!((counts("m"), counts("other")), ((2, 2, 2), (1, 1, 1)));
    drop(clients);
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    sim.script("m", "tokens=1".parse().unwrap());
    let mut client = Client::connect(&sim).await;
    client.ask("m", "").await;
    client.answer().await;
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    assert_eq!(counts("m"), (3, 0, 2));
    let state: Value = serde_json::from_slice(&client.get("/_sim/state").await.body).unwrap();
    let expected = serde_json::json!({ "total": 3, "under_way": 0, "most": 2 });
    assert_eq!(state["models"]["m"], expected);
    assert_eq!(sim.state().received, 4);
    sim.journal().clear();
    assert!(sim.state().models.is_empty());
}

#[tokio::test]
async fn faults_by_chance_are_the_same_under_the_same_seed() {
    let statuses = async |seed: u64| {
        let scripts = ["40% status=500", "10% status=503", "tokens=1"];
        let scripts = scripts.iter().map(|text| text.parse().unwrap()).collect();
        let sim = Sim::start(Options {
            scripts: vec![("m".to_owned(), scripts)],
            seed,
            ..Options::default()
        })
        .await
        .unwrap();
        let mut client = Client::connect(&sim).await;
        let mut statuses = Vec::new();
        for _ in 0..60 {
            client.ask("m", "").await;
            statuses.push(client.answer().await.status);
        }
        statuses
    };
    let first = statuses(3).await;
    assert_eq!(first, statuses(3).await);
    assert_ne!(first, statuses(4).await);
    for status in [200, 500, 503] {
        assert!(first.contains(&status), "{status}");
    }
    let sim = sim("tokens=1").await;
    let mut client = Client::connect(&sim).await;
    for (how, status) in [
        ("100% status=500", 500),
        ("1% unread", 400),
        ("0% hang", 400),
    ] {
        let mut client = Client::connect(&sim).await;
        let header = format!("x-sim-script: {how}\r\n");
        client
            .post("/v1/chat/completions", &header, "{\"model\":\"m\"}")
            .await;
        assert_eq!(client.answer().await.status, status, "{how}");
    }
    client
        .send(b"PUT /_sim/scripts/m HTTP/1.1\r\ncontent-length: 16\r\n\r\n60% hang\n50% cut")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("more than 100%"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_whole_answer_breaks_at_every_place() {
    let whole = answer_to("tokens=5", "").await.body;
    let end = whole.len();
    let text = memchr::memmem::find(&whole, b" w3").unwrap();
    // With the length told, a document is complete at its last byte.
    let cases = [
        ("cut@head", 0, false),
        ("reset@head", 0, false),
        ("cut@0b", 0, false),
        ("cut@3", text, false),
        ("reset@3", text, false),
        ("cut@99b", 99, false),
        ("cut@done", end, true),
        ("cut@end", end, true),
        ("reset@end", end, true),
        ("cut@done,encoding=gzip", 0, false),
        ("cut@end,encoding=gzip", 0, false),
        ("reset@end,encoding=gzip", 0, false),
        ("stall@3=1ms", end, true),
        ("stall@done=1ms", end, true),
        ("stall@end=1ms", end, true),
        ("goaway@3", end, true),
    ];
    for (fault, bytes, complete) in cases {
        let answer = answer_to(&format!("tokens=5,{fault}"), "").await;
        assert_eq!(answer.complete, complete, "{fault}");
        if !fault.contains("gzip") {
            assert_eq!(answer.body, whole[..bytes], "{fault}");
        }
    }
    for fault in [
        "malformed@0",
        "malformed@3",
        "malformed@done",
        "garbage@3",
        "garbage@done",
    ] {
        let answer = answer_to(&format!("tokens=5,{fault}"), "").await;
        assert!(answer.complete, "{fault}");
        let read = serde_json::from_slice::<Value>(&answer.body);
        // Within the text, what is malformed only ends the string too early.
        assert!(read.is_err(), "{fault}: {}", answer.text());
    }
    for fault in ["error@0", "error@3", "error@done"] {
        let answer = answer_to(&format!("tokens=5,{fault}"), "").await;
        assert!(
            answer.complete && answer.text().starts_with("{\"error\":"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn the_good_answer_to_every_script_is_known_beforehand() {
    let scripts = [
        "tokens=5",
        "tokens=5,token_bytes=9,event_bytes=30",
        "tokens=5,canary=x",
        "tokens=7,tools=3",
        "tokens=5,tools=1:f,canary=x",
        "tokens=0",
    ];
    for text in scripts {
        let script: Script = text.parse().unwrap();
        for choices in [1, 3] {
            let answer = answer_to(text, &format!(",\"n\":{choices}")).await;
            let document: Value = serde_json::from_slice(&answer.body).unwrap();
            for choice in 0..choices {
                let message = &document["choices"][choice as usize]["message"];
                let content = message["content"].as_str().unwrap_or_default();
                assert_eq!(
                    scripted_text(&script, choice, None).unwrap(),
                    content,
                    "{text}"
                );
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                let calls: Vec<_> = calls
                    .map(|call| call["function"]["arguments"].as_str().unwrap().to_owned())
                    .collect();
                assert_eq!(
                    scripted_calls(&script, choice, None).unwrap(),
                    calls,
                    "{text}"
                );
            }
        }
    }
    assert_eq!(
        scripted_calls(&"tokens=inf,tools".parse().unwrap(), 0, None),
        None
    );
}
