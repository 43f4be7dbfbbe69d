//! Traces, with the real binary: spans come to a collector over a real socket, with the ids that
//! clients and providers see; a collector that hangs holds up nobody.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use segue::sim::{Options, Sim};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::edge_stage::{Process, page};
use crate::support::post;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const PROMPT: &str = "canary-prompt-0001";
const ANSWER: &str = "canary-answer-0002";
const HEADER: &str = "canary-header-0003";
const SECRET: &str = "canary-collector-key-0004";

/// A collector of spans: takes everything, once it has given the answers that it was made with.
pub struct Collector {
    pub address: SocketAddr,
    /// Each request's head and body.
    pub heard: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Collector {
    pub async fn start(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<_>>>::default();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
        let kept = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&kept)));
            }
        });
        Self { address, heard }
    }

    /// The spans of all requests after the first so many.
    fn spans(&self, skip: usize) -> Vec<Value> {
        let heard = self.heard.lock();
        let exports = heard.iter().skip(skip);
        exports
            .flat_map(|(_, export)| {
                let scope = &export["resourceSpans"][0]["scopeSpans"][0];
                scope["spans"].as_array().unwrap().clone()
            })
            .collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    kept: Arc<Mutex<Vec<(String, Value)>>>,
) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        let lower = head.to_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        while buffer.len() < length {
            assert!(matches!(stream.read_buf(&mut buffer).await, Ok(1..)));
        }
        let body: Vec<u8> = buffer.drain(..length).collect();
        kept.lock()
            .push((head, serde_json::from_slice(&body).unwrap()));
        let answer = answers.lock().pop_front().unwrap_or("200 OK");
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\n{{}}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn config(sim: &Sim, traces: &str) -> String {
    Process::config(sim.address(), traces)
        .replace("model: sim/m", "model: { tiers: [[sim/a], [sim/b]] }")
}

async fn ask(process: &Process, fields: &str) -> u16 {
    let body = format!(
        "{{\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"{PROMPT}\"}}]}}"
    );
    let mut client = process.client().await;
    client
        .send(&post("/v1/chat/completions", fields, &body))
        .await;
    client.answer().await.status
}

async fn sim() -> Sim {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("a", "status=401".parse().unwrap());
    sim.script("b", format!("tokens=3,canary={ANSWER}").parse().unwrap());
    sim
}

/// The `traceparent` of each request to the provider.
fn sent(sim: &Sim) -> Vec<String> {
    let entries = sim.journal().entries();
    let heads = entries.iter().map(|entry| {
        let head = String::from_utf8_lossy(entry.raw_head()).to_lowercase();
        let mut lines = head
            .lines()
            .filter_map(|line| line.strip_prefix("traceparent: "));
        let found = lines.next().map(str::to_owned).unwrap_or_default();
        assert_eq!(lines.next(), None);
        found
    });
    heads.collect()
}

/// Whether the spans are those of the exchanges, and their ids those that the provider saw; all that
/// was exported.
fn held_against_each_other(collector: &Collector, sim: &Sim) -> String {
    let exports = collector.heard.lock().clone();
    assert!(exports.len() >= 2);
    let (head, first) = &exports[0];
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(SECRET)
            && head
                .to_lowercase()
                .contains("content-type: application/json")
    );
    assert_eq!(*first, exports[1].1, "what was not taken comes again");
    let spans = collector.spans(1);
    let of_kind = |kind: u8| spans.iter().filter(move |span| span["kind"] == kind);
    let servers: Vec<_> = of_kind(2).collect();
    assert_eq!(servers.len(), 10);
    for server in &servers {
        assert_eq!(server["name"], "chat model");
        let mut below = of_kind(3).filter(|span| span["parentSpanId"] == server["spanId"]);
        assert!(below.all(|span| span["traceId"] == server["traceId"]));
    }
    let of_client = servers.iter().filter(|span| span["traceId"] == TRACE);
    assert_eq!(of_client.count(), 1);
    for server in servers {
        let parent = (server["traceId"] == TRACE).then(|| Value::from(PARENT));
        assert_eq!(server.get("parentSpanId"), parent.as_ref());
    }
    let first = of_kind(3).filter(|span| span["traceId"] == TRACE);
    let first: Vec<_> = first.map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(first, ["chat a", "chat b"]);
    held_against_requests(&spans, sim);
    let exported = exports.iter().map(|(_, export)| export.to_string());
    exported.collect::<Vec<_>>().join("\n")
}

/// Each request of a recorded trace is a span, and each span of an attempt a request. A client has its answer before
/// its exchange is told of, so two may change places.
fn held_against_requests(spans: &[Value], sim: &Sim) {
    let of_kind = |kind: u8| spans.iter().filter(move |span| span["kind"] == kind);
    let (mut recorded, passed_on): (Vec<_>, Vec<_>) = sent(sim)
        .into_iter()
        .partition(|sent| sent.ends_with("-01"));
    let expected = of_kind(3).map(|span| {
        let (trace, id) = (span["traceId"].as_str(), span["spanId"].as_str());
        format!("00-{}-{}-01", trace.unwrap(), id.unwrap())
    });
    let mut expected: Vec<_> = expected.collect();
    recorded.sort_unstable();
    expected.sort_unstable();
    assert_eq!(recorded, expected);
    assert!(!passed_on.is_empty());
    for sent in passed_on {
        assert!(sent.starts_with(&format!("00-{}-", "7".repeat(32))) && sent.ends_with("-00"));
        assert!(!sent.contains(PARENT), "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_have_the_ids_that_clients_and_providers_see_and_none_is_lost_at_the_end() {
    let sim = sim().await;
    let collector = Collector::start(&["503 Busy\r\nRetry-After: 0"]).await;
    let traces = format!(
        "traces: {{ otlp: \"http://{}\", headers: {{ x-key: env:CANARY_COLLECTOR }} }}",
        collector.address
    );
    let environment = [("RUST_LOG", "trace"), ("CANARY_COLLECTOR", SECRET)];
    let folder = tempfile::tempdir().unwrap();
    let process = Process::spawn(folder, &config(&sim, &traces), &environment);
    process.said("admin pages on").await;
    let fields = format!(
        "traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: v={HEADER}\r\nX-Custom: {HEADER}\r\n\
         User-Agent: {HEADER}\r\nX-Request-Id: {HEADER}\r\n"
    );
    assert_eq!(ask(&process, &fields).await, 200);
    for _ in 0..9 {
        assert_eq!(ask(&process, "").await, 200);
    }
    // Recorded by nobody, and passed on all the same.
    let unsampled = format!("traceparent: 00-{}-{PARENT}-00\r\n", "7".repeat(32));
    assert_eq!(ask(&process, &unsampled).await, 200);
    let metrics = page(process.admin().await, "/metrics").await;
    process.signal("TERM");
    assert_eq!(process.exit().await, 0);

    let exported = held_against_each_other(&collector, &sim);
    let diagnostics = process.lines().join("\n");
    for canary in [PROMPT, ANSWER, HEADER, SECRET, "127.0.0.1"] {
        assert!(!exported.contains(canary), "{canary}: {exported}");
    }
    for canary in [PROMPT, ANSWER, SECRET] {
        assert!(!diagnostics.contains(canary), "{canary}: {diagnostics}");
        assert!(!metrics.text().contains(canary), "{canary}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_holds_up_no_exchange_and_no_end() {
    let sim = sim().await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let otlp = hanging.local_addr().unwrap();
    let traces = format!("traces: {{ otlp: \"http://{otlp}\", timeout: 1m }}");
    let process = Process::start(&config(&sim, &traces)).await;
    for _ in 0..20 {
        assert_eq!(ask(&process, "").await, 200);
    }
    process.signal("TERM");
    assert_eq!(process.exit().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_traces_a_traceparent_goes_on_as_it_is() {
    let sim = sim().await;
    let process = Process::start(&config(&sim, "")).await;
    let own = format!("00-{TRACE}-{PARENT}-01");
    assert_eq!(ask(&process, &format!("traceparent: {own}\r\n")).await, 200);
    assert_eq!(ask(&process, "").await, 200);
    let sent = sent(&sim);
    assert_eq!(sent[..2], [own.clone(), own]);
    assert!(sent[2..].iter().all(String::is_empty), "{sent:?}");
}
