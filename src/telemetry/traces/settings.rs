//! What the exporter of spans is told.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::telemetry::traces::context::Share;
use crate::upstream::BaseUrl;

/// Where spans go, and which.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// The collector's address for spans, path included.
    pub otlp: BaseUrl,
    /// The share of the traces begun here that is recorded.
    pub share: Share,
    /// What the collector wants to see; the values are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// One export, at most.
    pub timeout: Duration,
}
