//! Secrets and words that must not be told: planted everywhere, searched for everywhere.

use std::fs;
use std::net::SocketAddr;

use segue::sim::{Options, Sim};

use crate::edge_stage::{Authority, Process, ask, page};
use crate::support::{Client, PATIENCE};
use crate::traces::Collector;

/// What is planted, and where.
const PROVIDER_KEY: &str = "canary-provider-key-0001";
const CLIENT_KEY: &str = "canary-client-key-0002";
const WRONG_KEY: &str = "canary-wrong-key-0003";
const URL_KEY: &str = "canary-url-key-0004";
const COOKIE: &str = "canary-cookie-0005";
const HEADER: &str = "canary-header-0006";
const PROMPT: &str = "canary-prompt-0007";
const ANSWER: &str = "canary-answer-0008";
const MODEL: &str = "canary-unknown-model-0009";
const PATH: &str = "canary-path-0010";
const UPLOAD: &str = "canary-upload-0011";
const MALFORMED: &str = "canary-malformed-0012";
const PROVIDER_WORDS: &str = "canary-provider-words-0013";
const PROXY_KEY: &str = "canary-proxy-key-0014";
const VENDOR_KEY: &str = "canary-vendor-key-0015";
const TOOL: &str = "canary-tool-0016";
const COLLECTOR_KEY: &str = "canary-collector-key-0017";
const SESSION: &str = "canary-session-0018";

const ALL: [&str; 18] = [
    PROVIDER_KEY,
    CLIENT_KEY,
    WRONG_KEY,
    URL_KEY,
    COOKIE,
    HEADER,
    PROMPT,
    ANSWER,
    MODEL,
    PATH,
    UPLOAD,
    MALFORMED,
    PROVIDER_WORDS,
    PROXY_KEY,
    VENDOR_KEY,
    TOOL,
    COLLECTOR_KEY,
    SESSION,
];

/// What a provider must never see: everything that is the client's own to keep.
const NOT_FOR_PROVIDERS: [&str; 9] = [
    CLIENT_KEY,
    WRONG_KEY,
    COOKIE,
    HEADER,
    MALFORMED,
    PROXY_KEY,
    VENDOR_KEY,
    COLLECTOR_KEY,
    SESSION,
];

/// Fields of a client that gives everything away.
fn fields(key: &str) -> String {
    format!(
        "Authorization: Bearer {key}\r\nCookie: session={COOKIE}\r\nX-Custom: {HEADER}\r\n\
         Proxy-Authorization: Basic {PROXY_KEY}\r\nX-Goog-Api-Key: {VENDOR_KEY}\r\n\
         User-Agent: {HEADER}\r\nReferer: http://a.test/{HEADER}\r\nX-Segue-Session: {SESSION}\r\n"
    )
}

fn chat(key: &str, model: &str, extra: &str) -> Vec<u8> {
    let body = format!(
        "{{{extra}\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"{PROMPT}\"}}],\
         \"tools\":[{{\"type\":\"function\",\"function\":{{\"name\":\"{TOOL}\"}}}}]}}"
    );
    crate::support::post("/v1/chat/completions", &fields(key), &body)
}

/// All that clients were told, one exchange after the other.
#[expect(clippy::too_many_lines, reason = "a table of like entries")]
async fn tell(process: &Process, sim: &Sim) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let mut note = |name: &str, text: String| told.push((name.to_owned(), text));
    let stream = "\"stream\":true,";
    let quoting = format!("status=400,error_message=\"{PROVIDER_KEY} is no key\"");
    let failing = format!("status=500,error_message=\"{PROVIDER_WORDS} {PROVIDER_KEY}\"");
    let in_stream = format!("tokens=9,error@3,error_message=\"{PROVIDER_WORDS} {PROVIDER_KEY}\"");
    let html = format!("status=502,type=text/html,body=\"<b>{PROVIDER_WORDS}</b>\"");
    let answer = format!("tokens=9,canary={ANSWER}");
    for (name, script, extra) in [
        ("good", &*answer, ""),
        ("streamed", &*answer, stream),
        ("the provider quotes its key", &*quoting, ""),
        ("the provider fails", &*failing, ""),
        ("the provider fails in the stream", &*in_stream, stream),
        ("the provider's page", &*html, ""),
        ("garbage", "garbage", ""),
        ("cut", "tokens=9,cut@4", stream),
        ("malformed", "tokens=9,malformed@4", stream),
        ("reset", "reset", ""),
        ("wrong type", "type=text/plain", ""),
    ] {
        sim.script("m", script.parse().unwrap());
        let mut client = process.client().await;
        client.send(&chat(CLIENT_KEY, "model", extra)).await;
        let answer = client.answer().await;
        note(name, format!("{:?}\n{}", answer.headers, answer.text()));
    }
    let header = |value: &str| format!("X-Api-Key: {value}\r\n");
    let prompt =
        |body: &str| crate::support::post("/v1/chat/completions", &fields(CLIENT_KEY), body);
    let get = |target: &str, fields: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into_bytes()
    };
    for (name, bytes) in [
        ("a wrong key", chat(WRONG_KEY, "model", "")),
        ("a wrong key elsewhere", get("/v1/models", &header(WRONG_KEY))),
        ("a key in the URL", get(&format!("/v1/models?key={URL_KEY}"), &fields(CLIENT_KEY))),
        ("a key in the URL alone", get(&format!("/v1/models?api_key={URL_KEY}"), "")),
        ("an unknown model", chat(CLIENT_KEY, MODEL, "")),
        ("an unknown path", get(&format!("/v1/{PATH}"), &fields(CLIENT_KEY))),
        ("no JSON", prompt(&format!("{{\"x\":{PROMPT}}}"))),
        ("a wrong type", prompt(&format!("{{\"model\":[\"{PROMPT}\"]}}"))),
        ("a name twice", prompt(&format!("{{\"{PROMPT}\":1,\"{PROMPT}\":2}}"))),
        ("a bad field", get("/", &format!("X: {MALFORMED}\x01\r\n"))),
        ("a bad line", format!("GET {MALFORMED} HTTP/1.1\r\n\r\n").into_bytes()),
        ("a bad host", format!("GET / HTTP/1.1\r\nHost: {MALFORMED}@a\r\n\r\n").into_bytes()),
        ("a bad chunk", [&get("/", "")[..0], format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n{}Content-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{MALFORMED}\r\n", fields(CLIENT_KEY)).as_bytes()].concat()),
        ("handed through", get(&format!("/v1/files/x?key={URL_KEY}"), &fields(CLIENT_KEY))),
        ("an upload", {
            let length = UPLOAD.len();
            let fields = fields(CLIENT_KEY);
            format!("POST /v1/files HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{UPLOAD}").into_bytes()
        }),
    ] {
        let mut client = process.client().await;
        client.send(&bytes).await;
        let answer = client.answer().await;
        note(name, format!("{:?}\n{}", answer.headers, answer.text()));
    }
    told
}

/// What each exchange may give back: the answer's own words to whoever asked, and an echo.
fn may_be_told(name: &str, canary: &str) -> bool {
    match name {
        "good" | "streamed" => canary == ANSWER,
        // The simulator echoes what is handed through.
        "an upload" => canary == UPLOAD,
        // The provider's own words about a stream that it broke off.
        "the provider fails in the stream" => canary == PROVIDER_WORDS,
        _ => false,
    }
}

fn assert_silent(place: &str, text: &str, canaries: &[&str]) {
    for canary in canaries {
        let found = text.lines().find(|line| line.contains(canary));
        assert!(
            found.is_none(),
            "{canary} in {place}: {}",
            found.unwrap_or_default()
        );
    }
}

async fn started(sim: SocketAddr, collector: SocketAddr) -> (Process, Authority, String) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(folder.path(), "first", &["localhost"]);
    let key = fs::read_to_string(folder.path().join("first.key")).unwrap();
    let extra = format!(
        "passthrough: {{ provider: sim, paths: [/v1/files] }}\n\
         keys: [{{ name: app, secret: env:CANARY_CLIENT, limits: {{ requests_per_minute: 10000 }} }}]\n\
         accounts: {{ store: {{ path: ./usage.db }} }}\n\
         samples: {{ path: ./samples.jsonl, share: 100% }}\n\
         traces: {{ otlp: \"http://{collector}\", headers: {{ authorization: env:CANARY_COLLECTOR }} }}"
    );
    let config = Process::config(sim, &extra)
        .replace("private_peers", "credential: env:CANARY_PROVIDER, private_peers")
        .replacen(
            "\"127.0.0.1:0\" }",
            "\"127.0.0.1:0\" }, { address: \"127.0.0.1:0\", tls: { certificate: ./first.pem, key: ./first.key } }",
            1,
        );
    let environment = [
        ("RUST_LOG", "trace"),
        ("CANARY_CLIENT", CLIENT_KEY),
        ("CANARY_PROVIDER", PROVIDER_KEY),
        ("CANARY_COLLECTOR", COLLECTOR_KEY),
    ];
    let process = Process::spawn(folder, &config, &environment);
    process.said("admin pages on").await;
    // A line of the key itself, in the middle of its Base64.
    let line = key.lines().nth(1).unwrap().to_owned();
    (process, authority, line)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story with many places to look")]
async fn no_secret_is_told_to_anyone_it_is_not_for() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let collector = Collector::start(&[]).await;
    let (process, authority, tls_key) = started(sim.address(), collector.address).await;
    let told = tell(&process, &sim).await;
    // Over TLS as well, by HTTP/1.1 with a bad key.
    let second = process.said_times("listening on ", 2).await;
    let secure: SocketAddr = second.rsplit(' ').next().unwrap().parse().unwrap();
    let mut stream = authority.caller().call(secure, "localhost").await.unwrap();
    let head = format!(
        "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n",
        fields(WRONG_KEY)
    );
    let answer = ask(&mut stream, head.as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    // A client that leaves in the middle, and a reload that fails over a secret.
    sim.script(
        "m",
        format!("tokens=inf,delay=5ms,canary={ANSWER}")
            .parse()
            .unwrap(),
    );
    let mut leaving: Client = process.client().await;
    leaving
        .send(&chat(CLIENT_KEY, "model", "\"stream\":true,"))
        .await;
    leaving.until(ANSWER).await;
    drop(leaving);
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    let good = fs::read_to_string(process.path("segue.yaml")).unwrap();
    process.write(&good.replace("env:CANARY_CLIENT", "canary-client-key-0002"));
    process.signal("HUP");
    process.said("the old one stays").await;

    let admin = process.admin().await;
    let status = page(admin, "/status").await;
    let metrics = page(admin, "/metrics").await;
    let history = page(admin, "/page.json").await;
    process.signal("TERM");
    assert_eq!(process.exit().await, 0);
    let diagnostics = process.lines().join("\n");
    assert!(
        diagnostics.contains("DEBUG"),
        "it was to say much: {diagnostics}"
    );
    let access = fs::read_to_string(process.path("access.log")).unwrap();
    assert!(access.lines().count() > 20, "{access}");
    let samples = fs::read_to_string(process.path("samples.jsonl")).unwrap();
    assert!(samples.lines().count() > 10, "{samples}");
    let mut store = fs::read(process.path("usage.db")).unwrap();
    store.extend(fs::read(process.path("usage.db-wal")).unwrap_or_default());
    let store = String::from_utf8_lossy(&store);
    assert!(store.contains("model"), "it was to hold the route's name");
    let (heads, spans): (Vec<_>, Vec<_>) = collector.heard.lock().drain(..).unzip();
    assert!(heads.iter().all(|head| head.contains(COLLECTOR_KEY)));
    let spans = serde_json::to_string(&spans).unwrap();
    assert!(spans.contains("gen_ai"), "{spans}");

    let secrets = [&ALL[..], &[&*tls_key]].concat();
    for (place, text) in [
        ("the diagnostics", &*diagnostics),
        ("the access log", &*access),
        ("the metrics", metrics.text()),
        ("the status", status.text()),
        ("the page", history.text()),
        ("the samples", &*samples),
        ("the store", &*store),
        ("the spans", &*spans),
    ] {
        assert_silent(place, text, &secrets);
    }
    // The search finds what is there.
    for (name, canary) in [
        ("good", ANSWER),
        ("streamed", ANSWER),
        ("an upload", UPLOAD),
    ] {
        let there = told
            .iter()
            .any(|(own, text)| own == name && text.contains(canary));
        assert!(there, "{name}");
    }
    for (name, text) in &told {
        let secrets: Vec<_> = secrets
            .iter()
            .copied()
            .filter(|canary| !may_be_told(name, canary))
            .collect();
        assert_silent(name, text, &secrets);
    }
    let entries = sim.journal().entries();
    assert!(entries.len() > 10);
    for entry in entries {
        let seen = [entry.raw_head(), entry.body()].concat();
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert_silent("a provider's journal", &seen, &NOT_FOR_PROVIDERS);
        assert!(seen.contains(PROVIDER_KEY), "its own key alone: {seen}");
    }
}
