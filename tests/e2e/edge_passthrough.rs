//! Paths handed through: which may pass, what goes along both ways, and what comes of faults.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};

use segue::sim::{Options, Sim};
use sha2::{Digest, Sha256};

use crate::edge_stage::Process;
use crate::support::{Answer, Client, World};

const KEY: &str = "key-of-the-passthrough-client";
const CREDENTIAL: &str = "credential-of-the-provider";

fn config(provider: SocketAddr) -> String {
    format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         log: {{ access: off }}\nallow_literal_secrets: true\n\
         keys: [{{ name: app, secret: {KEY} }}]\n\
         providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", credential: {CREDENTIAL}, private_peers: true }}\n\
         routes: {{ model: sim/m }}\n\
         passthrough: {{ provider: sim, paths: [/v1/files, /v1/audio/] }}\n"
    )
}

async fn world() -> World {
    World::with(config).await
}

fn request(line: &str, fields: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n{fields}\r\n")
        .into_bytes()
}

async fn get(world: &World, target: &str, fields: &str) -> Answer {
    let mut client = world.client().await;
    client
        .send(&request(&format!("GET {target}"), fields))
        .await;
    client.answer().await
}

fn script(world: &World, path: &str, script: &str) {
    world.sim.script(path, script.parse().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_paths_that_mean_one_thing_pass() {
    let world = world().await;
    for target in [
        "/v1/file",
        "/v1/filesystem",
        "/v1/files.json",
        "/v1/Files",
        "/v1/audio",
        "/v1/images",
        "/files",
        "/v1/files/../models",
        "/v1/files/..",
        "/v1/files/./x",
        "/v1/files//x",
        "//v1/files",
        "/v1//files",
        "/./v1/files",
        "/v1/./files",
        "/v1/x/../files",
        "/v1/files/%2e%2e/models",
        "/v1/files/%2E%2E",
        "/v1/files%2f..%2fmodels",
        "/v1/files%00",
        "/v1/files/%0d%0aX:y",
        "/v1/%66iles",
        "/v1/files;a=b",
        "/v1/files/;/../x",
        "/v1/files@other.test",
        "/v1/files/x@y",
        "/v1/files/..%5cx",
        "/v1/embeddings/x",
        "/v1/responses",
        "/v1/chat/completions/x",
        "/v1/models/../files",
        "/_sim/journal",
        "/health",
        "/",
    ] {
        assert_eq!(get(&world, target, "").await.status, 404, "{target}");
    }
    let mut client = world.client().await;
    client.send(&request("CONNECT /v1/files", "")).await;
    assert_eq!(client.answer().await.status, 400);
    assert_eq!(world.sim.journal().received(), 0);
    for target in [
        "/v1/files",
        "/v1/files/",
        "/v1/files/a-1_b.txt/content",
        "/v1/audio/speech",
    ] {
        let answer = get(&world, target, "").await;
        assert_eq!(answer.status, 200, "{target}");
        assert_eq!(answer.json()["path"], target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_arrives_as_it_was_written() {
    let world = world().await;
    for query in [
        "",
        "?limit=5&after=a%20b",
        "?a=1&a=2&b",
        "?x[]=1",
        "?q=/../x",
        "?a?b",
        "?%00",
    ] {
        let target = format!("/v1/files{query}");
        assert_eq!(get(&world, &target, "").await.status, 200, "{query}");
        let entry = world.sim.journal().entries().pop().unwrap();
        let line = format!("GET {target} HTTP/1.1\r\n");
        assert!(entry.raw_head().starts_with(line.as_bytes()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_key_gets_nothing_handed_through() {
    let world = world().await;
    for fields in [
        "",
        "Authorization: Bearer nobody\r\n",
        "X-Api-Key: credential-of-the-provider\r\n",
    ] {
        let mut client = world.client().await;
        let head = format!("GET /v1/files?key={KEY} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        client.send(head.as_bytes()).await;
        assert_eq!(client.answer().await.status, 401, "{fields}");
    }
    assert_eq!(world.sim.journal().received(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_sees_listed_fields_and_its_own_credential() {
    let world = world().await;
    let fields = "Accept: text/plain\r\nContent-Type: text/csv\r\nOpenAI-Beta: x=1\r\n\
                  Idempotency-Key: once\r\nTraceparent: 00-1-2-01\r\nCookie: a=b\r\n\
                  X-Api-Key: key-of-the-passthrough-client\r\nApi-Key: k\r\nX-Goog-Api-Key: k\r\n\
                  Proxy-Authorization: Basic dTpw\r\nX-Forwarded-For: 192.0.2.1\r\n\
                  Forwarded: for=192.0.2.1\r\nX-Real-Ip: 192.0.2.1\r\nOrigin: http://a.test\r\n\
                  Referer: http://a.test/x\r\nUser-Agent: someone/1\r\nAccept-Encoding: gzip\r\n\
                  OpenAI-Organization: org\r\nX-Custom: c\r\nRange: bytes=0-\r\nTE: trailers\r\n";
    assert_eq!(get(&world, "/v1/files", fields).await.status, 200);
    let entry = world.sim.journal().entries().remove(0);
    let mut got: Vec<_> = entry
        .headers()
        .map(|(name, value)| format!("{}: {value}", name.to_lowercase()))
        .collect();
    got.sort_unstable();
    let agent = concat!("user-agent: segue/", env!("CARGO_PKG_VERSION"));
    let host = format!("host: {}", world.sim.address());
    let credential = format!("authorization: Bearer {CREDENTIAL}");
    let mut expected = vec![
        "accept: text/plain",
        "accept-encoding: identity",
        &credential,
        "content-type: text/csv",
        &host,
        "idempotency-key: once",
        "openai-beta: x=1",
        "traceparent: 00-1-2-01",
        agent,
    ];
    expected.sort_unstable();
    assert_eq!(got, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_listed_fields_alone() {
    let world = world().await;
    let fields = "status=429,retry_after=7,header=Set-Cookie:a=b,header=Server:nginx,\
                  header=X-Internal:10.0.0.1,header=OpenAI-Organization:org,\
                  header=Location:http://internal/,header=Via:inner,header=Alt-Svc:h3";
    script(&world, "/v1/files", fields);
    let answer = get(&world, "/v1/files", "X-Request-Id: abc\r\n").await;
    assert_eq!(answer.status, 429, "a provider's error passes");
    assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(answer.header("x-request-id"), Some("abc"));
    assert_eq!(answer.header("retry-after"), Some("7"));
    let mut names: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.retain(|name| {
        !["connection", "date", "content-length", "transfer-encoding"].contains(name)
    });
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "cache-control",
            "content-type",
            "retry-after",
            "x-request-id"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_errors_pass_and_a_connection_goes_on() {
    let world = world().await;
    let mut client = world.client().await;
    for status in [400, 401, 403, 404, 409, 422, 500, 503] {
        script(&world, "/v1/files", &format!("status={status}"));
        client.send(&request("GET /v1/files", "")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status);
        assert!(answer.json()["error"]["message"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_or_says_nothing_sensible_is_502() {
    let world = world().await;
    for fault in [
        "cut",
        "reset",
        "garbage",
        "raw=\"HTTP/1.1 xyz\\r\\n\\r\\n\"",
        "cut@head",
    ] {
        script(&world, "/v1/files", fault);
        let answer = get(&world, "/v1/files", "").await;
        assert_eq!(answer.status, 502, "{fault}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.json()["error"]["message"].is_string());
    }
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::with(|_| config(closed)).await;
    let answer = get(&world, "/v1/files", "").await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["error"]["param"], serde_json::Value::Null);
    assert!(!answer.text().contains("127.0.0.1"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_never_ended_properly() {
    let world = world().await;
    script(
        &world,
        "/v1/files",
        "body=\"a rather long body of text\",cut@10b",
    );
    let mut client = world.client().await;
    client.send(&request("GET /v1/files", "")).await;
    // Whether the head still came out before the cut was seen is a matter of moments.
    let came = String::from_utf8(client.rest().await).unwrap();
    assert!(
        came.is_empty() || came.starts_with("HTTP/1.1 200"),
        "{came}"
    );
    let ends = ["body of text", "\r\n0\r\n\r\n"];
    assert!(!ends.iter().any(|end| came.contains(end)), "{came}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_leave_to_upload_gets_it() {
    let world = world().await;
    let mut client = world.client().await;
    let fields = "Content-Type: text/plain\r\nContent-Length: 5\r\nExpect: 100-continue\r\n";
    client.send(&request("POST /v1/files", fields)).await;
    client.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send(b"hello").await;
    assert_eq!(client.answer().await.status, 100);
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_streams_through_in_little_memory() {
    const PIECE: usize = 1 << 18;
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("/v1/files", "body=taken".parse().unwrap());
    let process = Process::start(&config(sim.address())).await;
    let before = process.peak_memory();
    let mut piece = vec![0; PIECE];
    let mut random = std::fs::File::open("/dev/urandom").unwrap();
    random.read_exact(&mut piece).unwrap();
    for (pieces, framing) in [(200, "length"), (20, "chunks")] {
        let (field, before, after, end) = match framing {
            "length" => (format!("Content-Length: {}", PIECE * pieces), "", "", ""),
            _ => (
                "Transfer-Encoding: chunked".to_owned(),
                "40000\r\n",
                "\r\n",
                "0\r\n\r\n",
            ),
        };
        let mut client = process.client().await;
        let fields = format!("Content-Type: text/plain\r\n{field}\r\n");
        client.send(&request("POST /v1/files", &fields)).await;
        let mut hash = Sha256::new();
        for _ in 0..pieces {
            hash.update(&piece);
            client.send(before.as_bytes()).await;
            client.send(&piece).await;
            client.send(after.as_bytes()).await;
        }
        client.send(end.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (200, "taken"), "{framing}");
        let entry = sim.journal().entries().pop().unwrap();
        assert_eq!(entry.body_bytes(), (PIECE * pieces) as u64, "{framing}");
        let hash = format!("{:x}", hash.finalize());
        assert_eq!(entry.body_sha256(), Some(hash), "{framing}");
    }
    let grown = process.peak_memory() - before;
    assert!(grown < 24 << 20, "grown by {grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_what_is_handed_through() {
    let world = world().await;
    script(&world, "/v1/files", "hang");
    let mut client = world.client().await;
    client.send(&request("GET /v1/files", "")).await;
    let seen = |entries: &[_]| entries.len() == 1;
    let journal = world.sim.journal();
    journal
        .wait_for(seen, crate::support::PATIENCE)
        .await
        .unwrap();
    drop::<Client>(client);
    journal
        .wait_for_no_connection(crate::support::PATIENCE)
        .await
        .unwrap();
}
