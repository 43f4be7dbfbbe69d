//! One connection (HTTP/1.1) or stream (HTTP/2) lent from the connector: request out, answer in.
//! Dropped at any point, it closes the connection or resets the stream.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use pingora_core::connectors::http::Connector;
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
use super::message::Message;
use super::peer::Peer;
use super::template::{IDLE, fresh};
use super::write::{self, Sent};
use super::write_h2::{self, Early};

/// Informational heads skipped before one answer.
const INFORMATIONAL: usize = 8;

/// A connection or stream in use.
pub(super) struct Line {
    /// `None` once it is of no further use.
    wire: Option<Wire>,
    peer: Arc<Peer>,
    connector: Arc<Connector>,
    origin: Origin,
    fate: Fate,
}

enum Wire {
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
        connector: Arc<Connector>,
        peer: Arc<Peer>,
        wanted: Wanted,
        budget: Duration,
    ) -> Result<Self, CallError> {
        let new;
        let http = match wanted {
            Wanted::Any => &peer.http,
            Wanted::Fresh => {
                new = fresh(&peer.http);
                &new
            }
        };
        // Boxed: with both protocols and their handshakes in it, it has many kilobytes.
        let got = timeout(budget, Box::pin(session(&connector, http))).await;
        let result = match got {
            Ok(Ok((HttpSession::H1(session), reused))) => Ok((Wire::H1(Box::new(session)), reused)),
            Ok(Ok((HttpSession::H2(session), reused))) => {
                Ok((Wire::H2(Box::new(session), Early::No), reused))
            }
            Ok(Ok((HttpSession::Custom(()), _))) => Err(CallError::Connect(ConnectFailure::Other)),
            Ok(Err(error)) => Err(connecting(&error)),
            Err(_) => Err(CallError::ConnectTimeout),
        };
        let (wire, reused) = result?;
        let origin = if reused { Origin::Reused } else { Origin::New };
        if origin == Origin::New {
            peer.note_reached();
        }
        let (wire, fate) = (Some(wire), Fate::Pool);
        Ok(Self {
            wire,
            peer,
            connector,
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
            Some(Wire::H1(session)) => {
                let sent = write::h1(session.into_inner(), message, wait).await;
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
            None => Err(CallError::Closed(Phase::BeforeHead).into()),
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
            None => Err(CallError::Closed(Phase::BeforeHead).into()),
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
                None => return Err(CallError::Closed(Phase::AfterHead)),
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
    pub(super) async fn release(mut self, idle: Duration) {
        // Without a keep-alive Pingora would wait for a graceful shutdown: a drop does for us.
        let keep = match &mut self.wire {
            Some(Wire::H1(session)) => {
                session.respect_keepalive();
                session.will_keepalive()
            }
            Some(Wire::H2(..)) => true,
            None => false,
        };
        if self.fate == Fate::Close || !keep {
            return;
        }
        if let Some(Wire::H1(session)) = self.wire.take_if(|wire| matches!(wire, Wire::H1(_))) {
            let session = HttpSession::H1(*session);
            self.connector
                .release_http_session(session, &self.peer.http, Some(idle))
                .await;
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
        let release = self
            .connector
            .release_http_session(session, &self.peer.http, Some(IDLE));
        // It never waits for HTTP/2.
        let _ = pin!(release).poll(&mut Context::from_waker(Waker::noop()));
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
