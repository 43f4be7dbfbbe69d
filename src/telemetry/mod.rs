//! What segue tells its operators: one record an exchange, the logs and the metrics.
//!
//! Never a prompt, an answer, a header's value or a key.

mod line;
mod log;
mod metrics;
mod record;
mod time;
mod traces;

pub use log::{AccessLog, Destination, DiagnosticsError, Flushed, diagnostics};
pub use metrics::{
    ConnectionState, Gauged, Known, Metrics, PeerState, ReloadResult, descriptor_limit, names,
};
pub use record::{
    Attempt, AttemptKind, Connection, Endpoint, Outcome, Protocol, ProviderCode, Record, Wasted,
    cost, fallback_reason,
};
pub use time::Timestamp;
pub use traces::{
    Sampling, Share, SpanId, TRACEPARENT, TRACESTATE, Trace, TraceId, TraceMeters, TraceSettings,
    Traces,
};
