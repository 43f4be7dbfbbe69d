//! Tells HTTP/2 with prior knowledge by its preface (RFC 9113 section 3.4).

use std::time::Duration;

use tokio::time::timeout;

use crate::sim::wire::{SMALL_READ, Wire};

/// What a client that speaks HTTP/2 sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much of the preface is a head of HTTP/1 too.
const LIKE_A_HEAD: usize = 18;

/// How long the rest of a preface may take that could as well be a bad head.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for the first bytes of a connection; they stay in its inbox.
pub(crate) async fn is_spoken(wire: &mut Wire) -> bool {
    loop {
        let seen = wire.inbox.len().min(PREFACE.len());
        if wire.inbox.get(..seen) != PREFACE.get(..seen) {
            return false;
        }
        if seen == PREFACE.len() {
            return true;
        }
        let filled = match seen {
            ..LIKE_A_HEAD => wire.fill(SMALL_READ).await.is_ok(),
            _ => matches!(timeout(PATIENCE, wire.fill(SMALL_READ)).await, Ok(Ok(()))),
        };
        if !filled {
            return false;
        }
    }
}
