//! The way in: what a request must look like before anything is made of it.
//!
//! Heads of HTTP/1 have passed `head::check` already; here the rules that hold for both
//! protocols are applied. `body` reads what follows.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pingora_http::RequestHeader;

use crate::account::{Key, Keys, Rejected};
use crate::exchange::{Dialect, Fault, FaultKind, Task};
use crate::hex;
use crate::relay::{FORWARDED, Fallback};
use crate::telemetry::TRACEPARENT;

// Looked up by name, not by text: that is parsed anew for each request.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static FALLBACK: HeaderName = HeaderName::from_static("x-segue-fallback");
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The longest request id that is taken over.
const LONGEST_ID: usize = 128;

/// The longest name of a session, a task or a region, in bytes.
const LONGEST_NAME: usize = 256;

/// What a path and method ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// `POST` to an endpoint that a route answers.
    Ask(Dialect, Task),
    /// `GET /v1/models`.
    Models,
    /// `GET /v1/models/{id}`, the id as written.
    Model(String),
    /// A known path with a method it has not; the value of `allow`.
    WrongMethod(&'static str),
    /// Anything else.
    Other,
}

/// The endpoints that routes answer.
const DOORS: [(&str, Dialect, Task); 5] = [
    ("/v1/chat/completions", Dialect::OpenAi, Task::Chat),
    ("/v1/completions", Dialect::OpenAi, Task::Completion),
    ("/v1/embeddings", Dialect::OpenAi, Task::Embedding),
    ("/v1/messages", Dialect::Anthropic, Task::Chat),
    ("/v1/messages/count_tokens", Dialect::Anthropic, Task::Count),
];

/// The format in which a client expects to be answered, whatever becomes of its request: by the
/// path, and where both have it by a header that only one of the formats has.
pub(super) fn dialect(head: &RequestHeader) -> Dialect {
    let below = |prefix: &str| {
        let rest = head.uri.path().strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let says = head.headers.contains_key("anthropic-version");
    if below("/v1/messages") || (says && below("/v1/models")) {
        return Dialect::Anthropic;
    }
    Dialect::OpenAi
}

/// Whether a path is one that segue answers itself, whatever the method.
pub(super) fn is_ours(path: &str) -> bool {
    DOORS.into_iter().any(|(door, ..)| door == path)
}

/// Reads the call from the raw request target: exact, nothing is normalised.
pub(super) fn call(method: &Method, path: &str) -> Call {
    if let Some((_, dialect, task)) = DOORS.into_iter().find(|(door, ..)| *door == path) {
        return match *method {
            Method::POST => Call::Ask(dialect, task),
            _ => Call::WrongMethod("POST"),
        };
    }
    match path {
        "/v1/models" if method == Method::GET => Call::Models,
        "/v1/models" => Call::WrongMethod("GET"),
        _ => match path.strip_prefix("/v1/models/") {
            Some(id) if id.is_empty() || id.starts_with('/') || id.contains("..") => Call::Other,
            Some(id) if method == Method::GET => Call::Model(id.to_owned()),
            Some(_) => Call::WrongMethod("GET"),
            None => Call::Other,
        },
    }
}

/// Whether a query is one that a client of this format sends, and that asks for nothing more.
pub(super) fn asks_no_more(query: Option<&str>, client: Dialect) -> bool {
    // Anthropic's SDKs mark what they call beta so; the features themselves are in a header.
    query.is_none() || (client == Dialect::Anthropic && query == Some("beta=true"))
}

/// The client's own id if it is one that a log can hold, else a fresh one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(&REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given {
        Some(id) if is_plain(id) => id.to_owned(),
        _ => fresh_id(),
    }
}

fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(plain)
}

/// An id that no other exchange of any process has: 128 bits, drawn from a counter by two hashes
/// with random keys of this process. An id guards nothing, so no system call is spent on it.
fn fresh_id() -> String {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let drawn = KEYS.each_ref().map(|key| key.hash_one(count).to_be_bytes());
    let mut id = String::with_capacity(36);
    id.push_str("req_");
    id.extend(hex::digits(drawn.as_flattened()));
    id
}

/// The client headers that may go on to a provider.
pub(super) fn forwarded(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    // A client sends few: to look for each of the list costs a hash.
    headers
        .keys()
        .filter(|name| FORWARDED.contains(name))
        .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())))
        .collect()
}

/// The headers, if any of them is one of ours: most requests have none, and each look costs a hash.
pub(super) fn ours(headers: &HeaderMap) -> &HeaderMap {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    let is_ours = |name: &HeaderName| name.as_str().starts_with("x-segue-");
    if headers.keys().any(is_ours) {
        headers
    } else {
        &NONE
    }
}

/// The client's place in a trace, if it says just one.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<&[u8]> {
    let mut said = headers.get_all(TRACEPARENT).iter();
    let one = said.next()?;
    said.next().is_none().then(|| one.as_bytes())
}

/// Whether the client lets its exchange fall back: `x-segue-fallback: off` does not. A client may
/// narrow what its route does, never widen it.
pub(super) fn fallback(headers: &HeaderMap) -> Result<Fallback, Fault> {
    match headers.get(&FALLBACK).map(HeaderValue::as_bytes) {
        None | Some(b"on") => Ok(Fallback::On),
        Some(b"off") => Ok(Fallback::Off),
        Some(_) => Err(Fault::new(
            FaultKind::BadRequest,
            "x-segue-fallback is either on or off",
        )),
    }
}

/// The session that a request belongs to, for quotas.
pub(super) static SESSION: HeaderName = HeaderName::from_static("x-segue-session");
/// What a request is for, for variants of routes.
pub(super) static TASK: HeaderName = HeaderName::from_static("x-segue-task");
/// Where a request comes from, for variants of routes.
pub(super) static REGION: HeaderName = HeaderName::from_static("x-segue-region");

/// A name in a header of ours; longer ones, and what is no plain text, are none.
pub(super) fn name<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Option<&'a str> {
    let text = headers.get(header)?.to_str().ok()?;
    (!text.is_empty() && text.len() <= LONGEST_NAME).then_some(text)
}

/// Who calls, from where. `None` where no keys are configured.
///
/// # Errors
/// Why there is nobody: for the log alone, for a client hears the same of no key, several, one that
/// we do not know and one that does not hold.
pub(super) fn authenticate(
    keys: &Keys,
    headers: &HeaderMap,
    from: Option<IpAddr>,
) -> Result<Option<Arc<Key>>, Rejected> {
    if keys.is_empty() {
        return Ok(None);
    }
    let presented = presented_key(headers).ok_or(Rejected::Unknown)?;
    let key = keys.find(presented, from, SystemTime::now())?;
    Ok(Some(Arc::clone(key)))
}

/// The key a client shows, in either of its two places; two that differ are none.
pub(super) fn presented_key(headers: &HeaderMap) -> Option<&[u8]> {
    let mut keys = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(|value| bearer_token(value.as_bytes()))
        .chain(
            headers
                .get_all(&API_KEY)
                .iter()
                .map(|value| Some(value.as_bytes())),
        );
    let first = keys.next()??;
    keys.all(|key| key == Some(first)).then_some(first)
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    (scheme.eq_ignore_ascii_case(b"bearer ")).then_some(token)
}

/// Rules over a request's head that hold for HTTP/1 and HTTP/2 alike.
pub(super) fn check_head(head: &RequestHeader) -> Result<(), Fault> {
    let bad = |message| Err(Fault::new(FaultKind::BadRequest, message));
    if head.method == Method::CONNECT {
        return bad("a tunnel is not offered");
    }
    if head.headers.len() > 100 {
        return Err(Fault::new(
            FaultKind::HeadTooLarge,
            "more than 100 header fields",
        ));
    }
    if head.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return bad("more than one content-length");
    }
    for name in [&AUTHORIZATION, &HeaderName::from_static("x-api-key")] {
        if head.headers.get_all(name).iter().count() > 1 {
            return bad("more than one credential of a kind");
        }
    }
    if head.headers.keys().any(|name| name.as_str().contains('_')) {
        return bad("a header name with an underscore");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::guard::ENDPOINTS;

    #[test]
    fn a_body_that_pingora_does_not_see_is_one_that_we_read() {
        for begin in ENDPOINTS {
            let (method, path) = begin.split_once(' ').unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let call = call(&method, path.trim_end());
            assert!(matches!(call, Call::Ask(..)), "{begin}");
        }
        assert_eq!(ENDPOINTS.len(), DOORS.len());
    }
}
