//! No answer waits for an acknowledgement, and what belongs together leaves together.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use crate::relay_stage::{STREAM, WHOLE, chat, world};
use crate::support::{PATIENCE, World, post};

const REQUESTS: usize = 200;

/// One without a step is enough.
const ROUNDS: usize = 4;

/// Where a delayed acknowledgement would put an answer (40 ms on Linux).
const STEP: std::ops::Range<Duration> = Duration::from_millis(35)..Duration::from_millis(50);

async fn latencies(world: &World, request: &[u8]) -> Vec<Duration> {
    let mut client = world.client().await;
    let mut took = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        client.send(request).await;
        let answer = client.answer().await;
        took.push(begun.elapsed());
        assert!(answer.status == 200 && answer.complete);
    }
    took.sort_unstable();
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_waits_for_an_acknowledgement() {
    let world = world("", "").await;
    let large = "x".repeat(100 << 10);
    for how in [WHOLE, STREAM] {
        for (script, prompt) in [
            ("tokens=4,token_bytes=256", "hi"),
            ("tokens=4,token_bytes=25KiB", "hi"),
            ("tokens=3", large.as_str()),
        ] {
            world.script(script);
            let request = post(
                "/v1/chat/completions",
                "",
                &crate::relay_stage::body("model", how).replace("\"hi\"", &format!("\"{prompt}\"")),
            );
            // A busy machine has its slow moments; a delayed acknowledgement comes every time.
            let mut clean = false;
            for _ in 0..ROUNDS {
                let took = latencies(&world, &request).await;
                let median = took[REQUESTS / 2];
                let stuck = took.iter().filter(|took| STEP.contains(*took)).count();
                let size = prompt.len();
                println!("{script} {how} {size}: median {median:?}, {stuck} in the step");
                clean = median < STEP.start && stuck < REQUESTS / 10;
                if clean {
                    break;
                }
            }
            assert!(clean, "{script} {how} {}", prompt.len());
        }
    }
    // Each side kept its connection, so that there was something to be delayed. A new one is made
    // where the last chunk was still on its way when the next request came.
    let entries = world.sim.journal().entries();
    let most = entries.iter().map(|entry| entry.connection).max().unwrap();
    assert!(
        most * 10 < entries.len() as u64,
        "{most} connections for {} requests",
        entries.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_comes_with_the_first_bytes_of_its_body() {
    let world = world("", "").await;
    for (script, how, with) in [
        ("tokens=3", WHOLE, "\"finish_reason\":\"stop\""),
        ("tokens=10,token_bytes=10KiB", WHOLE, "\"content\":\" w0"),
        ("tokens=3,delay=30ms", STREAM, " w0"),
        (
            "tokens=3,first_after=30ms,delay=30ms,chunks=event",
            STREAM,
            " w0",
        ),
        ("status=500", STREAM, "provider_failed"),
        ("status=400", WHOLE, "invalid_value"),
    ] {
        world.script(script);
        let mut client = world.client().await;
        client.send(&chat("model", how)).await;
        let mut first = vec![0; 64 << 10];
        let read = tokio::time::timeout(PATIENCE, client.stream.read(&mut first)).await;
        let text = String::from_utf8_lossy(&first[..read.unwrap().unwrap()]).into_owned();
        let (_, came) = text.split_once("\r\n\r\n").expect(&text);
        assert!(came.contains(with), "{script} {how}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_comes_when_it_is_there() {
    let world = world("", "").await;
    world.script("tokens=4,stall@1=100ms,stall@2=100ms,stall@3=100ms");
    let mut client = world.client().await;
    let begun = Instant::now();
    client.send(&chat("model", STREAM)).await;
    for (token, wait) in [(" w0", 0), (" w1", 100), (" w2", 200), (" w3", 300)] {
        client.until(token).await;
        assert!(begun.elapsed() >= Duration::from_millis(wait));
        let next = format!(" w{}", wait / 100 + 1);
        assert!(!client.raw().contains(&next), "{next} came with {token}");
    }
    assert!(client.answer().await.complete);
}
