//! Beyond its limits the proxy refuses what is new, early and in words that SDKs obey; what runs goes
//! on, and operators are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use segue::sim::{Entry, Options, Sim};

use crate::edge_stage::{metric, page, shows};
use crate::support::{Answer, Client, PATIENCE, World, post};

fn admin(world: &World) -> SocketAddr {
    world.edge.admin_address().unwrap()
}

async fn under_way(sim: &Sim, count: usize) {
    let seen = |entries: &[Arc<Entry>]| entries.len() == count;
    sim.journal().wait_for(seen, PATIENCE).await.unwrap();
}

fn reached(limit: &str) -> String {
    format!("segue_limit_reached_total{{limit=\"{limit}\"}}")
}

fn chat(key: &str, extra: &str) -> Vec<u8> {
    let body = format!(
        "{{{extra}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    );
    let key = format!("authorization: Bearer {key}\r\n");
    post("/v1/chat/completions", &key, &body)
}

/// Asserts that a client is told to come back in a moment.
#[track_caller]
fn assert_later(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    // An SDK retries a 429 of itself.
    let again = (status == 503).then_some("true");
    assert_eq!(answer.header("x-should-retry"), again, "{answer:?}");
    assert!(answer.json()["error"]["message"].is_string(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_so_many_exchanges_under_way_and_its_neighbour_is_served() {
    let world = World::new(
        "allow_literal_secrets: true\nlimits: { exchanges_per_key: 2 }\n\
         keys: [{ name: greedy, secret: key-of-the-greedy }, { name: calm, secret: key-of-the-calm }]",
    )
    .await;
    world.script("tokens=20,stall@10");
    let mut running = Vec::new();
    for count in 1..=2 {
        let mut client = world.client().await;
        client
            .send(&chat("key-of-the-greedy", "\"stream\":true,"))
            .await;
        under_way(&world.sim, count).await;
        running.push(client);
    }
    let mut third = world.client().await;
    third.send(&chat("key-of-the-greedy", "")).await;
    assert_later(&third.answer().await, 429);
    shows(admin(&world), &reached("exchanges_per_key"), 1.0).await;
    world.script("tokens=3");
    let mut other = world.client().await;
    other.send(&chat("key-of-the-calm", "")).await;
    assert_eq!(other.answer().await.status, 200);
    drop(running);
    shows(admin(&world), "segue_exchanges_in_flight", 0.0).await;
    let mut again = world.client().await;
    again.send(&chat("key-of-the-greedy", "")).await;
    assert_eq!(
        again.answer().await.status,
        200,
        "its places are free again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_key_with_no_place_left_is_not_even_asked_for() {
    let world = World::new(
        "allow_literal_secrets: true\nlimits: { exchanges_per_key: 1 }\n\
         keys: [{ name: greedy, secret: key-of-the-greedy }]",
    )
    .await;
    world.script("stall@0");
    let mut first = world.client().await;
    first.send(&chat("key-of-the-greedy", "")).await;
    under_way(&world.sim, 1).await;
    let mut second = world.client().await;
    second
        .send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n\
              content-type: application/json\r\nauthorization: Bearer key-of-the-greedy\r\n\
              content-length: 1000000\r\nexpect: 100-continue\r\n\r\n",
        )
        .await;
    assert_later(&second.answer().await, 429);
}

/// A proxy before two simulators, for whose providers one attempt at a time is enough.
async fn two_providers(tiers: &str) -> (World, Sim) {
    let second = Sim::start(Options::default()).await.unwrap();
    let other = second.address();
    let world = World::with(|first| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             log: {{ access: off }}\nlimits: {{ attempts_per_provider: 1 }}\n\
             providers:\n  one: {{ dialect: openai, base_url: \"http://{first}/v1\", private_peers: true }}\n  \
             two: {{ dialect: openai, base_url: \"http://{other}/v1\", private_peers: true }}\n\
             routes: {{ model: {{ tiers: {tiers} }} }}\n"
        )
    })
    .await;
    (world, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_provider_is_left_out_and_the_next_one_answers() {
    let (world, second) = two_providers("[[one/m], [two/m]]").await;
    world.script("stall@0");
    let mut first = world.client().await;
    first.ask("\"stream\":true,").await;
    under_way(&world.sim, 1).await;
    let mut client = world.client().await;
    let answer = client.chat("").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-segue-target"), Some("two/m"));
    assert_eq!(answer.header("x-segue-attempts"), Some("1"));
    assert_eq!(
        answer.header("x-segue-left-out"),
        Some("one/m=provider_full")
    );
    shows(admin(&world), &reached("attempts_per_provider"), 1.0).await;
    assert_eq!(
        (world.sim.journal().received(), second.journal().received()),
        (1, 1)
    );
    drop(first);
    world
        .sim
        .journal()
        .wait_for_no_request(PATIENCE)
        .await
        .unwrap();
    shows(admin(&world), "segue_exchanges_in_flight", 0.0).await;
    world.script("tokens=3");
    let answer = client.chat("").await;
    assert_eq!(answer.header("x-segue-target"), Some("one/m"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_every_provider_is_full_the_client_may_come_back() {
    let (world, second) = two_providers("[[one/m], [two/m]]").await;
    world.script("stall@0");
    second.script("m", "stall@0".parse().unwrap());
    let mut running = Vec::new();
    for sim in [&world.sim, &second] {
        let mut client = world.client().await;
        client.ask("\"stream\":true,").await;
        under_way(sim, 1).await;
        running.push(client);
    }
    let answer = world.client().await.chat("").await;
    assert_later(&answer, 503);
    assert_eq!(answer.header("x-segue-attempts"), Some("0"));
    assert!(
        answer.text().contains("too many requests under way"),
        "{answer:?}"
    );
    shows(admin(&world), &reached("attempts_per_provider"), 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_passthrough_counts_at_its_provider_like_everything_else() {
    let world = World::new(
        "limits: { attempts_per_provider: 1 }\npassthrough: { provider: sim, paths: [/v1/files] }",
    )
    .await;
    world.script("stall@0");
    let mut first = world.client().await;
    first.ask("\"stream\":true,").await;
    under_way(&world.sim, 1).await;
    let mut client = world.client().await;
    client
        .send(b"GET /v1/files HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert_later(&client.answer().await, 503);
    shows(admin(&world), &reached("attempts_per_provider"), 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_there_is_no_room_for_is_refused_before_it_is_sent() {
    let world =
        World::new("limits: { buffered: 1MiB, body: 800KiB, answer: 100KiB, event: 100KiB }").await;
    world.script("hang");
    let mut first = world.client().await;
    first
        .ask(&format!("\"user\":\"{}\",", "x".repeat(700 << 10)))
        .await;
    under_way(&world.sim, 1).await;
    let mut second = world.client().await;
    second
        .send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n\
              content-type: application/json\r\ncontent-length: 700000\r\nexpect: 100-continue\r\n\r\n",
        )
        .await;
    assert_later(&second.answer().await, 503);
    shows(admin(&world), &reached("buffered"), 1.0).await;
    world.script("tokens=3");
    let small = world.client().await.chat("").await;
    assert_eq!(small.status, 200, "what fits is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_crawls_is_given_up_after_its_first_ten_seconds() {
    let world = World::new("limits: { body_rate: 1KiB }").await;
    let mut client = world.client().await;
    client
        .send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n\
              content-type: application/json\r\ncontent-length: 100000\r\n\r\n{\"model\":",
        )
        .await;
    let begun = tokio::time::Instant::now();
    let answer = client.answer().await;
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(answer.text().contains("too slowly"), "{answer:?}");
    assert!(begun.elapsed() >= Duration::from_secs(9));
    shows(admin(&world), &reached("body_rate"), 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_answered_whatever_clients_hold() {
    let world = World::new("limits: { connections: 3, exchanges: 1 }").await;
    world.script("stall@0");
    let mut running = world.client().await;
    running.ask("\"stream\":true,").await;
    under_way(&world.sim, 1).await;
    let mut second = world.client().await;
    assert_later(&second.chat("").await, 503);
    let silent = world.client().await;
    shows(admin(&world), "segue_connections{state=\"open\"}", 3.0).await;
    assert_eq!(world.client().await.rest().await, b"", "no place is left");
    for path in ["/health/live", "/health/ready", "/metrics", "/status", "/"] {
        assert_eq!(page(admin(&world), path).await.status, 200, "{path}");
    }
    shows(admin(&world), &reached("exchanges"), 1.0).await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_in_force_is_in_the_metrics() {
    let world = World::new("limits: { exchanges: 7, idle: 90s, buffered: 20MiB }").await;
    let metrics = page(admin(&world), "/metrics").await;
    for (limit, value) in [
        ("exchanges", 7.0),
        ("exchanges_per_key", 7.0),
        ("attempts_per_provider", 1000.0),
        ("idle", 90.0),
        ("head", 65_536.0),
        ("body", 20_971_520.0),
        ("buffered", 20_971_520.0),
        ("body_rate", 1024.0),
    ] {
        let series = format!("segue_limit{{limit=\"{limit}\"}}");
        assert_eq!(metric(metrics.text(), &series), Some(value), "{limit}");
    }
    for limit in ["exchanges", "buffered", "body_rate"] {
        assert_eq!(
            metric(metrics.text(), &reached(limit)),
            Some(0.0),
            "{limit}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_few_descriptors_takes_on_no_more_than_they_carry() {
    use crate::edge_stage::Process;
    use std::os::unix::fs::PermissionsExt;

    let sim = Sim::start(Options::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let limited = folder.path().join("limited");
    let binary = env!("CARGO_BIN_EXE_segue");
    std::fs::write(
        &limited,
        format!("#!/bin/sh\nulimit -n 300\nexec {binary} \"$@\"\n"),
    )
    .unwrap();
    std::fs::set_permissions(&limited, std::fs::Permissions::from_mode(0o700)).unwrap();
    let config = Process::config(sim.address(), "");
    let process = Process::spawn_as(&limited, folder, &config, &[]);
    let admin = process.admin().await;
    let metrics = page(admin, "/metrics").await;
    for limit in ["connections", "exchanges"] {
        let series = format!("segue_limit{{limit=\"{limit}\"}}");
        assert_eq!(metric(metrics.text(), &series), Some(100.0), "{limit}");
    }
    let address = process.address().await;
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(Client::connect(address).await);
    }
    shows(admin, "segue_connections{state=\"open\"}", 100.0).await;
    assert_eq!(Client::connect(address).await.rest().await, b"");
    assert_eq!(page(admin, "/health/ready").await.status, 200);
    assert_eq!(all[0].chat("").await.status, 200);
}
