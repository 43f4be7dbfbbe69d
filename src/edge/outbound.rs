//! The way to a client: response heads built from one list, and the relay's door to a session.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use pingora_core::protocols::http::ServerSession;
use pingora_error::ErrorType;
use pingora_http::ResponseHeader;

use crate::account::{Left, Purse};
use crate::edge::fault;
use crate::edge::guard::Guard;
use crate::edge::remainder;
use crate::exchange::{Dialect, Fault, FaultKind};
use crate::relay::{AnswerHead, ClientGone, Content};
use crate::{dialect, relay};

/// Our own response headers.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where the SDKs of Anthropic look for the id.
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const ROUTE: HeaderName = HeaderName::from_static("x-segue-route");
const TARGET: HeaderName = HeaderName::from_static("x-segue-target");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-segue-attempts");
const FALLBACK_REASON: HeaderName = HeaderName::from_static("x-segue-fallback-reason");
const HELD: HeaderName = HeaderName::from_static("x-segue-held-ms");
const COST: HeaderName = HeaderName::from_static("x-segue-cost-usd");
const DROPPED: HeaderName = HeaderName::from_static("x-segue-dropped");
const LEFT_OUT: HeaderName = HeaderName::from_static("x-segue-left-out");
/// The official SDKs obey it whatever the status.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Room for the fields of most answers.
const FIELDS: usize = 20;

/// Written at once on HTTP/2, at most: Pingora's clock runs for all bytes of a write, and a client
/// that is slow but steady is none that takes no byte. Not less, for each border is a small frame
/// that comes back as a small window.
const PIECE: usize = 256 << 10;

/// The guard under a session, if it is one of HTTP/1.
pub(super) fn guard(session: &ServerSession) -> Option<&Guard> {
    session.stream()?.as_any().downcast_ref()
}

/// Whether a request's body has been read to its end, or it has none.
pub(super) fn is_read(session: &mut ServerSession) -> bool {
    session.is_body_done() && guard(session).is_none_or(|guard| guard.own_body().is_none())
}

/// A response head with what every answer carries. It becomes Pingora's last of all: that one reads the
/// name of each field anew that is put into it.
pub(super) fn head(status: u16, request_id: &str, client: Dialect) -> Result<Parts, ClientGone> {
    let (mut head, ()) = http::Response::new(()).into_parts();
    // A status of ours is always valid; a provider's was read by Pingora as one.
    head.status = StatusCode::from_u16(status).map_err(|_| ClientGone)?;
    head.headers = HeaderMap::with_capacity(FIELDS);
    head.headers
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        if client == Dialect::Anthropic {
            head.headers.insert(ANTHROPIC_REQUEST_ID, id.clone());
        }
        head.headers.insert(REQUEST_ID, id);
    }
    Ok(head)
}

/// Gives a client up that left or takes no more. Pingora would end the answer's framing, and a
/// part of an answer would look whole to a client that comes back to it.
pub(super) fn abandon(session: &mut ServerSession) {
    session.set_keepalive(None);
    if let Some(guard) = guard(session) {
        guard.abandon();
    }
    // HTTP/2 only.
    session.shutdown_with_reason(h2::Reason::CANCEL);
}

/// Tells the client what it has left, where something bounds it.
fn insert_left(head: &mut Parts, client: Dialect, left: &Left) {
    if *left == Left::default() {
        return;
    }
    for (name, value) in remainder::fields(client, left, SystemTime::now()) {
        head.headers.insert(name, value);
    }
}

/// As Pingora takes it.
fn whole(head: Parts) -> Box<ResponseHeader> {
    Box::new(head.into())
}

/// Sends a JSON document, head and body in one write.
pub(super) async fn json(
    session: &mut ServerSession,
    mut head: Parts,
    body: Bytes,
) -> Result<(), ClientGone> {
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    session
        .write_response_header(whole(head))
        .await
        .map_err(|_| ClientGone)?;
    write(session, body, End::Yes).await
}

/// Sends bytes of a body.
async fn write(session: &mut ServerSession, mut bytes: Bytes, end: End) -> Result<(), ClientGone> {
    while session.is_http2() && bytes.len() > PIECE {
        session
            .write_response_body(bytes.split_to(PIECE), false)
            .await
            .map_err(|_| ClientGone)?;
    }
    session
        .write_response_body(bytes, end == End::Yes)
        .await
        .map_err(|_| ClientGone)
}

/// What was tried before a fault.
#[derive(Clone, Copy)]
pub(super) struct Trail<'a> {
    pub(super) route: &'a str,
    pub(super) attempts: usize,
}

/// What goes with a fault in the head of its answer.
#[derive(Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    /// What a 405 allows.
    pub(super) allow: Option<&'static str>,
    /// What was tried.
    pub(super) trail: Option<Trail<'a>>,
    /// What the caller has left.
    pub(super) left: Left,
}

/// Answers with a fault. A request whose body was not read to its end closes the connection.
pub(super) async fn refuse(
    session: &mut ServerSession,
    dialect: Dialect,
    fault: &Fault,
    request_id: &str,
    beside: Beside<'_>,
) -> Result<u16, ClientGone> {
    let Beside { allow, trail, left } = beside;
    let status = fault::status(dialect, fault.kind);
    let mut head = head(status, request_id, dialect)?;
    insert_left(&mut head, dialect, &left);
    if let Some(wait) = fault.retry_after {
        head.headers
            .insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    if let Some(again) = worth_again(fault.kind) {
        head.headers
            .insert(SHOULD_RETRY, HeaderValue::from_static(again));
    }
    if let Some(trail) = trail {
        if let Ok(route) = HeaderValue::from_str(trail.route) {
            head.headers.insert(ROUTE, route);
        }
        head.headers
            .insert(ATTEMPTS, HeaderValue::from(trail.attempts));
    }
    // Owed with every 401 (RFC 9110 section 15.5.2).
    if fault.kind == FaultKind::Unauthorized {
        head.headers
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(allow) = allow {
        head.headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if !is_read(session) {
        session.set_keepalive(None);
    }
    json(session, head, dialect::fault(dialect, fault)).await?;
    Ok(status)
}

/// Whether a client's own retries are of use, where its status alone does not say so.
fn worth_again(kind: FaultKind) -> Option<&'static str> {
    match kind {
        // The chain has been walked already, or the money is spent: they would only come to the
        // same again.
        FaultKind::ProviderFailed | FaultKind::ProviderTimeout | FaultKind::OverBudget => {
            Some("false")
        }
        // A moment later there may be room, here or at another instance.
        FaultKind::Overloaded => Some("true"),
        _ => None,
    }
}

/// Rounded up: a client must not come back too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The relay's door to the client of one exchange.
pub(super) struct Outbound<'a> {
    session: &'a mut ServerSession,
    request_id: &'a str,
    dialect: Dialect,
    route: HeaderValue,
    /// What the exchange may take: its head says what is left.
    purse: &'a Purse,
    watch: Watch,
    /// The status sent, once one is, and when.
    pub(super) sent: Option<(u16, Instant)>,
}

/// Whether the client's silence is still being watched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// Its end means that it left.
    On,
    /// It has sent bytes beyond its request; the answer goes on and the connection closes after it.
    Off,
}

impl<'a> Outbound<'a> {
    /// A door over a session whose request was read to its end.
    pub(super) fn new(
        session: &'a mut ServerSession,
        request_id: &'a str,
        dialect: Dialect,
        route: &str,
        write_timeout: Duration,
        purse: &'a Purse,
    ) -> Self {
        // The guard of HTTP/1 has a clock for each wait; Pingora's is for a whole body.
        if session.is_http2() {
            session.set_write_timeout(Some(write_timeout));
        }
        let route = HeaderValue::from_str(route).unwrap_or(HeaderValue::from_static("?"));
        Self {
            session,
            request_id,
            dialect,
            route,
            purse,
            watch: Watch::On,
            sent: None,
        }
    }

    fn head(&mut self, answer: &AnswerHead) -> Result<Parts, ClientGone> {
        let mut head = head(answer.status, self.request_id, self.dialect)?;
        head.headers.insert(ROUTE, self.route.clone());
        insert_left(&mut head, self.dialect, &self.purse.left());
        if let Some(target) = &answer.target
            && let Ok(target) = HeaderValue::from_str(target)
        {
            head.headers.insert(TARGET, target);
        }
        head.headers
            .insert(ATTEMPTS, HeaderValue::from(answer.attempts));
        if let Some(reason) = answer.fallback_reason {
            head.headers
                .insert(FALLBACK_REASON, HeaderValue::from_static(reason));
        }
        for (name, list) in [(DROPPED, &answer.dropped), (LEFT_OUT, &answer.left_out)] {
            if let Ok(list) = HeaderValue::from_str(list)
                && !list.is_empty()
            {
                head.headers.insert(name, list);
            }
        }
        if let Some(cost) = answer.cost
            && let Ok(cost) = HeaderValue::from_str(&cost.to_string())
        {
            head.headers.insert(COST, cost);
        }
        if let Some(held) = answer.held {
            let millis = u64::try_from(held.as_millis()).unwrap_or(u64::MAX);
            head.headers.insert(HELD, HeaderValue::from(millis));
        }
        // Who is told so now opens another connection, and sends nothing more on this one.
        if guard(self.session).is_some_and(Guard::is_closing) {
            self.session.set_keepalive(None);
        }
        self.sent = Some((answer.status, Instant::now()));
        Ok(head)
    }

    async fn body(&mut self, bytes: Bytes, end: End) -> Result<(), ClientGone> {
        write(self.session, bytes, end).await
    }

    fn cork(&self) {
        if let Some(guard) = guard(self.session) {
            guard.cork();
        }
    }

    fn uncork(&self) {
        if let Some(guard) = guard(self.session) {
            guard.uncork();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Yes,
    No,
}

impl relay::Client for Outbound<'_> {
    async fn left(&mut self) {
        if self.watch == Watch::Off {
            return std::future::pending().await;
        }
        match self.session.read_body_or_idle(true).await {
            // Pingora's word for bytes after the body: a pipelined request, which is no leave.
            Err(error) if *error.etype() == ErrorType::ConnectError => {
                self.watch = Watch::Off;
                self.session.set_keepalive(None);
                std::future::pending::<()>().await;
            }
            _ => {}
        }
    }

    async fn answer(&mut self, answer: AnswerHead, body: Bytes) -> Result<(), ClientGone> {
        let head = self.head(&answer)?;
        json(self.session, head, body).await
    }

    async fn begin(&mut self, answer: AnswerHead, frames: Bytes) -> Result<(), ClientGone> {
        let mut head = self.head(&answer)?;
        let content_type = match answer.content {
            Content::Events => "text/event-stream; charset=utf-8",
            Content::Json => "application/json",
        };
        head.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        // HTTP/1.0 knows no chunks: there the end of the connection ends the answer.
        if self.session.req_header().version == Version::HTTP_11 {
            let chunked = HeaderValue::from_static("chunked");
            head.headers
                .insert(http::header::TRANSFER_ENCODING, chunked);
        }
        self.cork();
        self.session
            .write_response_header(whole(head))
            .await
            .map_err(|_| ClientGone)?;
        self.uncork();
        self.body(frames, End::No).await
    }

    async fn send(&mut self, frames: Bytes) -> Result<(), ClientGone> {
        self.body(frames, End::No).await
    }

    async fn end(&mut self, last: Bytes) -> Result<(), ClientGone> {
        if !last.is_empty() {
            self.cork();
            let sent = self.body(last, End::Yes).await;
            self.uncork();
            sent?;
        }
        self.session.finish_body().await.map_err(|_| ClientGone)
    }
}
