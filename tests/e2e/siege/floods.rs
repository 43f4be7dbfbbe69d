//! HTTP/2 clients that send what costs more than it cost them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::{Stage, elsewhere, of};
use crate::edge_stage::{Caller, Frame};

/// Attackers at a time.
const ATTACKERS: usize = 4;

const KINDS: [&str; 8] = [
    "resets",
    "continuations",
    "settings",
    "pings",
    "empty data",
    "priorities",
    "malformed heads",
    "heads that never end",
];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A head of literal fields (RFC 7541 section 6.2.2), each shorter than 127 bytes.
fn head(path: &str) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/json"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The frames of one round of a flood; streams are numbered from `stream` on.
fn round(kind: &str, stream: &mut u32) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..100 {
        let own = *stream;
        match kind {
            "resets" => {
                *stream += 2;
                wire.extend(frame(
                    Frame::HEADERS,
                    Frame::END_HEADERS,
                    own,
                    &head("/v1/models"),
                ));
                wire.extend(frame(Frame::RST_STREAM, 0, own, &[0, 0, 0, 8]));
            }
            "continuations" => wire.extend(frame(Frame::CONTINUATION, 0, 1, b"\0\x01a\x01b")),
            "settings" => wire.extend(frame(Frame::SETTINGS, 0, 0, &[])),
            "pings" => wire.extend(frame(Frame::PING, 0, 0, &[0; 8])),
            "empty data" => wire.extend(frame(Frame::DATA, 0, 1, &[])),
            "priorities" => wire.extend(frame(2, 0, 1, &[0, 0, 0, 0, 9])),
            "malformed heads" => {
                *stream += 2;
                let flags = Frame::END_HEADERS | Frame::END_STREAM;
                wire.extend(frame(Frame::HEADERS, flags, own, &head("")));
            }
            _ => {
                *stream += 2;
                let flags = Frame::END_HEADERS;
                wire.extend(frame(
                    Frame::HEADERS,
                    flags,
                    own,
                    &head("/v1/chat/completions"),
                ));
            }
        }
    }
    wire
}

/// One attacker: comes back whenever it is cut off.
async fn attack(kind: &'static str, caller: Caller, to: SocketAddr, until: Instant) {
    while Instant::now() < until {
        // Frames are what floods here; whoever only connects meets the caps on connections.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(stream) = caller.call(to, "localhost").await else {
            continue;
        };
        let (mut read, mut write) = tokio::io::split(stream);
        let flood = async {
            let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
            opening.extend(frame(Frame::SETTINGS, 0, 0, &[]));
            let mut stream = 1;
            match kind {
                "continuations" => opening.extend(frame(Frame::HEADERS, 0, 1, &[])),
                "empty data" => {
                    let chat = head("/v1/chat/completions");
                    opening.extend(frame(Frame::HEADERS, Frame::END_HEADERS, 1, &chat));
                }
                _ => {}
            }
            write.write_all(&opening).await?;
            loop {
                write.write_all(&round(kind, &mut stream)).await?;
                write.flush().await?;
            }
        };
        let answers = async {
            let mut buffer = vec![0; 16 << 10];
            while read.read(&mut buffer).await? > 0 {}
            std::io::Result::Ok(())
        };
        let both = async {
            tokio::select! {
                ended = flood => ended,
                ended = answers => ended,
            }
        };
        // However it was cut off.
        let _: Result<std::io::Result<()>, _> = timeout_at(until, both).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_are_cut_off_and_nobody_else_notices() {
    let stage = Stage::new("").await;
    // Longer than the span in which frames are counted.
    let turns = of(
        (2, Duration::from_secs(12)),
        (1, Duration::from_millis(700)),
    );
    for kind in KINDS {
        let flood = |until| {
            let caller = || stage.authority.caller().alpn(&[b"h2"]);
            let attackers = (0..ATTACKERS).map(|_| attack(kind, caller(), stage.secure, until));
            elsewhere(attackers.collect())
        };
        stage.withstands(kind, turns, flood).await;
    }
    let cut_off = "segue_connections_refused_total{reason=\"http2_flood\"}";
    assert!(stage.told(cut_off).await > 0.0);
}
