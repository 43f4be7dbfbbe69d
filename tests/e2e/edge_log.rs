//! One JSON line an exchange, and the admin pages.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;
use tempfile::TempDir;

use crate::edge_stage::{page, shows};
use crate::support::{Answer, Client, PATIENCE, World, post};

const KEY: &str = "key-of-the-logged-client";

/// A proxy whose access log is a file.
async fn logged() -> (World, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let world = World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             log: {{ access: {} }}\nallow_literal_secrets: true\n\
             keys: [{{ name: app, secret: {KEY} }}]\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes: {{ model: sim/m, secret: sim/m }}\n\
             passthrough: {{ provider: sim, paths: [/v1/files] }}\n",
            path.display()
        )
    })
    .await;
    (world, folder)
}

/// Sends a chat request with a key and an id.
async fn ask(world: &World, id: &str, extra: &str) -> Client {
    let body = format!(
        "{{{extra}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    );
    let mut client = world.client().await;
    let fields = format!("X-Api-Key: {KEY}\r\nX-Request-Id: {id}\r\n");
    client
        .send(&post("/v1/chat/completions", &fields, &body))
        .await;
    client
}

async fn get(world: &World, id: &str, path: &str, fields: &str) -> Answer {
    let mut client = world.client().await;
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}\r\n{fields}\r\n");
    client.send(head.as_bytes()).await;
    client.answer().await
}

/// Drains the proxy, so that all is written, and reads what it wrote.
async fn lines(world: &World, folder: &TempDir) -> Vec<Value> {
    world.edge.drain().await;
    let text = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Fields that are there in every line.
const ALWAYS: [&str; 11] = [
    "time",
    "request_id",
    "client",
    "protocol",
    "endpoint",
    "status",
    "outcome",
    "attempts",
    "request_bytes",
    "response_bytes",
    "total_ms",
];

/// Fields that may be there.
const SOMETIMES: [&str; 22] = [
    "session",
    "provider",
    "cache_write_tokens",
    "audio_tokens",
    "estimated",
    "cost_usd",
    "wasted_tokens",
    "wasted_cost_usd",
    "held_ms",
    "commit",
    "key",
    "stream",
    "route",
    "target",
    "reason",
    "fallback_reason",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "first_byte_ms",
    "first_token_ms",
];

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of like entries")]
async fn every_exchange_leaves_one_line_that_says_how_it_ended() {
    let (world, folder) = logged().await;
    world.script("tokens=5");
    let usage = "\"stream\":true,\"stream_options\":{\"include_usage\":true},";
    assert_eq!(ask(&world, "served", "").await.answer().await.status, 200);
    assert_eq!(
        ask(&world, "streamed", usage).await.answer().await.status,
        200
    );
    assert_eq!(
        ask(&world, "mistake", "\"n\":0,")
            .await
            .answer()
            .await
            .status,
        400
    );
    assert_eq!(get(&world, "refused", "/v1/models", "").await.status, 401);
    let key = format!("X-Api-Key: {KEY}\r\n");
    assert_eq!(get(&world, "models", "/v1/models", &key).await.status, 200);
    assert_eq!(
        get(&world, "passed", "/v1/files?x=secret", &key)
            .await
            .status,
        200
    );
    assert_eq!(
        get(&world, "nowhere", "/secret?key=secret", &key)
            .await
            .status,
        404
    );
    for (id, script, extra, status) in [
        (
            "surfaced",
            "status=400,error_code=context_length_exceeded",
            "",
            400,
        ),
        ("failed", "status=500", "", 502),
        ("broken", "tokens=20,cut@10", "\"stream\":true,", 200),
    ] {
        world.script(script);
        assert_eq!(
            ask(&world, id, extra).await.answer().await.status,
            status,
            "{id}"
        );
    }
    world.script("tokens=20,stall@10");
    let mut leaving = ask(&world, "aborted", "\"stream\":true,").await;
    leaving.until("w5").await;
    drop(leaving);
    let journal = world.sim.journal();
    journal.wait_for_no_request(PATIENCE).await.unwrap();

    let lines = lines(&world, &folder).await;
    let known: BTreeSet<_> = ALWAYS.iter().chain(&SOMETIMES).copied().collect();
    for line in &lines {
        let fields: BTreeSet<_> = line
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert!(ALWAYS.iter().all(|field| fields.contains(field)), "{line}");
        assert!(fields.is_subset(&known), "{line}");
        assert_eq!(line["client"], "127.0.0.1");
        assert_eq!(line["protocol"], "h1");
        assert!(!line.to_string().contains("secret"), "{line}");
        assert!(!line.to_string().contains(KEY), "{line}");
    }
    let served = "chat_completions";
    for (id, endpoint, outcome, status, attempts) in [
        ("served", served, "served", 200, 1),
        ("streamed", served, "served", 200, 1),
        ("mistake", served, "client_error", 400, 0),
        ("refused", "models", "refused", 401, 0),
        ("models", "models", "served", 200, 0),
        ("passed", "passthrough", "served", 200, 0),
        ("nowhere", "other", "client_error", 404, 0),
        ("surfaced", served, "provider_error", 400, 1),
        ("failed", served, "failed", 502, 2),
        ("broken", served, "broken", 200, 1),
        ("aborted", served, "aborted", 200, 1),
    ] {
        let own: Vec<_> = lines
            .iter()
            .filter(|line| line["request_id"] == id)
            .collect();
        assert_eq!(own.len(), 1, "{id}: {own:?}");
        let line = own[0];
        assert_eq!(line["endpoint"], endpoint, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(
            line["attempts"].as_array().unwrap().len(),
            attempts,
            "{line}"
        );
    }
    assert_eq!(lines.len(), 11);
    assert_details(&lines);
}

/// What only some of the lines have.
fn assert_details(lines: &[Value]) {
    let line = |id: &str| lines.iter().find(|line| line["request_id"] == id).unwrap();
    let streamed = line("streamed");
    assert_eq!(streamed["key"], "app");
    assert_eq!(streamed["stream"], true);
    assert_eq!(streamed["route"], "model");
    assert_eq!(streamed["target"], "sim/m");
    assert_eq!(streamed["output_tokens"], 5);
    assert!(streamed["first_token_ms"].as_f64() <= streamed["total_ms"].as_f64());
    assert!(
        streamed["response_bytes"].as_u64() > Some(100),
        "{streamed}"
    );
    assert_eq!(line("refused")["reason"], "unauthorized");
    assert_eq!(line("refused").get("key"), None);
    assert_eq!(line("nowhere").get("route"), None);
    let surfaced = &line("surfaced")["attempts"][0];
    assert_eq!(surfaced["provider_code"], "context_length_exceeded");
    assert_eq!(surfaced["status"], 400);
    assert_eq!(line("broken")["attempts"][0]["target"], "sim/m");
    assert!(line("broken")["reason"].is_string());
    assert_eq!(line("aborted")["attempts"][0]["error"], "aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_a_log_cannot_hold_is_replaced() {
    let (world, folder) = logged().await;
    let long = "x".repeat(129);
    for id in [
        "a b", "\"", "a\tb", "<script>", &long, "", "%0a", "{}", "a,b",
    ] {
        let answer = get(&world, id, "/nothing", "").await;
        let given = answer.header("x-request-id").unwrap();
        assert!(
            given.starts_with("req_") && given.len() == 36,
            "{id}: {given}"
        );
    }
    for line in lines(&world, &folder).await {
        let id = line["request_id"].as_str().unwrap();
        assert!(id.starts_with("req_") && id.len() == 36, "{id}");
    }
}

async fn admin(address: SocketAddr, line: &str, fields: &str) -> Answer {
    let mut client = Client::connect(address).await;
    client
        .send(format!("{line} HTTP/1.1\r\n{fields}\r\n").as_bytes())
        .await;
    client.answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_pages_are_for_loopback_names_and_not_for_browsers() {
    let world = World::new("").await;
    let address = world.edge.admin_address().unwrap();
    for host in [
        "localhost",
        "localhost:9464",
        "LOCALHOST",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "127.9.9.9",
    ] {
        let answer = admin(address, "GET /status", &format!("Host: {host}\r\n")).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in [
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "10.0.0.1",
        "0.0.0.0",
        "localhost.",
        "2130706433",
    ] {
        // A scraper may come by any address; what is for people, and a name, may not.
        let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
        let paths = ["/status", "/page.json", "/", "/nothing"];
        let scraped = ["/metrics", "/health/ready"];
        let refused = scraped.into_iter().filter(|_| !is_address).chain(paths);
        for path in refused {
            let answer = admin(
                address,
                &format!("GET {path}"),
                &format!("Host: {host}\r\n"),
            )
            .await;
            assert_eq!(answer.status, 403, "{host} {path}");
            assert!(!answer.text().contains("segue_"), "{host} {path}");
        }
    }
    for origin in [
        "https://localhost",
        "http://localhost:3000",
        "https://example.com",
        "null",
        "http://127.0.0.1:9464",
    ] {
        let fields = format!("Host: localhost\r\nOrigin: {origin}\r\n");
        let answer = admin(address, "GET /metrics", &fields).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_pages_are_few_and_read_only() {
    let world = World::new("").await;
    let address = world.edge.admin_address().unwrap();
    let host = "Host: localhost\r\n";
    for path in [
        "/index.html",
        "/metrics/",
        "/status/x",
        "/health",
        "/health/live/",
        "/v1/models",
        "/debug",
        "//metrics",
    ] {
        assert_eq!(
            admin(address, &format!("GET {path}"), host).await.status,
            404,
            "{path}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        for path in [
            "/",
            "/page.json",
            "/metrics",
            "/status",
            "/health/live",
            "/health/ready",
        ] {
            let answer = admin(address, &format!("{method} {path}"), host).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    let mut client = Client::connect(address).await;
    client
        .send(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    let head = String::from_utf8(client.rest().await).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    for path in ["/health/live", "/health/ready", "/metrics", "/status"] {
        let answer = page(address, path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(
        page(world.address, "/metrics").await.status,
        404,
        "not for clients"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_count_by_route_and_outcome() {
    let world = World::new("").await;
    world.script("tokens=5");
    for _ in 0..3 {
        assert_eq!(world.client().await.chat("").await.status, 200);
    }
    world.script("status=500");
    assert_eq!(world.client().await.chat("").await.status, 502);
    let address = world.edge.admin_address().unwrap();
    for (series, value) in [
        (
            "segue_exchanges_total{outcome=\"served\",route=\"model\"}",
            3.0,
        ),
        (
            "segue_exchanges_total{outcome=\"failed\",route=\"model\"}",
            1.0,
        ),
        ("segue_attempts_total{outcome=\"ok\",target=\"sim/m\"}", 3.0),
        (
            "gen_ai_server_request_duration_seconds_count{route=\"model\"}",
            4.0,
        ),
        (
            "gen_ai_client_token_usage_total{fate=\"delivered\",measure=\"reported\",route=\"model\",target=\"sim/m\",type=\"output\"}",
            15.0,
        ),
        ("segue_panics_total", 0.0),
        ("segue_exchanges_in_flight", 0.0),
    ] {
        shows(address, series, value).await;
    }
}
