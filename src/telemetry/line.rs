//! A record as one line of JSON.
//!
//! Bounded: no text is longer than 256 characters, and a line that would still pass
//! [`LINE_LIMIT`] leaves its attempts out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::exchange::{Bill, Class, Delivery, Measure, Usage};
use crate::telemetry::Timestamp;
use crate::telemetry::record::{Attempt, Connection, ProviderCode, Record};
use crate::units::MicroUsd;

/// The longest line, its newline included, in bytes.
pub(super) const LINE_LIMIT: usize = 16 << 10;

/// Characters of one text.
const TEXT_LIMIT: usize = 256;

/// The record as JSON and a newline, at most [`LINE_LIMIT`] bytes.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let whole = encode_with(record, Attempts::Listed(&record.attempts));
    if whole.len() <= LINE_LIMIT {
        return whole;
    }
    encode_with(record, Attempts::Counted(record.attempts.len()))
}

fn encode_with(record: &Record, attempts: Attempts<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(1 << 10);
    // Writing plain data to memory cannot fail; were it to, an empty line would be the smaller evil.
    if serde_json::to_writer(&mut line, &Line::of(record, attempts)).is_err() {
        line.clear();
    }
    line.push(b'\n');
    line
}

enum Attempts<'a> {
    Listed(&'a [Attempt]),
    Counted(usize),
}

impl Serialize for Attempts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Listed(attempts) => to.collect_seq(attempts.iter().map(AttemptLine::of)),
            Self::Counted(number) => number.serialize(to),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(serialize_with = "as_text")]
    time: Timestamp,
    request_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    protocol: &'static str,
    endpoint: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Cow<'a, str>>,
    status: u16,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_reason: Option<&'static str>,
    attempts: Attempts<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    left_out: BTreeMap<&'a str, &'static str>,
    #[serde(flatten)]
    bill: Option<BillLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "is_zero")]
    wasted_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    wasted_cost_usd: Option<Box<RawValue>>,
    request_bytes: u64,
    response_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    total_ms: f64,
}

impl<'a> Line<'a> {
    fn of(record: &'a Record, attempts: Attempts<'a>) -> Self {
        let target = record.answered_by().map(|attempt| &*attempt.target);
        let wasted = record.wasted();
        Self {
            time: Timestamp(record.began),
            request_id: plain(&record.request_id),
            key: record.key.as_deref().map(plain),
            session: record.session.map(|session| session.to_string()),
            client: record.client,
            protocol: record.protocol.name(),
            endpoint: record.endpoint.name(),
            stream: record
                .delivery
                .map(|delivery| matches!(delivery, Delivery::Stream(_))),
            route: record.route.as_deref().map(plain),
            variant: record.variant.as_deref().map(plain),
            target: target.map(plain),
            provider: target.and_then(|target| Some(plain(target.split_once('/')?.0))),
            status: record.status,
            outcome: record.outcome.name(),
            reason: record.reason,
            fallback_reason: record.fallback_reason(),
            attempts,
            left_out: record
                .left_out
                .iter()
                .map(|(target, reason)| (&**target, *reason))
                .collect(),
            bill: record.bill().map(BillLine::of),
            cost_usd: record.cost().and_then(decimal),
            wasted_tokens: wasted.map_or(0, |wasted| wasted.tokens.0),
            wasted_cost_usd: wasted.and_then(|wasted| decimal(wasted.cost?)),
            request_bytes: record.body_bytes,
            response_bytes: record.sent_bytes,
            first_byte_ms: record.first_byte.map(millis),
            first_token_ms: record.first_token.map(millis),
            held_ms: record.held.map(millis),
            commit: record.commit,
            total_ms: millis(record.total),
        }
    }
}

#[derive(Serialize)]
pub(super) struct AttemptLine<'a> {
    target: Cow<'a, str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "is_zero")]
    discarded_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokensLine>,
    #[serde(skip_serializing_if = "is_false")]
    estimated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "is_zero")]
    skipped_frames: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    dropped: &'a [Cow<'static, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_code: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    drilled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reused: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<f64>,
    total_ms: f64,
}

impl<'a> AttemptLine<'a> {
    /// The attempt, but for the words that are the provider's own.
    pub(super) fn without_code(attempt: &'a Attempt) -> Self {
        Self {
            provider_code: None,
            ..Self::of(attempt)
        }
    }

    fn of(attempt: &'a Attempt) -> Self {
        Self {
            target: plain(&attempt.target),
            kind: attempt.kind.name(),
            status: attempt.status,
            error: attempt.error,
            class: attempt.class.map(Class::name),
            verdict: attempt.verdict,
            discarded_tokens: attempt.discarded.0,
            tokens: attempt.bill.map(|bill| TokensLine::of(&bill.usage)),
            estimated: attempt.bill.as_ref().is_some_and(is_estimated),
            cost_usd: attempt.bill.and_then(|bill| decimal(bill.cost?)),
            skipped_frames: attempt.skipped.into(),
            dropped: &attempt.dropped,
            provider_code: attempt.provider_code.as_ref().map(ProviderCode::as_str),
            drilled: attempt.drilled,
            reused: attempt.connection.map(|from| from == Connection::Reused),
            first_byte_ms: attempt.first_byte.map(millis),
            first_token_ms: attempt.first_token.map(millis),
            total_ms: millis(attempt.total),
        }
    }
}

/// What the answer took.
#[derive(Serialize)]
struct BillLine {
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    audio_tokens: u64,
    #[serde(skip_serializing_if = "is_false")]
    estimated: bool,
}

impl BillLine {
    fn of(bill: &Bill) -> Self {
        let usage = &bill.usage;
        Self {
            input_tokens: usage.input.0,
            output_tokens: usage.output.0,
            cached_tokens: usage.cached.0,
            cache_write_tokens: usage.cache_write.0,
            reasoning_tokens: usage.reasoning.0,
            audio_tokens: usage.audio.0,
            estimated: is_estimated(bill),
        }
    }
}

/// What an attempt took.
#[derive(Serialize)]
struct TokensLine {
    input: u64,
    output: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write: u64,
    #[serde(skip_serializing_if = "is_zero")]
    reasoning: u64,
    #[serde(skip_serializing_if = "is_zero")]
    audio: u64,
}

impl TokensLine {
    fn of(usage: &Usage) -> Self {
        Self {
            input: usage.input.0,
            output: usage.output.0,
            cached: usage.cached.0,
            cache_write: usage.cache_write.0,
            reasoning: usage.reasoning.0,
            audio: usage.audio.0,
        }
    }
}

fn is_estimated(bill: &Bill) -> bool {
    bill.measure == Measure::Estimated
}

/// Dollars as a JSON number, every digit of them: through a float some would be lost.
fn decimal(cost: MicroUsd) -> Option<Box<RawValue>> {
    RawValue::from_string(cost.to_string()).ok()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn as_text<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(time)
}

/// Milliseconds with three decimals at most; past 71 minutes whole ones will do.
pub(super) fn millis(duration: Duration) -> f64 {
    match u32::try_from(duration.as_micros()) {
        Ok(micros) => f64::from(micros) / 1e3,
        Err(_) => (duration.as_secs_f64() * 1e3).round(),
    }
}

/// The text without control characters (JSON escapes them, but what reads the log may unescape
/// them on a terminal) and no longer than [`TEXT_LIMIT`] characters.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_LIMIT && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .filter(|each| !each.is_control())
            .take(TEXT_LIMIT)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::exchange::UsageWish;
    use crate::telemetry::record::{AttemptKind, Endpoint, Outcome, Protocol};
    use crate::units::Tokens;

    fn record() -> Record {
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_787_209_503_042);
        Record::begin(began, "req-1".to_owned(), Protocol::H2)
    }

    fn parsed(record: &Record) -> Value {
        serde_json::from_slice(&encode(record)).unwrap()
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "every field")]
    fn a_served_exchange_is_one_line_with_every_field() {
        let failed = Attempt {
            status: Some(429),
            error: Some("quota"),
            class: Some(Class::Quota),
            verdict: Some("fall_back"),
            discarded: Tokens(3),
            provider_code: ProviderCode::of("insufficient_quota"),
            connection: Some(Connection::Reused),
            bill: Some(Bill {
                usage: Usage {
                    input: Tokens(12),
                    output: Tokens(3),
                    ..Usage::default()
                },
                measure: Measure::Estimated,
                cost: Some(MicroUsd(81)),
            }),
            first_byte: Some(Duration::from_millis(80)),
            total: Duration::from_micros(81_500),
            ..Attempt::at("openai/gpt".into())
        };
        let served = Attempt {
            kind: AttemptKind::Fallback,
            status: Some(200),
            connection: Some(Connection::Fresh),
            delivered: true,
            bill: Some(Bill {
                usage: Usage {
                    input: Tokens(12),
                    cached: Tokens(4),
                    output: Tokens(34),
                    reasoning: Tokens(5),
                    ..Usage::default()
                },
                measure: Measure::Reported,
                cost: Some(MicroUsd(1_000_120)),
            }),
            first_byte: Some(Duration::from_millis(200)),
            first_token: Some(Duration::from_millis(350)),
            total: Duration::from_secs(2),
            ..Attempt::at("onprem/qwen".into())
        };
        let record = Record {
            key: Some("support-app".into()),
            session: Some(crate::exchange::Pseudonym::of("a session")),
            client: Some(IpAddr::from([192, 0, 2, 1])),
            route: Some("support".into()),
            endpoint: Endpoint::ChatCompletions,
            delivery: Some(Delivery::Stream(UsageWish::NotAsked)),
            status: 200,
            attempts: vec![failed, served],
            body_bytes: 1024,
            sent_bytes: 4096,
            first_byte: Some(Duration::from_micros(432_001)),
            first_token: Some(Duration::from_micros(432_001)),
            held: Some(Duration::from_millis(40)),
            commit: Some("tokens"),
            total: Duration::from_micros(2_082_123),
            outcome: Outcome::Served,
            ..record()
        };
        let line = encode(&record);
        assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
        insta::assert_snapshot!(String::from_utf8(line).unwrap().trim_end());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let expected = json!({
            "time": "2026-08-20T07:05:03.042Z", "request_id": "req-1", "protocol": "h2",
            "endpoint": "other", "status": 0, "outcome": "failed", "attempts": [],
            "request_bytes": 0, "response_bytes": 0, "total_ms": 0.0,
        });
        assert_eq!(parsed(&record()), expected);
    }

    #[test]
    fn control_characters_never_reach_the_log() {
        let mut record = record();
        record.request_id = "a\r\n\u{1b}[2Jb\u{85}\u{0}".to_owned();
        assert_eq!(parsed(&record)["request_id"], "a[2Jb");
    }

    #[test]
    fn a_line_too_long_counts_its_attempts_instead() {
        let mut record = record();
        record.request_id = "\"".repeat(100_000);
        record.attempts = vec![Attempt::at("\u{1f600}".repeat(500).into()); 100];
        let line = encode(&record);
        assert!(line.len() <= LINE_LIMIT, "{}", line.len());
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["attempts"], 100);
        assert_eq!(value["request_id"].as_str().unwrap().len(), TEXT_LIMIT);
    }

    #[test]
    fn durations_are_milliseconds_with_three_decimals_at_most() {
        for (micros, expected) in [
            (0, "0.0"),
            (1, "0.001"),
            (1_234_567, "1234.567"),
            (4_294_967_295, "4294967.295"),
            (4_294_967_296_499, "4294967296.0"),
        ] {
            let text = serde_json::to_string(&millis(Duration::from_micros(micros))).unwrap();
            assert_eq!(text, expected, "{micros}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_one_bounded_line_of_json(id in any::<String>(), target in any::<String>()) {
            let mut record = record();
            record.request_id = id;
            record.attempts = vec![Attempt::at(target.into())];
            record.outcome = Outcome::Served;
            let line = encode(&record);
            prop_assert!(line.len() <= LINE_LIMIT);
            prop_assert_eq!(line.iter().filter(|byte| byte.is_ascii_control()).count(), 1);
            prop_assert!(serde_json::from_slice::<Value>(&line).is_ok());
        }
    }
}
