//! Malformed requests through the whole proxy: each gets its own refusal as JSON, or a close, and
//! the provider hears of none.

mod bodies;
mod framing;
mod heads;
mod recovery;
mod requests;
mod slow;

use tokio::io::AsyncWriteExt;

use crate::support::{Answer, Client, World};

/// The key that the good requests have.
const KEY: &str = "e2e-client-key-of-the-table";

/// What must come of a malformed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The connection is closed behind the refusal.
    Closed,
    /// The next request on it is served.
    Usable,
}

/// A request and what it deserves.
struct Case {
    name: String,
    bytes: Vec<u8>,
    status: u16,
    then: Then,
    /// The field to blame, if the refusal names one.
    param: Option<&'static str>,
    /// The `allow` field of a 405.
    allow: Option<&'static str>,
}

impl Case {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>, status: u16, then: Then) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            status,
            then,
            param: None,
            allow: None,
        }
    }

    fn param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    fn allow(mut self, allow: &'static str) -> Self {
        self.allow = Some(allow);
        self
    }
}

/// A proxy that knows one key, with small limits.
async fn world() -> World {
    World::new(&format!(
        "allow_literal_secrets: true\nkeys: [{{ name: table, secret: {KEY} }}]\n\
         limits: {{ head: 8KiB, body: 64KiB }}"
    ))
    .await
}

/// `GET /v1/models` with further field lines, each with its line end.
fn get(fields: &str) -> Vec<u8> {
    request("GET /v1/models HTTP/1.1", fields)
}

/// A head with host and key, and further field lines.
fn request(line: &str, fields: &str) -> Vec<u8> {
    format!("{line}\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n{fields}\r\n").into_bytes()
}

/// A chat request that would be good but for these field lines and this body.
fn chat(fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = request(
        "POST /v1/chat/completions HTTP/1.1",
        &format!("Content-Type: application/json\r\n{fields}"),
    );
    bytes.extend_from_slice(body);
    bytes
}

/// A chat request with a body of a proper length.
fn post(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    chat(&format!("Content-Length: {}\r\n", body.len()), body)
}

/// The body of a request that the provider would serve.
const GOOD: &str = r#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#;

/// Runs a table: refusals in shape, the connection as promised afterwards, and a provider that
/// was asked nothing.
async fn run(world: &World, cases: Vec<Case>) {
    for case in cases {
        check(world, &case).await;
    }
    assert_eq!(world.sim.journal().received(), 0, "the provider was asked");
}

async fn check(world: &World, case: &Case) {
    let name = &case.name;
    let mut client = world.client().await;
    // The proxy may hang up before it has read everything.
    let _ = client.stream.write_all(&case.bytes).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, case.status, "{name}: {answer:?}");
    assert_refusal(name, &answer);
    let error = &answer.json()["error"];
    assert_eq!(error["param"].as_str(), case.param, "{name}: {error}");
    assert_eq!(answer.header("allow"), case.allow, "{name}");
    match case.then {
        Then::Closed => {
            assert_eq!(answer.header("connection"), Some("close"), "{name}");
            assert_eq!(client.rest().await, b"", "{name}: more than one answer");
        }
        Then::Usable => assert_serves(name, &mut client).await,
    }
}

/// The refusal has the shape of `OpenAI`'s errors.
fn assert_refusal(name: &str, answer: &Answer) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{name}: {answer:?}"
    );
    let json = answer.json();
    let error = json["error"].as_object().expect(name);
    let mut fields: Vec<_> = error.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["code", "message", "param", "type"], "{name}");
    let message = error["message"].as_str().expect(name);
    assert!(!message.is_empty() && !message.contains(KEY), "{name}");
    assert!(error["type"].is_string(), "{name}: {json}");
    for field in ["param", "code"] {
        let value = &error[field];
        assert!(value.is_null() || value.is_string(), "{name}: {json}");
    }
}

async fn assert_serves(name: &str, client: &mut Client) {
    client.send(&get("")).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200, "after {name}: {answer:?}");
    assert_eq!(answer.json()["data"][0]["id"], "model", "after {name}");
}
