//! A call under way: its answer's head, then its body, decoded.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::AnswerHead;
use super::breaker::Settled;
use super::error::{CallError, Flaw, Phase};
use super::failure::{Failure, Origin, Wanted};
use super::inflate::Inflater;
use super::line::{Line, Lines};
use super::message::{Expects, Message};
use super::peer::{Peer, PeerLease};

/// The bounds of a call's own waits. The waits for an answer are the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallBounds {
    /// Name, connection and handshake together, over all addresses that are tried.
    pub connect: Duration,
    /// The longest time in which the peer takes nothing of the request.
    pub write: Duration,
}

/// When the parts of a call were done, each since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// A connection was there.
    pub connected: Duration,
    /// The request was out.
    pub written: Duration,
    /// The answer's head was there.
    pub head: Option<Duration>,
}

/// A call under way. Dropped at any point, it closes its connection (HTTP/1.1) or resets its
/// stream (HTTP/2) at once; [`Call::release`] gives the connection back instead.
pub struct Call {
    line: LineState,
    lease: PeerLease,
    again: Again,
    head: Option<AnswerHead>,
    inflater: Option<Inflater>,
    body: Body,
    origin: Origin,
    retries: u32,
    started: Instant,
    timings: Timings,
}

/// Where the call's connection is.
enum LineState {
    Open(Line),
    /// A dead one is being replaced. Kept here, so that a dropped wait for the head loses nothing.
    Renewing(Pin<Box<dyn Future<Output = Result<Line, Failure>> + Send>>),
    Gone,
}

/// What a second try needs.
pub(super) struct Again {
    pub(super) lines: Arc<Lines>,
    pub(super) message: Arc<Message>,
    pub(super) bounds: CallBounds,
}

#[derive(Clone, Copy)]
enum Body {
    Open,
    Ended,
    Failed(CallError),
}

impl Call {
    /// Sends the request on a new line; one that turns out to be dead is replaced once.
    pub(super) async fn start(
        mut line: Line,
        mut lease: PeerLease,
        again: Again,
        started: Instant,
    ) -> Result<Self, CallError> {
        let connected = started.elapsed();
        let mut retries = 0;
        let message = Arc::clone(&again.message);
        if let Err(failure) = line.send(&message, again.bounds.write).await {
            drop(line);
            let renewed = match failure.again {
                Some(wanted) => {
                    retries = 1;
                    lease.peer().note_error(failure.error);
                    again.renew(Arc::clone(lease.peer()), wanted).await
                }
                None => Err(failure),
            };
            line = renewed.map_err(|failure| {
                lease.failed(failure.error, Instant::now());
                failure.error
            })?;
        }
        Ok(Self {
            origin: line.origin(),
            line: LineState::Open(line),
            lease,
            again,
            head: None,
            inflater: None,
            body: Body::Open,
            retries,
            started,
            timings: Timings {
                connected,
                written: started.elapsed(),
                head: None,
            },
        })
    }

    /// The answer's status and headers, whatever the status: redirects are answers too and never
    /// followed. When a reused connection ends without a byte, the request is sent once more on a
    /// fresh one. Without a time bound of its own, but for connecting and writing again.
    ///
    /// # Cancel safety
    /// Dropped and asked again, it goes on where it was.
    pub async fn head(&mut self) -> Result<&AnswerHead, CallError> {
        if self.head.is_none() {
            if let Body::Failed(error) = self.body {
                return Err(error);
            }
            match self.read_head().await {
                Ok(head) => self.begin_body(head)?,
                Err(error) => return Err(self.fail(error)),
            }
        }
        self.head
            .as_ref()
            .ok_or(CallError::Closed(Phase::BeforeHead))
    }

    /// The next bytes of the body, with content codings undone; `None` once its framing has ended
    /// properly. A body that breaks off is an error, now and whenever asked again. Without a time
    /// bound of its own.
    ///
    /// # Cancel safety
    /// Dropped and asked again, it loses nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        self.head().await?;
        loop {
            match self.body {
                Body::Ended => return Ok(None),
                Body::Failed(error) => return Err(error),
                Body::Open => {}
            }
            if let Some(piece) = self.pull()? {
                return Ok(Some(piece));
            }
            let LineState::Open(line) = &mut self.line else {
                return Err(self.fail(CallError::Closed(Phase::AfterHead)));
            };
            match (line.read().await, &mut self.inflater) {
                (Err(error), _) => return Err(self.fail(error)),
                (Ok(Some(chunk)), None) => return Ok(Some(chunk)),
                (Ok(Some(chunk)), Some(inflater)) => inflater.push(chunk),
                (Ok(None), _) => self.end()?,
            }
        }
    }

    /// Says how the call ended, for the choice among the provider's peers: a status of 5xx, a
    /// stall, a first token that did not come in time are failures that only the caller sees. What
    /// fails before the head is noted by itself, and the first word counts.
    pub fn note(&mut self, end: Settled) {
        self.lease.note(end);
    }

    /// Ends the call: the connection goes back to the pool when the answer has ended, or its end
    /// is already here; else it is closed. A whole 2xx answer of which nothing was noted is a
    /// success of its peer.
    #[expect(
        clippy::unused_async,
        reason = "that nothing is waited for is nothing to build on"
    )]
    pub async fn release(mut self) {
        let LineState::Open(mut line) = std::mem::replace(&mut self.line, LineState::Gone) else {
            return;
        };
        let ended = match self.body {
            Body::Ended => true,
            // What is still to come of a body that nobody wants is often just its last chunk.
            Body::Open => self.head.is_some() && line.ends_now(),
            Body::Failed(_) => false,
        };
        if let (true, Some(head)) = (ended, &self.head) {
            if (200..300).contains(&head.status) {
                self.lease.note(Settled::Success);
            }
            line.release(head.idle());
        }
    }

    /// Where the answer comes from.
    pub fn peer_address(&self) -> SocketAddr {
        self.lease.address()
    }

    /// Whether the connection had served another call before.
    pub fn reused(&self) -> bool {
        self.origin == Origin::Reused
    }

    /// How often the request was sent again because a connection had died: 0 or 1.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// When the parts of the call were done.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    async fn read_head(&mut self) -> Result<AnswerHead, CallError> {
        loop {
            let failure = match &mut self.line {
                LineState::Open(line) => match line.head().await {
                    Ok(head) => return Ok(head),
                    Err(failure) => failure,
                },
                LineState::Renewing(renewing) => match renewing.as_mut().await {
                    Ok(line) => {
                        self.origin = line.origin();
                        self.timings.written = self.started.elapsed();
                        self.line = LineState::Open(line);
                        continue;
                    }
                    Err(failure) => return Err(failure.error),
                },
                LineState::Gone => return Err(CallError::Closed(Phase::BeforeHead)),
            };
            let (Some(wanted), 0) = (failure.again, self.retries) else {
                return Err(failure.error);
            };
            self.retries = 1;
            self.lease.peer().note_error(failure.error);
            let renewing = self.again.renew(Arc::clone(self.lease.peer()), wanted);
            self.line = LineState::Renewing(Box::pin(renewing));
        }
    }

    fn begin_body(&mut self, head: AnswerHead) -> Result<(), CallError> {
        self.timings.head = Some(self.started.elapsed());
        let coding = head.coding().map(|coding| Inflater::for_coding(&coding));
        let expects = self.again.message.expects;
        match coding {
            // The framing of an answer to HEAD describes a body that does not come: Pingora's
            // session, which has not sent the request, would wait for it.
            _ if expects == Expects::HeadOnly => {
                self.line = LineState::Gone;
                self.body = Body::Ended;
            }
            Ok(Ok(inflater)) => self.inflater = inflater,
            Ok(Err(_)) | Err(_) => {
                return Err(self.fail(CallError::BadAnswer(Flaw::Coding)));
            }
        }
        self.head = Some(head);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Bytes>, CallError> {
        let pulled = self.inflater.as_mut().map_or(Ok(None), Inflater::pull);
        pulled.map_err(|error| self.fail(CallError::Inflate(error)))
    }

    fn end(&mut self) -> Result<(), CallError> {
        let finished = self.inflater.as_mut().map_or(Ok(()), Inflater::finish);
        finished.map_err(|error| self.fail(CallError::Inflate(error)))?;
        self.body = Body::Ended;
        Ok(())
    }

    /// Closes the connection at once, however long the call is kept.
    fn fail(&mut self, error: CallError) -> CallError {
        self.line = LineState::Gone;
        self.body = Body::Failed(error);
        match self.head {
            None => self.lease.failed(error, Instant::now()),
            Some(_) => self.lease.peer().note_error(error),
        }
        error
    }
}

impl Again {
    fn renew(
        &self,
        peer: Arc<Peer>,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Line, Failure>> + Send + use<> {
        let (lines, message) = (Arc::clone(&self.lines), Arc::clone(&self.message));
        let bounds = self.bounds;
        async move {
            let mut line = Line::open(lines, peer, wanted, bounds.connect).await?;
            line.send(&message, bounds.write).await?;
            Ok(line)
        }
    }
}
