//! What segue tells its operators: one record an exchange, the logs and the metrics.
//!
//! Never a prompt, an answer, a header's value or a key; but samples have prompts and answers where
//! the config says so.

mod history;
mod line;
mod log;
mod metrics;
mod record;
mod reply;
mod samples;
mod time;
mod traces;

pub use history::{
    ErrorTold, History, HistoryTold, HourTold, Kept, KeptAttempt, SumTold, TimesTold,
};
pub use log::{
    AccessLog, Destination, DiagnosticsError, Flushed, Rotation, diagnostics, is_level, numbered,
    set_level,
};
pub use metrics::{
    ConnectionState, Gauged, Known, Metrics, PeerState, QuotaGauge, ReloadResult, descriptor_limit,
    memory_limit, names,
};
pub use record::{
    Attempt, AttemptKind, Connection, Endpoint, Outcome, Protocol, ProviderCode, Record, Wasted,
    cost, fallback_reason,
};
pub use reply::{Reply, Room};
pub use samples::{
    Always, Asked, BadPattern, Bodies, Pattern, Redactor, Rules, SampleFile, SampleSettings,
    Samples, SamplesChange,
};
pub use time::Timestamp;
pub use traces::{
    Sampling, Share, SpanId, TRACEPARENT, TRACESTATE, Trace, TraceId, TraceMeters, TraceSettings,
    Traces,
};
