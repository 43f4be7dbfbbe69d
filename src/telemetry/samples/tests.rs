//! What a sample says, and what it does not.

use std::time::SystemTime;

use http::{HeaderName, Method};
use serde_json::{Value, json};

use super::*;
use crate::secret::Secret;
use crate::telemetry::log::Rotation;
use crate::telemetry::record::{Attempt, AttemptKind, Outcome, Protocol, ProviderCode};
use crate::telemetry::reply::Reply;

const PROMPT: &str = "{\"messages\":[{\"content\":\"canary-prompt, card 4111\"}]}";

fn rules(bodies: Bodies) -> Arc<Rules> {
    let ours = Secret::new("canary-provider-key".to_owned());
    let rules = Rules {
        share: 0.0,
        always: vec![Always::FellBack],
        bodies,
        redactor: Redactor::new([ours], vec![Pattern::compile(r"\b\d{4}\b").unwrap()]),
    };
    Arc::new(rules)
}

fn asked(samples: &Samples, rules: &Arc<Rules>) -> Asked {
    Asked {
        file: samples.file().unwrap(),
        rules: Arc::clone(rules),
        method: Method::POST,
        path: "/v1/chat/completions".to_owned(),
        headers: vec![HeaderName::from_static("openai-organization")],
        body: Bytes::from_static(PROMPT.as_bytes()),
        key: Some(Secret::new("canary-client-key".to_owned())),
    }
}

fn reply(room: Option<&Arc<Room>>, media: &str, body: &[u8]) -> Reply {
    let mut reply = Reply::kept_in(room);
    reply.is_of(media);
    for piece in body.chunks(7) {
        reply.came(piece);
    }
    reply
}

fn record(room: Option<&Arc<Room>>, body: &[u8], begun: Instant) -> Record {
    let mut record = Record::begin(SystemTime::UNIX_EPOCH, "r-1".to_owned(), Protocol::H1);
    let failed = Attempt {
        status: Some(500),
        error: Some("status"),
        provider_code: ProviderCode::of("no:canary-provider-key"),
        begun: begun.checked_add(Duration::from_millis(2)),
        reply: reply(room, "canary/type", b"canary-answer canary-client-key"),
        ..Attempt::at("a/m".into())
    };
    let served = Attempt {
        kind: AttemptKind::Fallback,
        status: Some(200),
        reply: reply(room, "application/json", body),
        ..Attempt::at("b/m".into())
    };
    record.attempts = vec![failed, served];
    record.outcome = Outcome::Served;
    record
}

fn sampled(bodies: Bodies, body: &[u8]) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(bodies);
    let settings = SampleSettings {
        path: folder.path().join("samples.jsonl"),
        rotation: Rotation {
            size: 1 << 20,
            files: 2,
        },
        rules: Arc::clone(&rules),
    };
    let dropped = IntCounter::new("dropped", "dropped").unwrap();
    let samples = Samples::open(&settings, dropped).unwrap();
    let begun = Instant::now();
    let asked = || self::asked(&samples, &rules);
    let mut record = record(samples.room(Some(&asked())), body, begun);
    samples.write(Some(asked()), &mut record, begun);
    // One that is not wanted.
    record.attempts.clear();
    samples.write(Some(asked()), &mut record, begun);
    assert_eq!(samples.flush(Duration::from_secs(30)), Flushed::All);
    let text = std::fs::read_to_string(&settings.path).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

#[test]
fn without_bodies_nothing_of_them_is_told_and_with_them_no_key_and_no_pattern() {
    let (text, value) = sampled(Bodies::Left, b"canary-answer");
    assert!(!text.contains("canary") && !text.contains("4111"), "{text}");
    assert_eq!(
        value["request"],
        json!({"method": "POST", "path": "/v1/chat/completions",
               "headers": ["openai-organization"], "length": PROMPT.len()})
    );
    assert_eq!(
        value["attempts"][0]["response"],
        json!({"type": "other", "length": 31})
    );
    assert_eq!(value["attempts"][0]["begun_ms"], 2.0);
    assert_eq!(value["attempts"][0]["provider_code"], "no:***");
    assert_eq!(value["sampled"], "fell_back");

    let (text, value) = sampled(Bodies::Told, b"canary-answer");
    assert!(!text.contains("canary-provider") && !text.contains("canary-client"));
    assert_eq!(value["request"]["body"], PROMPT.replace("4111", "***"));
    assert_eq!(
        value["attempts"][0]["response"]["body"],
        "canary-answer ***"
    );
    assert_eq!(value["attempts"][1]["response"]["body"], "canary-answer");
}

#[test]
fn a_line_is_bounded_whatever_came() {
    let (text, value) = sampled(Bodies::Told, &vec![1; 1 << 20]);
    assert!(text.len() <= line::LINE_LIMIT);
    let response = &value["attempts"][1]["response"];
    assert_eq!(response["length"], 1 << 20);
    assert_eq!(response["cut"], true);
    assert_eq!(response["body"].as_str().unwrap().len(), 64 << 10);
}
