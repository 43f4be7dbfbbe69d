//! The simulator's own endpoints under `/_sim/`: the journal, the counters, the scripts.

use serde_json::{Value, json};

use crate::hex;
use crate::sim::entry::{End, Entry, Stage};
use crate::sim::head::Head;
use crate::sim::journal::Journal;
use crate::sim::script::{self, ParseError, Script};
use crate::sim::speech::Counts;
use crate::sim::state::State;
use crate::sim::tally::Tally;

/// Headers that are shown as their SHA-256 only: the journal may leave the machine.
const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
];

/// Whether a path is the simulator's own.
pub(crate) fn is_for(path: &str) -> bool {
    path.starts_with("/_sim/")
}

/// The head and the body of the answer to such a request.
pub(crate) fn answer(state: &State, head: &Head, body: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let script_name = head
        .path
        .strip_prefix("/_sim/scripts/")
        .filter(|name| !name.is_empty());
    let (status, document) = match (head.method.as_str(), head.path.as_str(), script_name) {
        ("GET", "/_sim/journal", _) => (200, entries(&state.journal)),
        ("DELETE", "/_sim/journal", _) => {
            state.journal.clear();
            (200, counters(&state.journal))
        }
        ("GET", "/_sim/state", _) => (200, counters(&state.journal)),
        ("PUT", _, Some(name)) => match scripts(body) {
            Ok(scripts) => {
                let texts: Vec<_> = scripts.iter().map(ToString::to_string).collect();
                state.set(name, scripts);
                (200, json!({ "name": name, "scripts": texts }))
            }
            Err(error) => (400, json!({ "error": error.to_string() })),
        },
        ("DELETE", _, Some(name)) => {
            state.set(name, Vec::new());
            (200, json!({ "name": name, "scripts": [] }))
        }
        _ => (404, json!({ "error": "no such endpoint" })),
    };
    let body = document.to_string().into_bytes();
    let head = format!(
        "HTTP/1.1 {status} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        crate::sim::reply::reason(status),
        body.len()
    );
    (head.into_bytes(), body)
}

/// One script a line.
fn scripts(body: &[u8]) -> Result<Vec<Script>, ParseError> {
    let text = String::from_utf8_lossy(body);
    let lines = text.lines().map(str::trim);
    script::list(lines.filter(|line| !line.is_empty()))
}

fn counters(journal: &Journal) -> Value {
    let models: serde_json::Map<_, _> = journal
        .tallies()
        .into_iter()
        .map(|(model, tally)| {
            let Tally {
                total,
                under_way,
                most,
            } = tally;
            (
                model,
                json!({ "total": total, "under_way": under_way, "most": most }),
            )
        })
        .collect();
    json!({
        "models": models,
        "open_connections": journal.open_connections(),
        "under_way": journal.under_way(),
        "received": journal.received(),
        "dropped": journal.dropped(),
    })
}

fn entries(journal: &Journal) -> Value {
    journal
        .entries()
        .iter()
        .map(|entry| to_json(entry, journal))
        .collect()
}

/// An entry as a JSON object. Times are milliseconds since the simulator's start; credentials
/// are shown as `sha256:…`.
pub fn to_json(entry: &Entry, journal: &Journal) -> Value {
    let since = |time: std::time::Instant| {
        let millis = time
            .saturating_duration_since(journal.started())
            .as_secs_f64()
            * 1000.0;
        (millis * 1000.0).round() / 1000.0
    };
    let after = match entry.end() {
        Some(End::ClientClosed {
            after: Stage::Request,
            ..
        }) => json!("request"),
        Some(End::ClientClosed {
            after: Stage::BeforeHead,
            ..
        }) => json!("before_head"),
        Some(End::ClientClosed {
            after: Stage::Tokens(tokens),
            ..
        }) => json!(tokens),
        _ => Value::Null,
    };
    let headers: Vec<_> = entry
        .headers()
        .map(|(name, value)| [name.to_string(), shown(&name, &value)])
        .collect();
    json!({
        "number": entry.number,
        "connection": entry.connection,
        "arrived_ms": since(entry.arrived),
        "method": entry.method,
        "path": entry.path,
        "model": entry.model(),
        "headers": headers,
        "body": String::from_utf8_lossy(entry.body()),
        "body_bytes": entry.body_bytes(),
        "body_sha256": entry.body_sha256(),
        "script": entry.script().map(ToString::to_string),
        "tokens": entry.tokens(),
        "taken": entry.truth().map(|truth| counts(&truth.taken)),
        "told": entry.truth().and_then(|truth| truth.told.as_ref().map(counts)),
        "bytes": entry.bytes(),
        "protocol": entry.protocol().name(),
        "end": entry.end().map(End::name),
        "closed_after": after,
        "ended_ms": entry.ended_at().map(since),
    })
}

/// What was taken or told.
fn counts(counts: &Counts) -> Value {
    json!({
        "prompt": counts.prompt,
        "cached": counts.cached,
        "cache_write": counts.written,
        "output": counts.completion(),
        "reasoning": counts.thought,
    })
}

fn shown(name: &str, value: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let secret = SECRET_HEADERS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret));
    if secret {
        let digits = hex::digits(&Sha256::digest(value)).collect::<String>();
        format!("sha256:{digits}")
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sim::journal::UnderWay;

    fn ask(state: &State, request: &str, body: &str) -> (String, Value) {
        let head = Head::parse(format!("{request} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        let (head, body) = answer(state, &head, body.as_bytes());
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().to_owned();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn scripts_are_set_and_forgotten_over_http() {
        let state = State::new(Arc::new(Journal::new(1)), 0, 0);
        let (status, _) = ask(&state, "PUT /_sim/scripts/m", "status=500\n\ntokens=3\n");
        assert_eq!(status, "200");
        assert_eq!(state.for_model("m").unwrap().to_string(), "status=500");
        assert_eq!(state.for_model("m").unwrap().to_string(), "tokens=3");
        let (status, error) = ask(&state, "PUT /_sim/scripts/m", "statsu=500");
        assert_eq!(status, "400");
        assert!(
            error["error"].as_str().unwrap().contains("did you mean"),
            "{error}"
        );
        ask(&state, "DELETE /_sim/scripts/m", "");
        assert!(state.models().is_empty());
        assert_eq!(ask(&state, "GET /_sim/nothing", "").0, "404");
    }

    #[test]
    fn the_journal_is_shown_without_credentials() {
        let state = State::new(Arc::new(Journal::new(1)), 0, 0);
        let raw = b"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer sk-canary\r\nA: b\r\n\r\n";
        UnderWay::new(&state.journal, 3, &Head::parse(raw).unwrap()).end(End::Served);
        let (_, entries) = ask(&state, "GET /_sim/journal", "");
        assert!(!entries.to_string().contains("canary"));
        assert_eq!(entries[0]["headers"][1], json!(["A", "b"]));
        assert_eq!(
            (&entries[0]["end"], &entries[0]["connection"]),
            (&json!("served"), &json!(3))
        );
        assert_eq!(ask(&state, "GET /_sim/state", "").1["received"], 1);
        ask(&state, "DELETE /_sim/journal", "");
        assert_eq!(ask(&state, "GET /_sim/journal", "").1, json!([]));
    }
}
