//! The headers of a request to a provider: built from nothing, by this one list.
//!
//! The `Host`, framing, coding and credential headers are `upstream`'s.

use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue};

use crate::exchange::{Dialect, Form};
use crate::telemetry::{SpanId, TRACEPARENT, TRACESTATE, Trace};

const AGENT: &str = concat!("segue/", env!("CARGO_PKG_VERSION"));

/// Client headers that may go on to a provider, lower case. All else stays here, credentials,
/// cookies and addresses first of all.
pub static FORWARDED: [HeaderName; 6] = [
    HeaderName::from_static(TRACEPARENT),
    HeaderName::from_static(TRACESTATE),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
];

/// Whether a header means something to a provider of this format.
fn concerns(provider: Dialect, name: &HeaderName) -> bool {
    match name.as_str() {
        "openai-beta" => provider == Dialect::OpenAi,
        "anthropic-version" | "anthropic-beta" => provider == Dialect::Anthropic,
        _ => true,
    }
}

/// The headers of one attempt; `own` are those that the provider's format wants.
pub(super) fn for_attempt(
    provider: Dialect,
    form: Form,
    own: &[(HeaderName, HeaderValue)],
    forwarded: &[(HeaderName, HeaderValue)],
) -> Vec<(HeaderName, HeaderValue)> {
    let accept = match form {
        Form::Whole => "application/json",
        Form::Stream => "text/event-stream",
    };
    let mut headers = Vec::with_capacity(3 + own.len() + forwarded.len());
    headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    headers.push((ACCEPT, HeaderValue::from_static(accept)));
    headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    let forwarded = forwarded
        .iter()
        .filter(|(name, _)| concerns(provider, name));
    headers.extend(forwarded.cloned());
    // What the client says itself goes before what its format wants at least.
    for (name, value) in own {
        if !headers.iter().any(|(said, _)| said == name) {
            headers.push((name.clone(), value.clone()));
        }
    }
    headers
}

/// Makes an attempt's own span the parent of what the provider does. What vendors added to the
/// client's trace goes on with it, and with none other.
pub(super) fn link(headers: &mut Vec<(HeaderName, HeaderValue)>, trace: &Trace, span: SpanId) {
    headers
        .retain(|(name, _)| name != TRACEPARENT && (name != TRACESTATE || trace.parent.is_some()));
    let own = trace.traceparent(span);
    headers.extend(own.map(|value| (HeaderName::from_static(TRACEPARENT), value)));
}
