//! What segue tells its operators: one record an exchange, the logs and the metrics.
//!
//! Never a prompt, an answer, a header's value or a key.

mod history;
mod line;
mod log;
mod metrics;
mod record;
mod time;

pub use history::{
    ErrorTold, History, HistoryTold, HourTold, Kept, KeptAttempt, SumTold, TimesTold,
};
pub use log::{AccessLog, Destination, DiagnosticsError, Flushed, diagnostics};
pub use metrics::{
    ConnectionState, Gauged, Known, Metrics, PeerState, QuotaGauge, ReloadResult, descriptor_limit,
    names,
};
pub use record::{
    Attempt, AttemptKind, Connection, Endpoint, Outcome, Protocol, ProviderCode, Record, Wasted,
    cost, fallback_reason,
};
pub use time::Timestamp;
