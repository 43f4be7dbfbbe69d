//! TERM with many streams of many lengths: those that fit end well, the others with an error event.

use std::time::Duration;

use segue::sim::{Options, Sim, answer_text};
use serde_json::Value;

use crate::edge_stage::Process;
use crate::support::{Answer, Client, post};
use crate::upgrade::rounds;

/// Tokens of each stream: how long it takes is a matter of the pause between them.
const TOKENS: u64 = 20;
/// Lengths of streams, evenly from the shortest to the longest.
const LENGTHS: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_fit_the_deadline_complete_and_the_rest_end_with_an_error_event() {
    // 500 streams of 1 to 120 s and a minute's time, or a slice.
    let (streams, longest, deadline) = if rounds(0, 1) == 1 {
        (500, 120_000, 60_000)
    } else {
        (60, 6_000, 3_000)
    };
    let length = |place: u64| longest * (place + 1) / LENGTHS;
    let sim = Sim::start(Options::default()).await.unwrap();
    let routes = (0..LENGTHS).map(|place| {
        let pause = length(place) / TOKENS;
        format!("r{place}: \"sim/sim:tokens={TOKENS},delay={pause}ms\"")
    });
    let routes = routes.collect::<Vec<_>>().join(", ");
    let drain = format!("drain: {{ deadline: {deadline}ms }}");
    let config = Process::config(sim.address(), &drain).replace("model: sim/m", &routes);
    let process = Process::start(&config).await;
    let open = ask(&process, streams).await;
    let begun = async {
        while sim.journal().received() < streams {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), begun)
        .await
        .expect("all begun");
    process.signal("TERM");
    let answers = open.into_iter().map(|(place, mut client)| {
        tokio::spawn(async move { (place, client.whole(Duration::from_mins(3)).await) })
    });
    let answers: Vec<_> = answers.collect();
    let (mut whole, mut cut) = (0, 0);
    for answer in answers {
        let (place, answer) = answer.await.unwrap();
        assert!(answer.complete, "the framing has its end: {place}");
        let counted = if ended_well(&answer) {
            &mut whole
        } else {
            &mut cut
        };
        *counted += 1;
        // Between the two it is the machine's business.
        if length(place) < deadline * 2 / 3 {
            assert!(ended_well(&answer), "{place}: {}", answer.text());
        }
        if length(place) > deadline * 3 / 2 {
            assert!(!ended_well(&answer), "{place}: {}", answer.text());
        }
    }
    assert_eq!(process.exit().await, 1, "work was left undone");
    println!("{streams} streams: {whole} whole, {cut} with an error event, none cut");
}

/// Clients that have asked for a stream each, with the places of their lengths.
async fn ask(process: &Process, streams: u64) -> Vec<(u64, Client)> {
    let address = process.address().await;
    let clients = (0..streams).map(|number| {
        tokio::spawn(async move {
            let place = number % LENGTHS;
            let body = format!(
                r#"{{"model":"r{place}","stream":true,"messages":[{{"role":"user","content":"hi"}}]}}"#
            );
            let mut client = Client::connect(address).await;
            client.send(&post("/v1/chat/completions", "", &body)).await;
            (place, client)
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut open = Vec::new();
    for client in clients {
        open.push(client.await.unwrap());
    }
    open
}

/// Whether an answer is whole. If not, it ends with an error event.
fn ended_well(answer: &Answer) -> bool {
    let events = answer.events();
    let last = events.last().unwrap();
    if last == "[DONE]" {
        assert_eq!(answer.content(), answer_text(TOKENS));
        return true;
    }
    let last: Value = serde_json::from_str(last).unwrap();
    assert!(last["error"]["message"].is_string(), "{last}");
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_begins_during_a_drain_says_that_the_connection_closes() {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("m", "head_after=1500ms,tokens=3".parse().unwrap());
    let process = Process::start(&Process::config(sim.address(), "")).await;
    let mut whole = process.client().await;
    whole.ask("").await;
    let mut streamed = process.client().await;
    streamed.ask("\"stream\":true,").await;
    let begun = async {
        while sim.journal().received() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun)
        .await
        .expect("both begun");
    process.signal("TERM");
    for client in [&mut whole, &mut streamed] {
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (200, Some("close"))
        );
        assert!(answer.complete);
    }
    assert_eq!(process.exit().await, 0);
}
