//! A sample as one line of JSON.
//!
//! Bounded: bodies that would make it longer than [`LINE_LIMIT`] are cut, or left out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::asked::Asked;
use crate::telemetry::Timestamp;
use crate::telemetry::line::{AttemptLine, millis, plain};
use crate::telemetry::record::{Attempt, Record};
use crate::telemetry::reply::{HEAD_LIMIT, Head};

/// The longest line, its newline included, in bytes. A file is larger than this and a batch.
pub(super) const LINE_LIMIT: usize = 768 << 10;

/// What of each body is told, from the most to the least that is tried.
const BODIES: [usize; 3] = [HEAD_LIMIT, 4 << 10, 0];

/// An exchange that is sampled.
pub(super) struct Sample {
    /// By which rule.
    pub(super) why: &'static str,
    pub(super) record: Record,
    pub(super) begun: Instant,
    pub(super) asked: Asked,
    /// The request body's length.
    pub(super) length: usize,
    /// Its head, where bodies are told.
    pub(super) body: Option<Head>,
    /// The heads of the answers, in the order of the attempts.
    pub(super) heads: Vec<Option<Box<Head>>>,
}

impl Sample {
    /// The sample as JSON and a newline.
    pub(super) fn encode(&self) -> Vec<u8> {
        let told = |head: &Head| self.told(head);
        let asked = self.body.as_ref().map(told);
        let heads = self.heads.iter().map(|head| head.as_deref().map(told));
        let heads: Vec<Option<Body>> = heads.collect();
        let mut line = Vec::new();
        for most in BODIES {
            line.clear();
            let body = asked.as_ref().map(|body| body.cut(most));
            let heads: Vec<_> = heads
                .iter()
                .map(|head| head.as_ref().map(|head| head.cut(most)))
                .collect();
            // Writing plain data to memory cannot fail; were it to, no sample is the smaller evil.
            if serde_json::to_writer(&mut line, &Line::of(self, body, &heads)).is_err() {
                return Vec::new();
            }
            if line.len() < LINE_LIMIT {
                break;
            }
        }
        line.push(b'\n');
        line
    }

    fn told(&self, head: &Head) -> Body {
        let text = String::from_utf8_lossy(head.bytes());
        let redactor = &self.asked.rules.redactor;
        Body {
            text: redactor.redact(&text, self.asked.key.as_ref(), HEAD_LIMIT),
            is_cut: head.is_cut(),
        }
    }

    fn plain(&self, text: &str) -> String {
        let redactor = &self.asked.rules.redactor;
        let text = redactor.redact(text, self.asked.key.as_ref(), HEAD_LIMIT);
        plain(&text).into_owned()
    }
}

/// The redacted head of a body.
struct Body {
    text: String,
    is_cut: bool,
}

impl Body {
    /// At most so many bytes of it.
    fn cut(&self, most: usize) -> BodyLine<'_> {
        let end = self.text.floor_char_boundary(most);
        BodyLine {
            body: self.text.get(..end).unwrap_or_default(),
            cut: self.is_cut || end < self.text.len(),
        }
    }
}

#[derive(Clone, Copy, Serialize)]
struct BodyLine<'a> {
    body: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    cut: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    request_id: String,
    sampled: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<Cow<'a, str>>,
    status: u16,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_reason: Option<&'static str>,
    request: RequestLine<'a>,
    attempts: Vec<TryLine<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    left_out: BTreeMap<&'a str, &'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_ms: Option<f64>,
    total_ms: f64,
}

#[derive(Serialize)]
struct RequestLine<'a> {
    method: &'a str,
    path: Cow<'a, str>,
    headers: Vec<&'a str>,
    length: usize,
    #[serde(flatten)]
    body: Option<BodyLine<'a>>,
}

#[derive(Serialize)]
struct TryLine<'a> {
    #[serde(flatten)]
    attempt: AttemptLine<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_code: Option<String>,
    /// Since the exchange began.
    #[serde(skip_serializing_if = "Option::is_none")]
    begun_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<ResponseLine<'a>>,
}

#[derive(Serialize)]
struct ResponseLine<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    media: Option<&'static str>,
    length: u64,
    #[serde(flatten)]
    body: Option<BodyLine<'a>>,
}

impl<'a> Line<'a> {
    fn of(sample: &'a Sample, body: Option<BodyLine<'a>>, heads: &[Option<BodyLine<'a>>]) -> Self {
        let Sample { record, asked, .. } = sample;
        let tries = record.attempts.iter().enumerate();
        Self {
            time: Timestamp(record.began).to_string(),
            request_id: sample.plain(&record.request_id),
            sampled: sample.why,
            key: record.key.as_deref().map(plain),
            route: record.route.as_deref().map(plain),
            variant: record.variant.as_deref().map(plain),
            status: record.status,
            outcome: record.outcome.name(),
            reason: record.reason,
            fallback_reason: record.fallback_reason(),
            request: RequestLine {
                method: asked.method.as_str(),
                path: plain(&asked.path),
                headers: asked.headers.iter().map(http::HeaderName::as_str).collect(),
                length: sample.length,
                body,
            },
            attempts: tries
                .map(|(at, attempt)| TryLine::of(sample, attempt, heads.get(at).copied().flatten()))
                .collect(),
            left_out: record
                .left_out
                .iter()
                .map(|(target, reason)| (&**target, *reason))
                .collect(),
            held_ms: record.held.map(millis),
            commit: record.commit,
            first_byte_ms: record.first_byte.map(millis),
            total_ms: millis(record.total),
        }
    }
}

impl<'a> TryLine<'a> {
    fn of(sample: &Sample, attempt: &'a Attempt, body: Option<BodyLine<'a>>) -> Self {
        let reply = &attempt.reply;
        let since = |begun: Instant| millis(begun.saturating_duration_since(sample.begun));
        let code = attempt.provider_code.as_ref();
        Self {
            attempt: AttemptLine::without_code(attempt),
            provider_code: code.map(|code| sample.plain(code.as_str())),
            begun_ms: attempt.begun.map(since),
            response: attempt.status.map(|_| ResponseLine {
                media: reply.media(),
                length: reply.length(),
                body,
            }),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
