//! One connection (HTTP/1.1) or stream (HTTP/2) lent from the connector: request out, answer in.
//! Dropped at any point, it closes the connection or resets the stream.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v1::client::HttpSession as Http1Session;
use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::answer::{AnswerHead, inspect};
use super::error::{CallError, ConnectFailure, Flaw, Phase, connecting, reading};
use super::failure::{Failure, Origin, Wanted, h2_failure, is_no_error, is_silent, stale_h1};
use super::idle::Idle;
use super::message::Message;
use super::peer::Peer;
use super::template::{IDLE, fresh};
use super::write::{self, Sent};
use super::write_h2::{self, Early};

/// Informational heads skipped before one answer.
const INFORMATIONAL: usize = 8;

/// Where lines come from and go back to: the same for all providers.
pub(super) struct Lines {
    /// Makes connections, and keeps those of HTTP/2.
    pub(super) connector: Arc<Connector>,
    /// Keeps those of HTTP/1.1.
    pub(super) idle: Arc<Idle>,
}

/// A connection or stream in use.
pub(super) struct Line {
    /// `None` once it is of no further use.
    wire: Option<Wire>,
    peer: Arc<Peer>,
    lines: Arc<Lines>,
    origin: Origin,
    fate: Fate,
}

enum Wire {
    /// HTTP/1.1 before the request.
    Open(Stream),
    /// HTTP/1.1 after it.
    H1(Box<Http1Session>),
    H2(Box<Http2Session>, Early),
}

/// Whether a line's connection may serve again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pool,
    Close,
}

impl Line {
    /// Connects or reuses, within `budget`.
    pub(super) async fn open(
        lines: Arc<Lines>,
        peer: Arc<Peer>,
        wanted: Wanted,
        budget: Duration,
    ) -> Result<Self, CallError> {
        let idle = match wanted {
            Wanted::Any => lines.idle.take(peer.reuse, Instant::now()),
            Wanted::Fresh => None,
        };
        let (wire, origin) = match idle {
            Some(stream) => (Wire::Open(stream), Origin::Reused),
            // Boxed: with both protocols and their handshakes in it, it has many kilobytes.
            None => Box::pin(connect(&lines.connector, &peer, wanted, budget)).await?,
        };
        if origin == Origin::New {
            peer.note_reached();
        }
        let (wire, fate) = (Some(wire), Fate::Pool);
        Ok(Self {
            wire,
            peer,
            lines,
            origin,
            fate,
        })
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// Sends the whole request; `wait` bounds each wait for the peer to take more.
    pub(super) async fn send(&mut self, message: &Message, wait: Duration) -> Result<(), Failure> {
        match self.wire.take() {
            Some(Wire::Open(stream)) => {
                let sent = write::h1(stream, message, wait).await;
                let stream = match sent.map_err(|error| self.stale(error))? {
                    Sent::Whole(stream) => stream,
                    Sent::Answered(stream) => {
                        self.fate = Fate::Close;
                        stream
                    }
                };
                let session = Http1Session::new_with_options(stream, &self.peer.http);
                self.wire = Some(Wire::H1(Box::new(session)));
                Ok(())
            }
            Some(Wire::H2(session, _)) => {
                // Back in its place first: dropped there, it gives its slot back.
                let (Wire::H2(session, early), origin) =
                    (self.wire.insert(Wire::H2(session, Early::No)), self.origin)
                else {
                    return Err(CallError::Write.into());
                };
                *early = write_h2::send(session, message, wait)
                    .await
                    .map_err(|failure| failure.into_failure(origin))?;
                if *early == Early::Head {
                    self.fate = Fate::Close;
                }
                Ok(())
            }
            Some(Wire::H1(_)) | None => Err(CallError::Closed(Phase::BeforeHead).into()),
        }
    }

    /// The head of the final answer; informational ones are skipped.
    ///
    /// # Cancel safety
    /// Dropped and asked again, it goes on.
    pub(super) async fn head(&mut self) -> Result<AnswerHead, Failure> {
        let origin = self.origin;
        match &mut self.wire {
            Some(Wire::H1(session)) => read_h1_head(session, origin).await,
            Some(Wire::H2(session, early)) => {
                if *early == Early::No {
                    session
                        .read_response_header()
                        .await
                        .map_err(|error| h2_failure(&error, origin))?;
                    *early = Early::Head;
                }
                let header = session
                    .response_header()
                    .ok_or(CallError::Closed(Phase::BeforeHead))?;
                Ok(inspect(header, &[]).map_err(CallError::BadAnswer)?)
            }
            Some(Wire::Open(_)) | None => Err(CallError::Closed(Phase::BeforeHead).into()),
        }
    }

    /// The next bytes of the body, never empty; `None` when its framing has ended.
    ///
    /// # Cancel safety
    /// Dropped and asked again, it loses nothing.
    pub(super) async fn read(&mut self) -> Result<Option<Bytes>, CallError> {
        let failed = |error: Box<Error>| reading(&error, Phase::AfterHead);
        loop {
            let chunk = match &mut self.wire {
                Some(Wire::H1(session)) => session.read_body_bytes().await.map_err(failed)?,
                Some(Wire::H2(session, _)) => match session.read_response_body().await {
                    Ok(None) => {
                        session.check_response_end_or_error().map_err(failed)?;
                        None
                    }
                    Err(error) if self.fate == Fate::Close && is_no_error(&error) => None,
                    other => other.map_err(failed)?,
                },
                Some(Wire::Open(_)) | None => {
                    return Err(CallError::Closed(Phase::AfterHead));
                }
            };
            match chunk {
                Some(chunk) if chunk.is_empty() => {}
                chunk => return Ok(chunk),
            }
        }
    }

    /// Whether the end of the body is already here, without a wait for it.
    pub(super) fn ends_now(&mut self) -> bool {
        let read = pin!(self.read());
        let mut cx = Context::from_waker(Waker::noop());
        matches!(read.poll(&mut cx), Poll::Ready(Ok(None)))
    }

    /// Gives the connection back after a whole answer.
    pub(super) fn release(mut self, idle: Duration) {
        // A stream of HTTP/2 goes back with the drop.
        let Some(Wire::H1(mut session)) = self.wire.take_if(|wire| matches!(wire, Wire::H1(_)))
        else {
            return;
        };
        session.respect_keepalive();
        if self.fate == Fate::Close || !session.will_keepalive() {
            return;
        }
        // It waits for nothing but a graceful shutdown, and a drop does for us.
        if let Some(Some(stream)) = session.reuse().now_or_never() {
            let now = Instant::now();
            self.lines.idle.put(self.peer.reuse, stream, idle, now);
        }
    }

    fn stale(&self, error: CallError) -> Failure {
        Failure {
            error,
            again: stale_h1(error, self.origin),
        }
    }
}

impl Drop for Line {
    /// A stream's slot is given back in any case, else its connection would never be idle again.
    /// An unfinished stream is reset by that; for HTTP/1.1 the drop of the socket is all.
    fn drop(&mut self) {
        let Some(Wire::H2(session, _)) = self.wire.take() else {
            return;
        };
        if Handle::try_current().is_err() {
            return;
        }
        let session = HttpSession::H2(*session);
        let release =
            self.lines
                .connector
                .release_http_session(session, &self.peer.http, Some(IDLE));
        // It never waits for HTTP/2.
        let _ = pin!(release).poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// A stream on a connection of HTTP/2, or a new connection, within `budget`.
async fn connect(
    connector: &Connector,
    peer: &Peer,
    wanted: Wanted,
    budget: Duration,
) -> Result<(Wire, Origin), CallError> {
    let new;
    let http = match wanted {
        Wanted::Any => &peer.http,
        Wanted::Fresh => {
            new = fresh(&peer.http);
            &new
        }
    };
    match timeout(budget, session(connector, http)).await {
        Ok(Ok((HttpSession::H1(session), _))) => {
            Ok((Wire::Open(session.into_inner()), Origin::New))
        }
        Ok(Ok((HttpSession::H2(session), reused))) => {
            let origin = if reused { Origin::Reused } else { Origin::New };
            Ok((Wire::H2(Box::new(session), Early::No), origin))
        }
        Ok(Ok((HttpSession::Custom(()), _))) => Err(CallError::Connect(ConnectFailure::Other)),
        Ok(Err(error)) => Err(connecting(&error)),
        Err(_) => Err(CallError::ConnectTimeout),
    }
}

/// A session, pooled or new. A pooled HTTP/2 connection may turn out to be dead when a stream is
/// opened on it: it is out of the pool then, and the second try meets another one.
async fn session(
    connector: &Connector,
    peer: &HttpPeer,
) -> pingora_error::Result<(HttpSession, bool)> {
    match connector.get_http_session(peer).await {
        Err(error) if *error.etype() == ErrorType::H2Error => {
            connector.get_http_session(peer).await
        }
        other => other,
    }
}

async fn read_h1_head(session: &mut Http1Session, origin: Origin) -> Result<AnswerHead, Failure> {
    for _ in 0..=INFORMATIONAL {
        if let Err(error) = session.read_response().await {
            let silent = is_silent(&error);
            let error = reading(&error, Phase::BeforeHead);
            let again = stale_h1(error, origin).filter(|_| silent);
            return Err(Failure { error, again });
        }
        let header = session
            .resp_header()
            .ok_or(CallError::BadAnswer(Flaw::Head))?;
        match header.status.as_u16() {
            101 => return Err(CallError::BadAnswer(Flaw::SwitchingProtocols).into()),
            100..=199 => {}
            _ => {
                let raw = session.get_headers_raw_bytes();
                return Ok(inspect(header, &raw).map_err(CallError::BadAnswer)?);
            }
        }
    }
    Err(CallError::BadAnswer(Flaw::Informational).into())
}
