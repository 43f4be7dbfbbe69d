//! More than memory holds: large bodies at once, and readers that have stopped.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cage::Cage;
use super::{HONEST, Stage, chat, connect, of, served};
use crate::edge_stage::shows;
use crate::support::{Client, PATIENCE, post};

/// What became of a large body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Served,
    Shed,
}

fn fate(answer: &str) -> Fate {
    let (head, _) = answer.split_once("\r\n\r\n").expect(answer);
    match head.split(' ').nth(1) {
        Some("200") => Fate::Served,
        Some("503") => {
            let says = |field: &str| head.lines().any(|line| line.eq_ignore_ascii_case(field));
            assert!(
                says("retry-after: 1") && says("x-should-retry: true"),
                "{head}"
            );
            Fate::Shed
        }
        _ => panic!("{answer}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_shed_before_memory_runs_out() {
    // In full by the shipped limits: a hundred bodies of 32 MiB, half a gigabyte for all of them.
    let (limits, number, size, most) = of(
        ("", 100, 32 << 20, 1 << 30),
        (
            "limits: { buffered: 32MiB, body: 4MiB }",
            60,
            (4 << 20) - 200,
            160 << 20,
        ),
    );
    let stage = Stage::within(Cage::new(most), limits).await;
    let text = "x".repeat(size - 100);
    let body = format!(r#"{{"model":"model","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let fields = format!("authorization: Bearer {HONEST}\r\nconnection: close\r\n");
    let request: &'static [u8] = post("/v1/chat/completions", &fields, &body).leak();
    let mut all = JoinSet::new();
    for _ in 0..number {
        let address = stage.plain;
        all.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // One that is refused need not be read to its end.
            let _ = stream.write_all(request).await;
            let mut answer = String::new();
            // The machine has three gigabytes to move.
            let read = timeout(10 * PATIENCE, stream.read_to_string(&mut answer)).await;
            read.expect("an answer in time").unwrap();
            fate(&answer)
        });
    }
    let fates = all.join_all().await;
    let count = |wanted| fates.iter().filter(|fate| **fate == wanted).count();
    let peak = stage.process.peak_memory();
    println!(
        "{number} bodies of {size} bytes: {} served, {} shed; at most {} MiB of memory",
        count(Fate::Served),
        count(Fate::Shed),
        peak >> 20
    );
    assert!(peak < most, "{peak}");
    assert_eq!(stage.cage.as_ref().map_or(0, Cage::kills), 0);
    assert!(count(Fate::Shed) > 0 && count(Fate::Served) > 0);
    shows(stage.admin, "segue_buffered_bytes", 0.0).await;
    served(&mut Client::connect(stage.plain).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_have_stopped_cost_little_memory() {
    let (number, most) = of((1_000, 400 << 20), (100, 80 << 20));
    let stage = Stage::new(
        "limits: { exchanges_per_key: 2000, attempts_per_provider: 2000, client_write: 10m }",
    )
    .await;
    let body = r#"{"stream":true,"model":"endless","messages":[{"role":"user","content":"hi"}]}"#;
    let mut readers = Vec::new();
    for _ in 0..number {
        let mut stream = connect(1, stage.plain).await.unwrap();
        stream.write_all(&chat(HONEST, body)).await.unwrap();
        let mut head = [0; 200];
        let first = tokio::time::timeout(PATIENCE, stream.read(&mut head));
        assert!(first.await.unwrap().unwrap() > 0);
        readers.push(stream);
    }
    // Nothing rings when nothing moves any more.
    tokio::time::sleep(of(Duration::from_secs(5), Duration::from_millis(500))).await;
    shows(stage.admin, "segue_exchanges_in_flight", f64::from(number)).await;
    let resident = stage.process.resident();
    println!("{number} stopped readers: {} MiB in all", resident >> 20);
    assert!(resident <= most, "{resident} bytes for {number} readers");
    served(&mut Client::connect(stage.plain).await).await;
    drop(readers);
    shows(stage.admin, "segue_exchanges_in_flight", 0.0).await;
    stage
        .sim
        .journal()
        .wait_for_no_request(PATIENCE)
        .await
        .unwrap();
}
