//! What an exchange needs of its connection, whichever protocol that speaks.
//!
//! Heads are handed over in the form of HTTP/1. The peer's leaving ends every wait.

use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use tokio::time::Instant;

use crate::sim::entry::{End, Entry};
use crate::sim::head::Head;
use crate::sim::script::Script;
use crate::sim::wire::Gone;

/// Whether more of an answer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// It does.
    More,
    /// The answer is complete.
    End,
}

/// A script that the protocol has no words for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) &'static str);

/// One exchange's way to its peer.
pub(crate) trait Link {
    /// Whether a script can be played at all.
    fn suits(&self, script: &Script) -> Result<(), Unfit>;

    /// Takes the head of an answer. Gives the bytes that are to be sent for it, before the body's;
    /// none where the head goes out by itself, with the next thing sent.
    fn open(&mut self, head: Vec<u8>) -> Result<Vec<u8>, Unfit>;

    /// Whether a head has been taken that goes out by itself and has not yet.
    fn head_is_due(&self) -> bool;

    /// Sends all bytes, however long the peer takes; counts what is accepted. Returns when the
    /// socket has them.
    async fn send(&mut self, bytes: &[u8], last: Last, accepted: &AtomicU64) -> Result<(), Gone>;

    /// Sends a 1xx head.
    async fn interim(&mut self, status: u16, accepted: &AtomicU64) -> Result<(), Gone>;

    /// Tells a peer that waits for it to send the request's body.
    async fn let_body_come(&mut self, head: &Head, accepted: &AtomicU64) -> Result<(), Gone>;

    /// What comes next of the request's body; `None` at its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, Broken>;

    /// Sends nothing until the peer leaves.
    async fn silence(&mut self) -> Gone;

    /// Sends bytes of no format in place of an answer; how the exchange is over then.
    async fn garbage(&mut self, accepted: &AtomicU64) -> Over;

    /// Announces that the connection takes no more requests.
    async fn goaway(&mut self) -> Result<(), Gone>;

    /// How an exchange is over that was turned away untouched.
    fn refusal(&self) -> Over;

    /// Whether the peer seems gone because a script, maybe another exchange's, ended the connection.
    fn ended_by_script(&self) -> bool;

    /// Sends nothing until that time, or until the peer leaves.
    async fn silence_until(&mut self, time: Instant) -> Result<(), Gone> {
        if time <= Instant::now() {
            // A timer would round up to its next tick, a millisecond away.
            return Ok(());
        }
        match tokio::time::timeout_at(time, self.silence()).await {
            Ok(gone) => Err(gone),
            Err(_) => Ok(()),
        }
    }
}

/// Why a request is not complete.
#[derive(Debug)]
pub(crate) enum Broken {
    Gone(Gone),
    Malformed,
    TooLarge,
    Slow,
}

/// Why an answer ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The client left.
    Gone(Gone),
    /// The script says that the connection ends.
    Cut,
    /// The script says RST.
    Reset,
    /// The script says that bytes of no format end the connection; they are still to be sent.
    Garbage,
    /// The script says that the request is turned away untouched.
    Refused,
    /// The script says what the protocol has no words for.
    Unfit(Unfit),
    /// The request turned out malformed while it was answered.
    Malformed,
}

impl From<Gone> for Over {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<Unfit> for Over {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl Over {
    /// As the journal says it.
    pub(crate) fn end(self, entry: &Entry) -> End {
        match self {
            Self::Gone(gone) => End::ClientClosed {
                after: entry.stage(),
                at: gone.at,
            },
            Self::Cut | Self::Garbage => End::Cut,
            Self::Reset | Self::Refused => End::Reset,
            Self::Malformed | Self::Unfit(_) => End::Refused,
        }
    }
}
