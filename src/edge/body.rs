//! A request's body: what its headers must say, and how it is read within size, time, pace and the
//! memory that all exchanges share.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::Version;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use pingora_core::protocols::http::ServerSession;
use tokio::time::Instant;

use crate::edge::Limits;
use crate::edge::guard::{Gathered, Guard};
use crate::edge::outbound::guard;
use crate::edge::pace::Pace;
use crate::edge::refusal::Refusal;
use crate::exchange::{Fault, FaultKind};
use crate::relay::{Budget, Hold};

/// Room made for a body before more of it has come.
const FIRST_ROOM: usize = 1 << 20;

/// Room made at once for a body that is longer: for all of most, so that it is moved but once.
const MORE_ROOM: usize = 64 << 20;

/// The media type of all bodies.
const JSON: &str = "application/json";

/// Rules over the headers that describe a JSON body.
pub(super) fn check_headers(session: &ServerSession, limits: &Limits) -> Result<(), Fault> {
    let headers = &session.req_header().headers;
    let media = headers.get(CONTENT_TYPE);
    // As nearly all say it: taking it apart costs more than the rest of this.
    if media.is_none_or(|media| media != JSON) {
        let media = media.and_then(|media| media.to_str().ok());
        check_media(media.unwrap_or(""))?;
    }
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding != "identity")
    {
        return unsupported("request bodies must not be compressed");
    }
    match announced(session) {
        Some(length) if length > limits.body.0 => Err(too_large(limits)),
        _ => Ok(()),
    }
}

/// JSON, in UTF-8 if it says so.
fn check_media(media: &str) -> Result<(), Fault> {
    let mut parts = media.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case(JSON))
    {
        return unsupported("content-type must be application/json");
    }
    let is_utf8 = |part: &str| {
        part.to_ascii_lowercase()
            .strip_prefix("charset=")
            .is_none_or(|charset| charset.trim_matches('"') == "utf-8")
    };
    if !parts.all(is_utf8) {
        return unsupported("the charset must be utf-8");
    }
    Ok(())
}

fn unsupported(message: &'static str) -> Result<(), Fault> {
    Err(Fault::new(FaultKind::UnsupportedMediaType, message))
}

/// How long the body is to be, where its head says so.
fn announced(session: &ServerSession) -> Option<u64> {
    if let Some(length) = guard(session).and_then(Guard::own_body) {
        return Some(length);
    }
    let length = session.get_header(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn too_large(limits: &Limits) -> Fault {
    let limit = limits.body.0;
    Fault::new(
        FaultKind::BodyTooLarge,
        format!("the body is over the limit of {limit} bytes"),
    )
}

/// How reading a body failed.
pub(super) enum Unread {
    /// The client left before its body was complete.
    Left,
    /// There is something to tell it.
    Refused(Refusal),
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault.into())
    }
}

/// Reads the body to its end, within size, time and the memory that all exchanges share.
pub(super) async fn receive(
    session: &mut ServerSession,
    limits: &Limits,
    budget: &Arc<Budget>,
) -> Result<(Bytes, Hold), Unread> {
    // Before it is sent: what there is no room for need not come at all, and of many at once the
    // first are served rather than none.
    let mut hold = budget.hold();
    let length = announced(session).and_then(|length| usize::try_from(length).ok());
    if length.is_some_and(|length| !hold.reach(length)) {
        return Err(no_memory());
    }
    invite(session).await?;
    let body = read(session, limits, &mut hold).await?;
    Ok((body, hold))
}

/// Waits for more of a body of which `come` bytes have come, as long as its pace allows.
async fn in_time<T>(pace: &Pace, come: usize, more: impl Future<Output = T>) -> Result<T, Unread> {
    let (due, late) = pace.due(come);
    let more = tokio::time::timeout_at(due, more).await;
    more.map_err(|_| Unread::Refused(Refusal::late(late)))
}

/// Tells a client that waits for leave to send its body (RFC 9110 section 10.1.1) to do so.
pub(super) async fn invite(session: &mut ServerSession) -> Result<(), Unread> {
    let waits =
        session.req_header().version == Version::HTTP_11 && session.get_header(EXPECT).is_some();
    if waits {
        session
            .write_continue_response()
            .await
            .map_err(|_| Unread::Left)?;
    }
    Ok(())
}

/// `hold` has what the body announces; it grows with one that announces nothing.
async fn read(
    session: &mut ServerSession,
    limits: &Limits,
    hold: &mut Hold,
) -> Result<Bytes, Unread> {
    if guard(session).is_some_and(|guard| guard.own_body().is_some()) {
        return take(session, limits, hold).await;
    }
    let pace = Pace::new(limits, Instant::now());
    let announced = announced(session);
    let mut body = Bytes::new();
    let mut gathered = BytesMut::new();
    loop {
        let length = body.len().max(gathered.len());
        let bytes = match in_time(&pace, length, session.read_request_body()).await? {
            Ok(Some(bytes)) => bytes,
            Ok(None) if gathered.is_empty() => return Ok(body),
            Ok(None) => return Ok(gathered.freeze()),
            Err(error) => return Err(broken_body(session, &error)),
        };
        if length.saturating_add(bytes.len()) > limits.body.as_len() {
            return Err(too_large(limits).into());
        }
        if !hold.reach(length.saturating_add(bytes.len())) {
            return Err(no_memory());
        }
        if length == 0 {
            body = bytes;
            continue;
        }
        if gathered.is_empty() {
            let room = announced
                .and_then(|length| usize::try_from(length).ok())
                .unwrap_or(0);
            gathered.reserve(room.min(FIRST_ROOM).max(body.len() + bytes.len()));
            gathered.extend_from_slice(&body);
        }
        if gathered.capacity() - gathered.len() < bytes.len() {
            let left = announced.map(|all| all.saturating_sub(gathered.len() as u64));
            let left = left.and_then(|left| usize::try_from(left).ok());
            gathered.reserve(left.unwrap_or_default().min(MORE_ROOM).max(bytes.len()));
        }
        gathered.extend_from_slice(&bytes);
    }
}

/// Takes the body that the guard keeps for us.
async fn take(
    session: &mut ServerSession,
    limits: &Limits,
    hold: &mut Hold,
) -> Result<Bytes, Unread> {
    if announced(session).is_some_and(|length| length > limits.body.0) {
        return Err(too_large(limits).into());
    }
    let pace = Pace::new(limits, Instant::now());
    let mut length: usize = 0;
    loop {
        let gathered = poll_fn(|cx| {
            // Each look at the client reads on at the body.
            let polled = pin!(session.read_body_or_idle(true)).poll(cx);
            match (guard(session).and_then(Guard::gathered), polled) {
                (Some(gathered), _) => Poll::Ready(Ok(gathered)),
                (None, Poll::Ready(_)) => Poll::Ready(Err(Unread::Left)),
                (None, Poll::Pending) => Poll::Pending,
            }
        });
        let (came, body) = match in_time(&pace, length, gathered).await?? {
            Gathered::More(came) => (came, None),
            Gathered::Whole(came, body) => (came, Some(body)),
        };
        length = length.saturating_add(came);
        if !hold.reach(length) {
            return Err(no_memory());
        }
        if let Some(body) = body {
            return Ok(body);
        }
    }
}

fn no_memory() -> Unread {
    Unread::Refused(Refusal::at_limit(
        "buffered",
        "segue is at its memory limit",
    ))
}

/// Chunks that break the rules are told; a connection that broke has nobody to tell.
fn broken_body(session: &ServerSession, error: &pingora_error::Error) -> Unread {
    use pingora_error::ErrorType::{ConnectionClosed, H2Error, ReadError, ReadTimedout};
    if let Some(rule) = guard(session).and_then(Guard::body_refusal) {
        return Fault::new(FaultKind::BadRequest, format!("malformed body: {rule}")).into();
    }
    match error.etype() {
        ConnectionClosed | ReadError | H2Error => Unread::Left,
        ReadTimedout => Fault::new(FaultKind::RequestTimeout, "the body took too long").into(),
        _ => Fault::new(FaultKind::BadRequest, "the body's framing is broken").into(),
    }
}
