//! The client's side of an exchange, as the relay sees it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::units::MicroUsd;

/// The client has left, or takes no more bytes: nothing can be told to it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientGone;

/// What the head of an answer says beyond what `edge` always adds.
#[derive(Clone, Debug)]
pub struct AnswerHead {
    /// The HTTP status.
    pub status: u16,
    /// What the body is.
    pub content: Content,
    /// Which target answers; `None` while that is open.
    pub target: Option<Arc<str>>,
    /// How many attempts have been made.
    pub attempts: usize,
    /// Why it is not the first target.
    pub fallback_reason: Option<&'static str>,
    /// What the exchange has cost, as far as that is known before its end: of whole answers.
    pub cost: Option<MicroUsd>,
    /// How long the head of a stream was held back.
    pub held: Option<Duration>,
    /// The client's parameters that the target did not hear of, with commas; empty for none.
    pub dropped: String,
    /// The targets that were left out of the plan, each with its reason; empty for none.
    pub left_out: String,
}

/// The kind of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// One JSON document.
    Json,
    /// Server-sent events.
    Events,
}

/// A door to the client. `edge` has the one over Pingora's session; tests have one in memory.
///
/// Every method but [`Client::left`] waits as long as the client takes bytes within its write
/// timeout: that is the back-pressure that reaches the provider.
pub trait Client: Send {
    /// Resolves when the client has left; waits for ever while it is there.
    ///
    /// # Cancel safety
    /// May be dropped and called again at any time.
    fn left(&mut self) -> impl Future<Output = ()> + Send;

    /// Sends a whole answer, head and body in one write where the protocol has it so.
    fn answer(
        &mut self,
        head: AnswerHead,
        body: Bytes,
    ) -> impl Future<Output = Result<(), ClientGone>> + Send;

    /// Begins a stream: its head and its first frames leave together.
    fn begin(
        &mut self,
        head: AnswerHead,
        frames: Bytes,
    ) -> impl Future<Output = Result<(), ClientGone>> + Send;

    /// Sends frames of a stream that has begun.
    fn send(&mut self, frames: Bytes) -> impl Future<Output = Result<(), ClientGone>> + Send;

    /// Ends a stream that has begun: its last frames and the end of its framing in one write.
    fn end(&mut self, last: Bytes) -> impl Future<Output = Result<(), ClientGone>> + Send;
}
