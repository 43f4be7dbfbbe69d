//! `traces`: what the section comes to, and the mistakes in it.

use std::time::Duration;

use super::{read, top};
use crate::telemetry::{Share, TraceSettings};
use crate::upstream::Scheme;

fn good(text: &str) -> Option<TraceSettings> {
    let text = top(&format!("{text}\n"));
    let settings = read(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    settings.traces
}

#[test]
fn there_are_no_traces_unless_the_file_says_where_to() {
    assert_eq!(good(""), None);
    let short = good("traces: {otlp: 'https://otel.example'}").unwrap();
    assert_eq!(short.otlp.scheme, Scheme::Https);
    assert_eq!((short.otlp.port, &*short.otlp.prefix), (443, "/v1/traces"));
    assert_eq!((short.share, short.headers.len()), (Share::ALL, 0));
    assert_eq!(short.timeout, Duration::from_secs(10));
}

#[test]
fn every_key_of_traces_is_taken_and_no_secret_is_shown() {
    let full = "traces: {otlp: 'http://127.0.0.1:4318/a/b', share: 5%, timeout: 2s, \
        headers: {Authorization: env:SPACED, x-key: env:GOOD}}";
    let full = good(full).unwrap();
    assert_eq!((full.otlp.port, &*full.otlp.prefix), (4318, "/a/b"));
    assert_eq!(full.share, Share::of(0.05));
    assert_eq!(full.timeout, Duration::from_secs(2));
    let [(name, value), _] = &full.headers[..] else {
        panic!("{full:?}")
    };
    assert_eq!(
        (name.as_str(), value.as_bytes()),
        ("authorization", &b"sk-spaced canary"[..])
    );
    assert!(!format!("{full:?}").contains("canary"), "{full:?}");
}

#[test]
fn mistakes_in_traces_are_told_without_their_secrets() {
    for (text, rule) in [
        ("{}", "the key `otlp` is missing"),
        ("{otlp: 'ftp://a'}", "traces.otlp"),
        ("{otlp: 'http://user:canary@a/'}", "user info"),
        ("{otlp: 'http://a', share: 0%}", "traces.share"),
        ("{otlp: 'http://a', timeout: 0s}", "traces.timeout"),
        (
            "{otlp: 'http://a', headers: {x: canary}}",
            "a secret in the file itself",
        ),
        (
            "{otlp: 'http://a', headers: {Host: env:GOOD}}",
            "the exporter's own",
        ),
        (
            "{otlp: 'http://a', headers: {a-b: env:GOOD, A-B: env:GOOD}}",
            "there twice",
        ),
        ("{otlp: 'http://a', headers: {'a b': env:GOOD}}", "headers"),
    ] {
        let errors = read(&top(&format!("traces: {text}\n")))
            .unwrap_err()
            .to_string();
        assert!(errors.contains(rule), "{text}: {errors}");
        assert!(!errors.contains("canary"), "{text}: {errors}");
    }
}
