use std::time::Duration;

use crate::sim::tests::{Client, PATIENCE, sim};
use crate::sim::{End, Journal, Options, Sim, Stage};

/// The first entry's end, as soon as it has one.
async fn first_end(journal: &Journal) -> End {
    let ended = |entries: &[std::sync::Arc<crate::sim::Entry>]| {
        entries.first().is_some_and(|entry| entry.end().is_some())
    };
    journal.wait_for(ended, PATIENCE).await.unwrap()[0]
        .end()
        .unwrap()
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_at_once_wherever_the_answer_is() {
    let stream = ",\"stream\":true";
    // What is awaited before leaving, and what the journal then says.
    let cases = [
        ("hang", "", Stage::BeforeHead),
        ("head_after=5m", "", Stage::BeforeHead),
        ("delay=5m", "", Stage::BeforeHead),
        ("stall@head", "HTTP/1.1 200", Stage::Tokens(0)),
        ("first_after=5m", "\"role\"", Stage::Tokens(0)),
        ("stall@0", "\"role\"", Stage::Tokens(0)),
        ("stall@3", " w2", Stage::Tokens(3)),
        ("delay=5m", " w0", Stage::Tokens(1)),
        ("stall@3,ping=1ms", ": ping", Stage::Tokens(3)),
        ("stall@done", "\"stop\"", Stage::Tokens(16)),
        ("drip=1/1m", "200 OK", Stage::Tokens(0)),
    ];
    for (script, awaited, stage) in cases {
        let sim = sim(script).await;
        let mut client = Client::connect(&sim).await;
        client
            .ask("m", if awaited.is_empty() { "" } else { stream })
            .await;
        client.read_until(awaited).await;
        let complete = |entries: &[std::sync::Arc<crate::sim::Entry>]| {
            entries
                .first()
                .is_some_and(|entry| entry.body_is_complete() && entry.stage() == stage)
        };
        sim.journal()
            .wait_for(complete, PATIENCE)
            .await
            .expect(script);
        let before = std::time::Instant::now();
        drop(client);
        match first_end(sim.journal()).await {
            End::ClientClosed { after, at } => {
                assert_eq!(after, stage, "{script}");
                assert!(at >= before, "{script}");
            }
            other => panic!("{script}: {other:?}"),
        }
        sim.journal()
            .wait_for_no_connection(PATIENCE)
            .await
            .unwrap();
        assert_eq!(sim.under_way(), 0, "{script}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_within_its_request_is_noticed() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let mut client = Client::connect(&sim).await;
    client
        .send(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 10\r\n\r\n{")
        .await;
    sim.journal()
        .wait_for(|entries| entries.len() == 1, PATIENCE)
        .await
        .unwrap();
    drop(client);
    let end = first_end(sim.journal()).await;
    assert!(
        matches!(
            end,
            End::ClientClosed {
                after: Stage::Request,
                ..
            }
        ),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_behind_a_body_that_nobody_reads() {
    let sim = sim("hang,unread").await;
    let mut client = Client::connect(&sim).await;
    client.ask(&"m".repeat(90_000), "").await;
    sim.journal()
        .wait_for(|entries| entries.len() == 1, PATIENCE)
        .await
        .unwrap();
    drop(client);
    let end = first_end(sim.journal()).await;
    assert!(
        matches!(
            end,
            End::ClientClosed {
                after: Stage::Request,
                ..
            }
        ),
        "{end:?}"
    );
}

#[tokio::test]
async fn an_endless_answer_waits_for_its_reader_and_ends_with_it() {
    let sim = sim("tokens=inf,token_bytes=64KiB").await;
    let mut client = Client::connect(&sim).await;
    client.ask("m", ",\"stream\":true").await;
    client.read_until(" w3x").await;
    // The socket's buffers fill up, and then nothing is written any more.
    let mut bytes = 0;
    loop {
        let more = sim
            .journal()
            .wait_for(
                |entries| entries[0].bytes() > bytes,
                Duration::from_millis(500),
            )
            .await;
        match more {
            Ok(entries) => bytes = entries[0].bytes(),
            Err(_) => break,
        }
    }
    assert!(bytes < 64 << 20, "{bytes}");
    drop(client);
    let end = first_end(sim.journal()).await;
    assert!(
        matches!(
            end,
            End::ClientClosed {
                after: Stage::Tokens(_),
                ..
            }
        ),
        "{end:?}"
    );
}

#[tokio::test]
async fn two_hundred_megabytes_arrive_and_are_counted() {
    let sim = sim("tokens=3200,token_bytes=64KiB").await;
    let mut client = Client::connect(&sim).await;
    client.ask("m", ",\"stream\":true").await;
    let mut read = 0;
    while !client.inbox.ends_with(b"0\r\n\r\n") {
        read += client.inbox.len().saturating_sub(16);
        let keep = client.inbox.len().min(16);
        client.inbox.drain(..client.inbox.len() - keep);
        assert_ne!(client.more().await.unwrap(), 0);
    }
    read += client.inbox.len();
    assert!(read > 200 << 20);
    first_end(sim.journal()).await;
    let entry = &sim.journal().entries()[0];
    assert_eq!((entry.bytes(), entry.tokens()), (read as u64, 3200));
    assert_eq!(entry.end(), Some(End::Served));
}

#[tokio::test]
async fn what_the_script_ends_is_told_apart_from_what_the_client_ends() {
    for (script, end) in [
        ("cut@3", End::Cut),
        ("reset@3", End::Reset),
        ("tokens=1", End::Served),
    ] {
        let sim = sim(script).await;
        let mut client = Client::connect(&sim).await;
        client.ask("m", ",\"stream\":true").await;
        client.answer().await;
        assert_eq!(first_end(sim.journal()).await, end, "{script}");
    }
}

#[tokio::test]
async fn a_dropped_simulator_stops_all_it_does() {
    let sim = sim("hang").await;
    let address = sim.address();
    let journal = sim.journal().clone();
    let mut client = Client::connect(&sim).await;
    client.ask("m", "").await;
    journal
        .wait_for(|entries| !entries.is_empty(), PATIENCE)
        .await
        .unwrap();
    drop(sim);
    assert_eq!(client.rest().await.0, b"");
    journal.wait_for_no_connection(PATIENCE).await.unwrap();
    assert_eq!(first_end(&journal).await, End::Stopped);
    let again = Sim::start(Options {
        addresses: vec![address],
        ..Options::default()
    })
    .await;
    again.unwrap().stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
