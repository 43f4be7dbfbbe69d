//! Clients that take their time: with a head, with a body, with an answer.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::{STOLEN, Stage, chat, connect, elsewhere, of};

/// What a slow client sends first, and then a little of again and again.
#[derive(Clone)]
struct Slow {
    name: &'static str,
    first: Vec<u8>,
    then: &'static [u8],
}

fn kinds() -> Vec<Slow> {
    let body = |key: &str| {
        let length = 1_000_000;
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             authorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{{"
        )
    };
    let answer = r#"{"stream":true,"model":"endless","messages":[{"role":"user","content":"hi"}]}"#;
    vec![
        Slow {
            name: "heads",
            first: b"GET / HTTP/1.1\r\nhost: x\r\n".to_vec(),
            then: b"x-a: b\r\n",
        },
        Slow {
            name: "bodies without a key",
            first: body("none").into_bytes(),
            then: b" ",
        },
        Slow {
            name: "bodies with a key",
            first: body(STOLEN).into_bytes(),
            then: b" ",
        },
        Slow {
            name: "readers",
            first: chat(STOLEN, answer),
            then: b"",
        },
    ]
}

/// One slow client: comes back whenever it is turned away.
async fn attack(slow: Slow, from: u8, to: SocketAddr, until: Instant) {
    while Instant::now() < until {
        if let Some(mut stream) = connect(from, to).await {
            let _ = timeout_at(until, crawl(&slow, &mut stream)).await;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Until the other side has had enough.
async fn crawl(slow: &Slow, stream: &mut TcpStream) {
    if stream.write_all(&slow.first).await.is_err() {
        return;
    }
    let mut byte = [0];
    loop {
        sleep(Duration::from_secs(1)).await;
        if slow.then.is_empty() {
            // A byte of the answer each second.
            if !matches!(stream.read(&mut byte).await, Ok(1)) {
                return;
            }
        } else if stream.write_all(slow.then).await.is_err()
            || matches!(stream.try_read(&mut byte), Ok(0))
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_take_their_time_take_nobody_elses() {
    let stage = Stage::new("").await;
    let (number, time) = of(
        (3_000, Duration::from_mins(2)),
        (150, Duration::from_millis(1_500)),
    );
    for slow in kinds() {
        let siege = |until| {
            // A thousand from an address is what the shipped config lets in.
            let from = |client| u8::try_from(1 + client / 1_000).unwrap();
            let attackers =
                (0..number).map(|client| attack(slow.clone(), from(client), stage.plain, until));
            elsewhere(attackers.collect())
        };
        stage.withstands(slow.name, (1, time), siege).await;
    }
}
