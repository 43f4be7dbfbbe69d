//! A connection of HTTP/1: its requests one after the other.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;

use crate::sim::body::{Incoming, Next};
use crate::sim::head::{BodyLength, Head};
use crate::sim::intake::read_head;
use crate::sim::link::{Broken, Last, Link, Over, Unfit};
use crate::sim::reply::reason;
use crate::sim::script::Script;
use crate::sim::serve::{self, After};
use crate::sim::state::State;
use crate::sim::text::GARBAGE;
use crate::sim::wire::{Close, Gone, READ, Wire};

/// Serves a connection to its end.
pub(crate) async fn connection(state: Arc<State>, wire: Wire, number: u64) {
    let mut http1 = Http1 {
        wire,
        body: Incoming::End,
    };
    let close = loop {
        let head = match read_head(&mut http1.wire).await {
            Ok(head) => head,
            Err(Broken::Gone(_)) => return,
            Err(Broken::Malformed) => break http1.refuse_head(400).await,
            Err(Broken::TooLarge) => break http1.refuse_head(431).await,
            Err(Broken::Slow) => break Close::Orderly,
        };
        http1.body = Incoming::new(head.length);
        match serve::request(&state, &mut http1, &head, number).await {
            After::Reuse => {}
            After::Close | After::Stale => break Close::Orderly,
            After::Cut | After::Refuse | After::Garbage => break Close::Cut,
            After::Reset => break Close::Reset,
        }
    };
    http1.wire.close(close).await;
}

/// An exchange's hold on the connection: it has it alone.
struct Http1 {
    wire: Wire,
    /// Where in the request's body it is.
    body: Incoming,
}

impl Http1 {
    async fn refuse_head(&mut self, status: u16) -> Close {
        let reason = reason(status);
        let head =
            format!("HTTP/1.1 {status} {reason}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        // The peer may be gone already; closing is all that is left either way.
        let _ = self.wire.send(head.as_bytes(), &AtomicU64::new(0)).await;
        Close::Orderly
    }
}

impl Link for Http1 {
    fn suits(&self, _: &Script) -> Result<(), Unfit> {
        Ok(())
    }

    fn open(&mut self, head: Vec<u8>) -> Result<Vec<u8>, Unfit> {
        Ok(head)
    }

    fn head_is_due(&self) -> bool {
        false
    }

    async fn send(&mut self, bytes: &[u8], _: Last, accepted: &AtomicU64) -> Result<(), Gone> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.wire.send(bytes, accepted).await
    }

    async fn interim(&mut self, status: u16, accepted: &AtomicU64) -> Result<(), Gone> {
        let head = format!("HTTP/1.1 {status} {}\r\n\r\n", reason(status));
        self.wire.send(head.as_bytes(), accepted).await
    }

    async fn let_body_come(&mut self, head: &Head, accepted: &AtomicU64) -> Result<(), Gone> {
        let waits = head.expects_continue && self.wire.inbox.is_empty();
        if waits && head.length != BodyLength::Known(0) {
            return self.interim(100, accepted).await;
        }
        Ok(())
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            match self.body.take(&mut self.wire.inbox) {
                Next::Bytes(bytes) => return Ok(Some(bytes)),
                Next::More => self.wire.fill(READ).await.map_err(Broken::Gone)?,
                Next::End => return Ok(None),
                Next::Malformed => return Err(Broken::Malformed),
            }
        }
    }

    async fn silence(&mut self) -> Gone {
        self.wire.silence().await
    }

    async fn garbage(&mut self, accepted: &AtomicU64) -> Over {
        match self.wire.send(GARBAGE, accepted).await {
            Ok(()) => Over::Cut,
            Err(gone) => Over::Gone(gone),
        }
    }

    /// The head has said `connection: close`.
    async fn goaway(&mut self) -> Result<(), Gone> {
        Ok(())
    }

    fn refusal(&self) -> Over {
        Over::Cut
    }

    fn ended_by_script(&self) -> bool {
        false
    }
}
