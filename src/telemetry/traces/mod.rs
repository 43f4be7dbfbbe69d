//! OpenTelemetry traces: an exchange is a span, each attempt a child of it, sent over OTLP/HTTP.
//!
//! An exchange pays for ids, and at its end for a copy of its record; all else is one thread's.

mod context;
mod export;
mod otlp;
mod post;
mod queue;
mod settings;
mod spans;

pub use context::{Sampling, Share, SpanId, TRACEPARENT, TRACESTATE, Trace, TraceId};
pub use export::{TraceMeters, Traces};
pub use settings::TraceSettings;

#[cfg(test)]
mod tests;
