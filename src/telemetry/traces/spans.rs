//! A record as spans: the exchange, and each of its attempts as a child of it.
//!
//! Names of the config, numbers, and words from sets that the code bounds; nothing that a client or
//! a provider said.

use std::time::{Duration, Instant, SystemTime};

use crate::exchange::{Bill, Measure};
use crate::telemetry::record::{Attempt, Endpoint, Outcome, Record};
use crate::telemetry::traces::context::Trace;
use crate::telemetry::traces::otlp::{Attributes, CLIENT, ERROR, Event, SERVER, Span, Status};
use crate::units::MicroUsd;

/// The flags of a recorded span; the next two bits say that the third is told, and what it is:
/// whether its parent is in another process (opentelemetry-proto, `SpanFlags`).
const RECORDED: u32 = 0x01;
const PARENT_IS_TOLD: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

/// How many spans an exchange has.
pub(super) fn number(record: &Record) -> usize {
    1 + record
        .attempts
        .iter()
        .filter(|one| one.span.is_some())
        .count()
}

/// The spans of an exchange that began at `begun`.
pub(super) fn of(record: &Record, trace: &Trace, begun: Instant) -> Vec<Span> {
    let mut spans = Vec::with_capacity(number(record));
    spans.push(exchange(record, trace));
    let children = record.attempts.iter();
    spans.extend(children.filter_map(|attempt| child(record, attempt, trace, begun)));
    spans
}

fn exchange(record: &Record, trace: &Trace) -> Span {
    let mut about = Attributes::default();
    let route = record.route.as_deref();
    about.word("gen_ai.operation.name", operation(record.endpoint));
    about.text("gen_ai.request.model", route);
    let delivered = record.attempts.iter().find(|attempt| attempt.delivered);
    let (provider, model) = delivered.map_or((None, None), names);
    about.text("gen_ai.provider.name", provider);
    about.text("gen_ai.response.model", model);
    usage(&mut about, record.bill());
    let status = (record.status != 0).then_some(record.status);
    about.whole("http.response.status_code", status.map(u64::from));
    let error = (record.outcome != Outcome::Served).then(|| record.outcome.name());
    about.word(
        "error.type",
        error.map(|name| record.reason.unwrap_or(name)),
    );
    about.text("segue.route", route);
    about.text("segue.variant", record.variant.as_deref());
    about.word("segue.outcome", Some(record.outcome.name()));
    about.decimal("segue.held_ms", record.held.map(millis));
    about.decimal("segue.cost_usd", record.cost().and_then(dollars));
    about.word("segue.fallback_reason", record.fallback_reason());
    let remote = trace.parent.map_or(0, |_| PARENT_IS_REMOTE);
    let mut events = Vec::with_capacity(2);
    events.extend(record.first_token.map(|wait| Event {
        time_unix_nano: later(record.began, wait),
        name: "first_token",
        attributes: Attributes::default(),
    }));
    if let (Some(commit), Some(wait)) = (record.commit, record.first_byte) {
        let mut about = Attributes::default();
        about.word("segue.commit.reason", Some(commit));
        events.push(Event {
            time_unix_nano: later(record.began, wait),
            name: "commit",
            attributes: about,
        });
    }
    Span {
        trace_id: trace.id.to_string(),
        id: trace.span.to_string(),
        parent_span_id: trace.parent.map(|parent| parent.to_string()),
        flags: RECORDED | PARENT_IS_TOLD | remote,
        name: named(record.endpoint, route),
        kind: SERVER,
        start_time_unix_nano: record.began,
        end_time_unix_nano: later(record.began, record.total),
        attributes: about,
        events,
        status: Status {
            code: is_our_error(record.outcome).then_some(ERROR),
        },
    }
}

fn child(record: &Record, attempt: &Attempt, trace: &Trace, begun: Instant) -> Option<Span> {
    let (provider, model) = names(attempt);
    let mut about = Attributes::default();
    about.word("gen_ai.operation.name", operation(record.endpoint));
    about.text("gen_ai.provider.name", provider);
    about.text("gen_ai.request.model", model);
    usage(&mut about, attempt.bill.as_ref());
    about.text("server.address", provider);
    about.whole("http.response.status_code", attempt.status.map(u64::from));
    about.word("error.type", attempt.error);
    about.text("segue.route", record.route.as_deref());
    about.text("segue.variant", record.variant.as_deref());
    about.word("segue.attempt.kind", Some(attempt.kind.name()));
    about.word("segue.verdict", attempt.verdict);
    let fate = if attempt.delivered {
        "delivered"
    } else {
        "wasted"
    };
    about.word("segue.fate", Some(fate));
    let cost = attempt.bill.and_then(|bill| bill.cost);
    about.decimal("segue.cost_usd", cost.and_then(dollars));
    let waited = attempt
        .begun
        .map_or(Duration::ZERO, |at| at.saturating_duration_since(begun));
    let start = later(record.began, waited);
    let first_token = attempt.first_token.map(|wait| Event {
        time_unix_nano: later(start, wait),
        name: "first_token",
        attributes: Attributes::default(),
    });
    Some(Span {
        trace_id: trace.id.to_string(),
        id: attempt.span?.to_string(),
        parent_span_id: Some(trace.span.to_string()),
        flags: RECORDED | PARENT_IS_TOLD,
        name: named(record.endpoint, model),
        kind: CLIENT,
        start_time_unix_nano: start,
        end_time_unix_nano: later(start, attempt.total),
        attributes: about,
        events: first_token.into_iter().collect(),
        // What was ended by us is nobody's error.
        status: Status {
            code: attempt.class.map(|_| ERROR),
        },
    })
}

/// The operation's name in the conventions, or one in their manner.
fn operation(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Messages => Some("chat"),
        Endpoint::Completions => Some("text_completion"),
        Endpoint::Embeddings => Some("embeddings"),
        Endpoint::CountTokens => Some("count_tokens"),
        Endpoint::Models | Endpoint::Passthrough | Endpoint::Other => None,
    }
}

fn named(endpoint: Endpoint, model: Option<&str>) -> String {
    let operation = operation(endpoint).unwrap_or(endpoint.name());
    match model {
        Some(model) => format!("{operation} {model}"),
        None => operation.to_owned(),
    }
}

/// Provider and model of a target.
fn names(attempt: &Attempt) -> (Option<&str>, Option<&str>) {
    match attempt.target.split_once('/') {
        Some((provider, model)) => (Some(provider), Some(model)),
        None => (None, Some(&attempt.target)),
    }
}

fn usage(about: &mut Attributes, bill: Option<&Bill>) {
    let Some(bill) = bill else {
        return;
    };
    about.whole("gen_ai.usage.input_tokens", Some(bill.usage.input.0));
    about.whole("gen_ai.usage.output_tokens", Some(bill.usage.output.0));
    let measure = match bill.measure {
        Measure::Reported => "reported",
        Measure::Estimated => "estimated",
    };
    about.word("segue.usage.measure", Some(measure));
}

/// A server's span is in error when the server failed, not when its client did.
fn is_our_error(outcome: Outcome) -> bool {
    match outcome {
        Outcome::ProviderError | Outcome::Failed | Outcome::Broken | Outcome::Panicked => true,
        Outcome::Served | Outcome::ClientError | Outcome::Refused | Outcome::Aborted => false,
    }
}

fn later(time: SystemTime, by: Duration) -> SystemTime {
    time.checked_add(by).unwrap_or(time)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The nearest number to an amount: a span has no exact ones.
fn dollars(cost: MicroUsd) -> Option<f64> {
    cost.to_string().parse().ok()
}
