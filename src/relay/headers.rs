//! The headers of a request to a provider: built from nothing, by this one list.
//!
//! The `Host`, framing, coding and credential headers are `upstream`'s.

use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue};

use crate::exchange::Delivery;

const AGENT: &str = concat!("segue/", env!("CARGO_PKG_VERSION"));

/// Client headers that may go on to a provider, lower case. All else stays here, credentials,
/// cookies and addresses first of all.
pub const FORWARDED: [&str; 4] = [
    "traceparent",
    "tracestate",
    "openai-beta",
    "idempotency-key",
];

/// The headers of one attempt.
pub(super) fn for_attempt(
    delivery: Delivery,
    forwarded: &[(HeaderName, HeaderValue)],
) -> Vec<(HeaderName, HeaderValue)> {
    let accept = match delivery {
        Delivery::Whole => "application/json",
        Delivery::Stream(_) => "text/event-stream",
    };
    let mut headers = Vec::with_capacity(3 + forwarded.len());
    headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    headers.push((ACCEPT, HeaderValue::from_static(accept)));
    headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    headers.extend_from_slice(forwarded);
    headers
}
