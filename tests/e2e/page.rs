//! The admin page: what is served, who is refused, and that a rescue shows in it at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::gate_stage::{GOOD, ask, ask_with, chain_with, pair, say};
use crate::relay_stage::{MARK, STREAM, WHOLE};
use crate::support::{Answer, Client, World};

const CLOSED: &str = "log: { access: off }\nallow_literal_secrets: true\n\
                      keys: [{ name: app, secret: sk-app-secret-canary }]";
const KEY: &str = "authorization: Bearer sk-app-secret-canary\r\n";

async fn get(admin: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut client = Client::connect(admin).await;
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}connection: close\r\n\r\n");
    client.send(request.as_bytes()).await;
    client.answer().await
}

async fn data(world: &World, path: &str) -> Value {
    let admin = world.edge.admin_address().unwrap();
    get(admin, "GET", path, "host: localhost\r\n").await.json()
}

/// The data, once `is_there` says so; a rescue has two seconds to show.
async fn until(world: &World, is_there: impl Fn(&Value) -> bool) -> Value {
    let by = Instant::now() + Duration::from_secs(2);
    loop {
        let data = data(world, "/page.json").await;
        if is_there(&data) {
            return data;
        }
        assert!(Instant::now() < by, "not shown: {data}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_with_a_policy_and_only_to_who_may_look() {
    let world = World::new("").await;
    let admin = world.edge.admin_address().unwrap();
    let page = get(admin, "GET", "/", "host: localhost\r\n").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(page.text().starts_with("<!doctype html>"));
    assert!(page.text().ends_with("</html>\n"));
    for path in ["/", "/page.json", "/status", "/metrics", "/health/ready"] {
        for (headers, expected) in [
            ("host: localhost\r\n", 200),
            ("host: 127.0.0.1:1\r\n", 200),
            ("host: rebound.test\r\n", 403),
            ("host: localhost\r\norigin: http://rebound.test\r\n", 403),
            ("host: localhost\r\norigin: null\r\n", 403),
            ("host: localhost\r\norigin: http://localhost\r\n", 200),
        ] {
            let answer = get(admin, "GET", path, headers).await;
            assert_eq!(answer.status, expected, "{path} {headers:?}");
        }
        for method in ["POST", "PUT", "DELETE"] {
            let answer = get(admin, method, path, "host: localhost\r\n").await;
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rescue_and_a_failure_show_at_once_with_their_attempts() {
    let policy = "breaker: off, retries: { same_target: 0 }";
    let world = chain_with(&pair(policy), CLOSED).await;
    say(&world, "a", &["status=503"]);
    say(&world, "b", &[GOOD]);
    assert_eq!(ask_with(&world, STREAM, KEY).await.status, 200);
    let shown = until(&world, |data| {
        !data["rescued"].as_array().unwrap().is_empty()
    })
    .await;
    let kept = &shown["rescued"][0];
    assert_eq!(
        (&kept["route"], &kept["outcome"]),
        (&"r".into(), &"served".into())
    );
    let attempts = kept["attempts"].as_array().unwrap();
    let targets: Vec<_> = attempts
        .iter()
        .map(|one| one["target"].as_str().unwrap())
        .collect();
    assert_eq!(targets, ["one/a", "two/b"]);
    assert!(attempts[0]["error"].is_string() && attempts[1]["error"].is_null());
    assert_eq!(
        (&attempts[0]["delivered"], &attempts[1]["delivered"]),
        (&false.into(), &true.into())
    );
    let at = |place: usize, name: &str| attempts[place][name].as_f64().unwrap();
    let commit = kept["commit_ms"].as_f64().unwrap();
    assert!(
        at(0, "begin_ms") + at(0, "total_ms") <= at(1, "begin_ms") + 1.0,
        "{kept}"
    );
    assert!(
        at(1, "begin_ms") <= commit && commit <= kept["total_ms"].as_f64().unwrap(),
        "{kept}"
    );
    let sum = &shown["hour"]["sum"];
    assert_eq!(
        (&sum["exchanges"], &sum["fallbacks"]),
        (&1.into(), &1.into())
    );

    say(&world, "b", &["status=500"]);
    assert_eq!(ask_with(&world, WHOLE, KEY).await.status, 502);
    let shown = until(&world, |data| {
        !data["failed"].as_array().unwrap().is_empty()
    })
    .await;
    assert_eq!(shown["failed"][0]["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(shown["hour"]["sum"]["failed"], 1);
    let errors = shown["hour"]["errors"].as_array().unwrap();
    let total: u64 = errors
        .iter()
        .map(|error| error["total"].as_u64().unwrap())
        .sum();
    assert_eq!(total, 3);
    let one = data(&world, "/page.json?route=r").await;
    assert_eq!(one["hour"]["sum"]["exchanges"], 2);
    let none = data(&world, "/page.json?route=nosuch").await;
    assert_eq!(none["hour"]["sum"]["exchanges"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_now_follows_the_breaker() {
    let world = chain_with(&pair(""), "log: { access: off }").await;
    let answering = |data: &Value| -> Vec<bool> {
        let targets = data["routes"][0]["targets"].as_array().unwrap().iter();
        targets
            .map(|one| one["answers"].as_bool().unwrap())
            .collect()
    };
    assert_eq!(answering(&data(&world, "/page.json").await), [true, false]);
    say(&world, "a", &["status=429,retry_after=60"]);
    say(&world, "b", &[GOOD]);
    assert_eq!(ask(&world, STREAM).await.status, 200);
    until(&world, |data| answering(data) == [false, true]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_prompt_nor_key_nor_header_nor_words_of_a_provider_are_in_it() {
    let policy = "breaker: off, retries: { same_target: 0 }";
    let world = chain_with(&pair(policy), CLOSED).await;
    say(&world, "a", &[&format!("status=500,error_message={MARK}")]);
    say(
        &world,
        "b",
        &[&format!("tokens=20,canary={MARK}"), "status=500"],
    );
    let headers = format!(
        "{KEY}x-segue-session: session-canary\r\nuser-agent: agent-canary\r\nx-segue-task: task-canary\r\n"
    );
    let extra = format!("{STREAM}\"user\":\"user-canary\",\"metadata\":{{\"note\":\"{MARK}\"}},");
    assert_eq!(ask_with(&world, &extra, &headers).await.status, 200);
    assert_eq!(ask_with(&world, WHOLE, &headers).await.status, 502);
    let shown = until(&world, |data| {
        !data["failed"].as_array().unwrap().is_empty()
    })
    .await;
    assert_eq!(shown["rescued"].as_array().unwrap().len(), 1);
    let text = shown.to_string();
    for canary in [MARK, "canary", "127.0.0.1", "\"app\"", "hi"] {
        let found = text.replace("this", "").matches(canary).count();
        assert_eq!(found, 0, "{canary}: {text}");
    }
}
