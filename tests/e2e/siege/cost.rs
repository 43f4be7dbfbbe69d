//! What a connection costs that has shown no key.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Stage, connect, of};
use crate::edge_stage::{Caller, shows};

/// What it may cost at most.
const MOST: u64 = 128 << 10;

/// A connection in a state that it stays in.
enum Held {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

const KINDS: [&str; 6] = [
    "silent",
    "most of a long head",
    "half a handshake",
    "TLS, silent",
    "HTTP/2, silent",
    "HTTP/2, most of a long head",
];

async fn hold(kind: &str, caller: &Caller, plain: SocketAddr, secure: SocketAddr) -> Held {
    let tls = |alpn: &'static [&'static [u8]]| {
        let caller = caller.clone().alpn(alpn);
        async move { caller.call(secure, "localhost").await.unwrap() }
    };
    match kind {
        "silent" => Held::Plain(connect(1, plain).await.unwrap()),
        "most of a long head" => {
            let mut stream = connect(1, plain).await.unwrap();
            let fields = format!("x-{}: {}\r\n", "a".repeat(60), "b".repeat(1_200)).repeat(48);
            let head = format!("GET / HTTP/1.1\r\nhost: x\r\n{fields}");
            stream.write_all(head.as_bytes()).await.unwrap();
            Held::Plain(stream)
        }
        "half a handshake" => {
            let mut stream = connect(1, secure).await.unwrap();
            // The head of a record and of a ClientHello, and nothing behind them.
            let hello = [22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3];
            stream.write_all(&hello).await.unwrap();
            Held::Plain(stream)
        }
        "TLS, silent" => Held::Secure(Box::new(tls(&[b"http/1.1"]).await)),
        _ => {
            let mut stream = tls(&[b"h2"]).await;
            let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
            wire.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
            if kind != "HTTP/2, silent" {
                // 16 KiB of literal fields a frame, the end of them never told.
                let field = [&[0, 4][..], b"x-xx", &[100], &[b'v'; 100]].concat();
                let block = field.repeat(150);
                let [_, high, middle, low] = u32::try_from(block.len()).unwrap().to_be_bytes();
                for kind in [1, 9, 9] {
                    wire.extend([high, middle, low, kind, 0, 0, 0, 0, 1]);
                    wire.extend(&block);
                }
            }
            stream.write_all(&wire).await.unwrap();
            stream.flush().await.unwrap();
            Held::Secure(Box::new(stream))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_key_costs_little() {
    // No clock must end what is measured.
    let stage = Stage::new("limits: { head_time: 5m, idle: 5m }").await;
    let number = of(900, 100);
    let caller = stage.authority.caller();
    // The allocator's own growth comes with the first load: it is no connection's.
    stage.calm(Duration::from_secs(1)).await;
    for kind in KINDS {
        let mut cost = Vec::new();
        // The first round is the warm-up of its kind.
        for _ in 0..2 {
            let before = stage.process.resident();
            let mut held = Vec::with_capacity(number);
            for _ in 0..number {
                held.push(hold(kind, &caller, stage.plain, stage.secure).await);
            }
            let named = if kind == "half a handshake" {
                "handshake"
            } else {
                "open"
            };
            let series = format!("segue_connections{{state=\"{named}\"}}");
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            shows(stage.admin, &series, number as f64).await;
            // What was sent must have been read; nothing rings when it has.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let grown = stage.process.resident().saturating_sub(before);
            cost.push(grown / number as u64);
            for one in &held {
                match one {
                    Held::Plain(stream) => drop(stream.peer_addr().unwrap()),
                    Held::Secure(stream) => drop(stream.get_ref().0.peer_addr().unwrap()),
                }
            }
            drop(held);
            shows(stage.admin, &series, 0.0).await;
        }
        println!(
            "{kind}: {} KiB a connection, then {} KiB",
            cost[0] >> 10,
            cost[1] >> 10
        );
        assert!(cost.iter().all(|cost| *cost <= MOST), "{kind}: {cost:?}");
    }
}
