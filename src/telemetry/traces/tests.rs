//! The spans of a record, and the exporter before collectors that take, refuse, hang and are gone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use prometheus::IntCounter;
use serde_json::Value;

use super::context::{Share, SpanId, Trace};
use super::export::{TraceMeters, Traces};
use super::queue::{BATCH, CAPACITY, Ended, Queue};
use super::settings::TraceSettings;
use super::{otlp, spans};
use crate::exchange::{Bill, Class, Measure, Usage};
use crate::telemetry::record::{Attempt, AttemptKind, Endpoint, Outcome, Protocol, Record};
use crate::units::{MicroUsd, Tokens};
use crate::upstream::{BaseUrl, Scheme};

/// No wait is longer unless something hangs.
const LONG: Duration = Duration::from_secs(30);

fn context(span: &str) -> Trace {
    let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01");
    Trace::begin(Some(text.as_bytes()), Share::ALL).unwrap()
}

fn span(text: &str) -> SpanId {
    context(text).parent.unwrap()
}

fn bill(input: u64, output: u64, measure: Measure, cost: u64) -> Bill {
    Bill {
        usage: Usage {
            input: Tokens(input),
            output: Tokens(output),
            ..Usage::default()
        },
        measure,
        cost: Some(MicroUsd(cost)),
    }
}

/// An exchange whose first target broke off and whose second answered.
fn rescued(begun: Instant) -> Record {
    let failed = Attempt {
        begun: Some(begun + Duration::from_millis(2)),
        span: Some(span("1111111111111111")),
        status: Some(200),
        error: Some("stall"),
        class: Some(Class::Transient),
        verdict: Some("fall_back"),
        bill: Some(bill(12, 3, Measure::Estimated, 81)),
        first_token: Some(Duration::from_millis(80)),
        total: Duration::from_millis(298),
        ..Attempt::at("openai/gpt".into())
    };
    let lost = Attempt {
        kind: AttemptKind::Hedge,
        begun: Some(begun + Duration::from_millis(200)),
        span: Some(span("2222222222222222")),
        error: Some("hedge_lost"),
        total: Duration::from_millis(100),
        ..Attempt::at("far/meta/llama:free".into())
    };
    let served = Attempt {
        kind: AttemptKind::Fallback,
        begun: Some(begun + Duration::from_millis(300)),
        span: Some(span("3333333333333333")),
        status: Some(200),
        delivered: true,
        bill: Some(bill(12, 34, Measure::Reported, 1_000_120)),
        first_token: Some(Duration::from_millis(50)),
        total: Duration::from_millis(1_700),
        ..Attempt::at("onprem/qwen".into())
    };
    let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_787_209_503_042);
    let mut record = Record::begin(moment, "canary-request-id".to_owned(), Protocol::H1);
    record.trace = Some(Trace {
        span: span("aaaaaaaaaaaaaaaa"),
        ..context("00f067aa0ba902b7")
    });
    record.key = Some("canary-key-name".into());
    record.client = Some([192, 0, 2, 77].into());
    record.route = Some("support".into());
    record.variant = Some("drafts".into());
    record.endpoint = Endpoint::ChatCompletions;
    record.status = 200;
    record.attempts = vec![failed, lost, served];
    record.first_byte = Some(Duration::from_millis(360));
    record.first_token = Some(Duration::from_millis(350));
    record.held = Some(Duration::from_micros(10_500));
    record.commit = Some("tokens");
    record.total = Duration::from_secs(2);
    record.outcome = Outcome::Served;
    record
}

fn exported(record: &Record, begun: Instant) -> Value {
    let spans = spans::of(record, record.trace.as_ref().unwrap(), begun);
    assert_eq!(spans.len(), spans::number(record));
    serde_json::from_slice(&otlp::encode(&spans)).unwrap()
}

#[test]
fn a_rescued_exchange_is_a_span_with_its_attempts_below_it() {
    let begun = Instant::now();
    let json = exported(&rescued(begun), begun);
    assert!(!json.to_string().contains("canary"), "{json}");
    assert!(!json.to_string().contains("192.0.2"), "{json}");
    let text = serde_json::to_string_pretty(&json).unwrap();
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

/// An attribute of a span.
fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a Value> {
    let all = span["attributes"].as_array().unwrap();
    let found = all.iter().find(|one| one["key"] == key)?;
    found["value"].as_object().unwrap().values().next()
}

#[test]
fn a_span_is_in_error_when_the_server_failed_and_not_when_its_client_did() {
    for outcome in Outcome::ALL {
        let begun = Instant::now();
        let mut record = rescued(begun);
        record.outcome = outcome;
        record.reason = None;
        let json = exported(&record, begun);
        let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        let ours = [
            Outcome::ProviderError,
            Outcome::Failed,
            Outcome::Broken,
            Outcome::Panicked,
        ];
        let code = span["status"].get("code").and_then(Value::as_u64);
        assert_eq!(code, ours.contains(&outcome).then_some(2), "{outcome:?}");
        let error = attribute(span, "error.type").and_then(Value::as_str);
        let expected = (outcome != Outcome::Served).then(|| outcome.name());
        assert_eq!(error, expected, "{outcome:?}");
    }
}

#[test]
fn an_exchange_that_asked_nobody_is_one_span() {
    let begun = Instant::now();
    let mut record = Record::begin(SystemTime::now(), "id".to_owned(), Protocol::H2);
    record.trace = Trace::begin(None, Share::ALL);
    record.endpoint = Endpoint::Models;
    record.outcome = Outcome::Refused;
    record.reason = Some("no_key");
    let json = exported(&record, begun);
    let spans = json["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0]["name"], "models");
    assert_eq!(spans[0].get("parentSpanId"), None);
    assert_eq!(attribute(&spans[0], "error.type").unwrap(), "no_key");
}

fn ended() -> Box<Ended> {
    let begun = Instant::now();
    Box::new(Ended {
        record: rescued(begun),
        begun,
    })
}

#[test]
fn what_waits_is_bounded_in_spans_and_comes_out_in_batches() {
    let queue = Queue::default();
    for _ in 0..CAPACITY / 4 {
        assert_eq!(queue.push(ended()), Ok(()));
    }
    assert_eq!(queue.push(ended()), Err(4));
    assert_eq!(queue.waiting(), CAPACITY);
    let batch = queue.take().unwrap();
    assert_eq!(batch.len(), BATCH / 4);
    assert_eq!(queue.push(ended()), Ok(()));
    assert_eq!(queue.over(), CAPACITY - BATCH + 4);
    assert_eq!(queue.push(ended()), Err(4));
}

#[test]
fn the_end_hands_out_what_waits_and_cuts_every_wait() {
    let queue = Queue::default();
    queue.push(ended()).unwrap();
    queue.close(Duration::ZERO);
    assert_eq!(queue.take().unwrap().len(), 1);
    assert!(queue.take().is_none());
    assert!(!queue.pause(LONG), "no more tries after the end");
    assert_eq!(queue.at_most(LONG), None);
}

fn counter(name: &str) -> IntCounter {
    IntCounter::new(name, name).unwrap()
}

fn meters() -> TraceMeters {
    TraceMeters {
        exported: counter("exported"),
        dropped: counter("dropped"),
        failures: counter("failures"),
    }
}

fn settings(port: u16) -> TraceSettings {
    TraceSettings {
        otlp: BaseUrl {
            scheme: Scheme::Http,
            host: "127.0.0.1".to_owned(),
            port,
            prefix: "/v1/traces".to_owned(),
        },
        share: Share::ALL,
        headers: Vec::new(),
        timeout: Duration::from_millis(300),
    }
}

/// A collector that gives these answers in turn, one a connection, and tells what it was sent.
fn collector(answers: &'static [&'static str]) -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = sync_channel(answers.len());
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            serve(stream, answer, &told);
        }
    });
    (port, heard)
}

fn serve(mut stream: TcpStream, answer: &str, told: &SyncSender<Value>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(number) = line.strip_prefix("content-length: ") {
            length = number.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    told.send(serde_json::from_slice(&body).unwrap()).unwrap();
    let answer = format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
    stream.write_all(answer.as_bytes()).unwrap();
}

fn figures(meters: &TraceMeters) -> [u64; 3] {
    [
        meters.exported.get(),
        meters.dropped.get(),
        meters.failures.get(),
    ]
}

#[test]
fn a_collector_that_asks_for_patience_gets_everything_also_at_the_end() {
    let (port, heard) = collector(&[
        "503 Busy\r\nretry-after: 0",
        "429 Slow\r\nretry-after: 0",
        "200 OK",
    ]);
    let meters = meters();
    let traces = Traces::start(settings(port), meters.clone()).unwrap();
    let begun = Instant::now();
    traces.export(&rescued(begun), begun);
    traces.close(LONG);
    assert_eq!(figures(&meters), [4, 0, 2]);
    let sent: Vec<_> = heard.iter().collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|one| *one == sent[0]), "the same each time");
}

#[test]
fn a_collector_that_says_no_is_not_asked_again() {
    let (port, heard) = collector(&["400 Bad", "200 OK"]);
    let meters = meters();
    let traces = Traces::start(settings(port), meters.clone()).unwrap();
    let begun = Instant::now();
    traces.export(&rescued(begun), begun);
    traces.close(LONG);
    assert_eq!(figures(&meters), [0, 4, 1]);
    assert_eq!(heard.try_iter().count(), 1);
}

#[test]
fn a_collector_that_hangs_or_is_gone_costs_spans_alone() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&hanging, &gone].map(|one| one.local_addr().unwrap().port());
    drop(gone);
    for port in ports {
        let meters = meters();
        let traces = Traces::start(settings(port), meters.clone()).unwrap();
        let begun = Instant::now();
        for _ in 0..2 * CAPACITY / 4 {
            traces.export(&rescued(begun), begun);
        }
        // A batch may be on its way beside what waits.
        assert!(meters.dropped.get() >= (CAPACITY - BATCH) as u64);
        traces.close(Duration::from_secs(1));
        assert_eq!(meters.exported.get(), 0);
    }
}

#[test]
fn what_is_not_recorded_is_not_exported() {
    let (port, heard) = collector(&["200 OK"]);
    let meters = meters();
    let traces = Traces::start(settings(port), meters.clone()).unwrap();
    let begun = Instant::now();
    let mut record = rescued(begun);
    record.trace = None;
    traces.export(&record, begun);
    let flag = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    record.trace = Trace::begin(Some(flag.as_bytes()), Share::ALL);
    traces.export(&record, begun);
    traces.close(LONG);
    assert_eq!(figures(&meters), [0, 0, 0]);
    assert_eq!(heard.try_iter().count(), 0);
}
