//! Reads requests off a connection, in bounded size and time.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, timeout_at};

use crate::sim::entry::BodyRecorder;
use crate::sim::head::{self, Head};
use crate::sim::link::{Broken, Link};
use crate::sim::wire::{SMALL_READ, Wire};

/// How long a connection may be idle, and how long a request's head or body may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Reads the next request's head, for which an idle connection waits.
pub(crate) async fn read_head(wire: &mut Wire) -> Result<Head, Broken> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(length) = head::end(&wire.inbox).filter(|length| *length <= head::LARGEST) {
            let raw = wire.inbox.split_to(length);
            return Head::parse(&raw).ok_or(Broken::Malformed);
        }
        if wire.inbox.len() > head::LARGEST {
            return Err(Broken::TooLarge);
        }
        fill(wire, SMALL_READ, end).await?;
    }
}

/// Reads a body to its end.
pub(crate) async fn read_body(
    link: &mut impl Link,
    largest: u64,
    recorder: &mut BodyRecorder,
) -> Result<BytesMut, Broken> {
    let mut body = BytesMut::new();
    let end = Instant::now() + PATIENCE;
    loop {
        let piece = timeout_at(end, link.piece()).await;
        let Some(bytes) = piece.map_err(|_| Broken::Slow)?? else {
            return Ok(body);
        };
        if body.len().saturating_add(bytes.len()) as u64 > largest {
            return Err(Broken::TooLarge);
        }
        recorder.push(&bytes);
        body.extend_from_slice(&bytes);
    }
}

async fn fill(wire: &mut Wire, room: usize, end: Instant) -> Result<(), Broken> {
    match timeout_at(end, wire.fill(room)).await {
        Ok(filled) => filled.map_err(Broken::Gone),
        Err(_) => Err(Broken::Slow),
    }
}
