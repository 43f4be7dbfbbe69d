//! Paths that segue does not interpret: Pingora's native phases, with our pools and credentials.
//!
//! The path is matched on its raw bytes; headers are built from nothing both ways; bodies are
//! streamed by Pingora with its own back-pressure.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderName, HeaderValue};
use pingora_core::protocols::http::ServerSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use std::sync::Arc;

use crate::edge::exchange::{Exchange, Passage, as_u64, internal};
use crate::edge::generation::Generation;
use crate::edge::outbound::{self, Beside, REQUEST_ID};
use crate::edge::refusal::Refusal;
use crate::exchange::{Dialect, Fault, FaultKind};
use crate::relay::FORWARDED;
use crate::telemetry::Outcome;
use crate::upstream::Provider;

const AGENT: &str = concat!("segue/", env!("CARGO_PKG_VERSION"));

/// Request headers that a passthrough hands on, beside those of `relay::FORWARDED`.
const REQUEST_HEADERS: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING, ACCEPT];

/// Response headers that come back.
const RESPONSE_HEADERS: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONTENT_ENCODING,
    RETRY_AFTER,
];

/// Whether the config lets this request pass, and where to.
pub(super) fn open(head: &RequestHeader, generation: &Generation) -> Option<Arc<Provider>> {
    let passthrough = generation.settings.passthrough.as_ref()?;
    let path = head.raw_path();
    if !is_plain(path) || !passthrough.paths.iter().any(|prefix| covers(prefix, path)) {
        return None;
    }
    let (provider, _) = generation.provider(&passthrough.provider)?;
    Some(Arc::clone(provider))
}

/// A place among the provider's calls.
pub(super) fn enter(provider: Arc<Provider>, generation: &Generation) -> Result<Passage, Refusal> {
    let most = generation.settings.limits.attempts_per_provider;
    let message = "too many requests under way at the provider";
    let full = || Refusal::at_limit("attempts_per_provider", message);
    Ok(Passage {
        _berth: provider.berth(most).ok_or_else(full)?,
        provider,
        lease: None,
    })
}

/// Whether a raw target (path and query) can mean only one thing to everybody who reads it.
fn is_plain(target: &[u8]) -> bool {
    let path = target
        .split(|byte| *byte == b'?')
        .next()
        .unwrap_or_default();
    let odd = |byte: &u8| !byte.is_ascii_graphic() || b"\\%#@;".contains(byte);
    path.starts_with(b"/v1/")
        && !path.iter().any(odd)
        && !target
            .iter()
            .any(|byte| !byte.is_ascii_graphic() || *byte == b'#')
        && !path.windows(2).any(|pair| pair == b"//" || pair == b"..")
        && !path.windows(3).any(|three| three == b"/./")
}

/// Whether a configured prefix covers the path: at a segment's border only.
fn covers(prefix: &str, target: &[u8]) -> bool {
    let path = target
        .split(|byte| *byte == b'?')
        .next()
        .unwrap_or_default();
    match path.strip_prefix(prefix.as_bytes()) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with(b"/"),
        None => false,
    }
}

/// A peer of the provider's pool.
pub(super) fn peer(exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
    let passage = exchange
        .passage
        .as_mut()
        .ok_or_else(|| internal("no passage"))?;
    let (peer, lease) = passage
        .provider
        .peer(&[])
        .map_err(|_| internal("no peer"))?;
    passage.lease = Some(lease);
    Ok(Box::new(peer))
}

/// The upstream request, from nothing: target, host, listed headers, our credential.
pub(super) fn request(
    client: &RequestHeader,
    request: &mut RequestHeader,
    exchange: &Exchange,
) -> Result<()> {
    let passage = exchange
        .passage
        .as_ref()
        .ok_or_else(|| internal("no passage"))?;
    let spec = passage.provider.spec();
    let tail = client
        .raw_path()
        .strip_prefix(b"/v1")
        .unwrap_or(client.raw_path());
    let target = [spec.base.prefix.as_bytes(), tail].concat();
    let mut fresh = RequestHeader::build(client.method.clone(), &target, None)?;
    fresh.set_version(request.version);
    fresh.insert_header(HOST, spec.base.authority())?;
    for name in REQUEST_HEADERS.iter().chain(&FORWARDED) {
        if let Some(value) = client.headers.get(name) {
            fresh.insert_header(name, value.clone())?;
        }
    }
    fresh.insert_header(USER_AGENT, HeaderValue::from_static(AGENT))?;
    fresh.insert_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))?;
    if let Some(credential) = &spec.credential {
        fresh.insert_header(credential.header.clone(), credential.value.clone())?;
    }
    *request = fresh;
    Ok(())
}

/// The response head, from nothing but the listed fields.
pub(super) fn response(response: &mut ResponseHeader, exchange: &mut Exchange) -> Result<()> {
    let mut fresh = ResponseHeader::build(response.status, Some(8))?;
    fresh.set_version(response.version);
    for name in RESPONSE_HEADERS {
        if let Some(value) = response.headers.get(&name) {
            fresh.insert_header(name, value.clone())?;
        }
    }
    fresh.insert_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    if let Ok(id) = HeaderValue::from_str(&exchange.record.request_id) {
        fresh.insert_header(REQUEST_ID, id)?;
    }
    *response = fresh;
    Ok(())
}

/// Tells the client that no answer came, if it has not been told anything yet.
pub(super) async fn failed(session: &mut Session, error: &Error, exchange: &mut Exchange) -> u16 {
    let session = session.as_downstream_mut();
    if *error.esource() == ErrorSource::Downstream || session.response_written().is_some() {
        return exchange.record.status;
    }
    let fault = match error.etype() {
        pingora_error::ErrorType::ConnectTimedout | pingora_error::ErrorType::ReadTimedout => {
            Fault::new(
                FaultKind::ProviderTimeout,
                "the provider did not answer in time",
            )
        }
        _ => Fault::new(FaultKind::ProviderFailed, "the provider failed"),
    };
    let id = exchange.record.request_id.clone();
    let told = outbound::refuse(session, Dialect::OpenAi, &fault, &id, Beside::default()).await;
    told.unwrap_or(0)
}

/// Fills the record at the end.
pub(super) fn close(session: &ServerSession, error: Option<&Error>, exchange: &mut Exchange) {
    let status = session
        .response_written()
        .map_or(0, |head| head.status.as_u16());
    let record = &mut exchange.record;
    record.status = status;
    record.body_bytes = as_u64(session.body_bytes_read());
    record.outcome = match error {
        None if status < 400 => Outcome::Served,
        None => Outcome::ProviderError,
        Some(error) if *error.esource() == ErrorSource::Downstream => Outcome::Aborted,
        Some(_) if status == 200 => Outcome::Broken,
        Some(_) => Outcome::Failed,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_that_mean_one_thing_pass() {
        for good in [
            "/v1/files",
            "/v1/files/abc-1_2.txt",
            "/v1/files?limit=5&after=x%20y",
        ] {
            assert!(is_plain(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "/",
            "/v2/files",
            "v1/files",
            "//v1/files",
            "/v1//files",
            "/v1/../admin",
            "/v1/./files",
            "/v1/files/%2e%2e/x",
            "/v1/files%2fx",
            "/v1/fi%00les",
            "/v1/a@b",
            "/v1/a;b",
            "/v1/a\\b",
            "/v1/a b",
            "/v1/a#b",
            "/v1/a?b#c",
            "/v1/ä",
            "/v1/a?\u{7f}",
        ] {
            assert!(!is_plain(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_prefix_covers_whole_segments_only() {
        for (prefix, target, expected) in [
            ("/v1/files", "/v1/files", true),
            ("/v1/files", "/v1/files/a", true),
            ("/v1/files", "/v1/files?x=1", true),
            ("/v1/files", "/v1/filesystem", false),
            ("/v1/audio/", "/v1/audio/speech", true),
            ("/v1/audio/", "/v1/audio", false),
        ] {
            assert_eq!(
                covers(prefix, target.as_bytes()),
                expected,
                "{prefix} {target}"
            );
        }
    }
}
