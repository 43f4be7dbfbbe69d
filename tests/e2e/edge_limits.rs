//! The limits of the config, as clients and operators meet them.

use std::net::SocketAddr;
use std::sync::Arc;

use segue::sim::Entry;

use crate::edge_stage::{metric, page, shows};
use crate::support::{Answer, PATIENCE, World};

async fn world(limits: &str) -> World {
    World::new(&format!("limits: {{ {limits} }}")).await
}

fn admin(world: &World) -> SocketAddr {
    world.edge.admin_address().unwrap()
}

async fn metrics(world: &World) -> Answer {
    page(admin(world), "/metrics").await
}

async fn under_way(world: &World, count: usize) {
    let seen = |entries: &[Arc<Entry>]| entries.len() == count;
    world.sim.journal().wait_for(seen, PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_so_many_requests_and_no_more() {
    for most in [1, 3] {
        let world = world(&format!("requests_per_connection: {most}")).await;
        let mut client = world.client().await;
        for number in 1..=most {
            let answer = client.chat("").await;
            assert_eq!(answer.status, 200);
            let closes = answer.header("connection") == Some("close");
            assert_eq!(closes, number == most, "{number} of {most}");
        }
        assert_eq!(client.rest().await, b"");
        assert_eq!(world.client().await.chat("").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_too_many_is_503_and_the_running_ones_go_on() {
    let world = world("exchanges: 2").await;
    world.script("tokens=20,stall@10");
    let mut running = Vec::new();
    for count in 1..=2 {
        let mut client = world.client().await;
        client.ask("\"stream\":true,").await;
        under_way(&world, count).await;
        running.push(client);
    }
    let mut third = world.client().await;
    let answer = third.chat("").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(third);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    shows(admin(&world), "segue_exchanges_in_flight", 2.0).await;
    shows(admin(&world), "segue_connections{state=\"open\"}", 2.0).await;
    drop(running);
    world
        .sim
        .journal()
        .wait_for_no_request(PATIENCE)
        .await
        .unwrap();
    shows(admin(&world), "segue_exchanges_in_flight", 0.0).await;
    world.script("tokens=3");
    assert_eq!(world.client().await.chat("").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_too_many_is_closed_and_counted_by_its_reason() {
    let world = world("connections: 3, connections_per_address: 2").await;
    let mut first = world.client().await;
    let mut second = world.client().await;
    for client in [&mut first, &mut second] {
        assert_eq!(client.chat("").await.status, 200);
    }
    let mut third = world.client().await;
    assert_eq!(third.rest().await, b"");
    let page = metrics(&world).await;
    let refused = "segue_connections_refused_total{reason=\"connections_per_address\"}";
    assert_eq!(metric(page.text(), refused), Some(1.0));
    assert_eq!(
        metric(page.text(), "segue_connections{state=\"open\"}"),
        Some(2.0)
    );
    assert_eq!(first.chat("").await.status, 200, "the others stay");
    drop(second);
    shows(admin(&world), "segue_connections{state=\"open\"}", 1.0).await;
    assert_eq!(world.client().await.chat("").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_heads_are_counted_by_their_reason() {
    let world = world("head: 2KiB, head_time: 500ms").await;
    for (bytes, reason) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "malformed"),
        (
            format!("GET /{} HTTP/1.1\r\n", "a".repeat(3_000)),
            "head_too_large",
        ),
        ("GET / HT".to_owned(), "head_timeout"),
    ] {
        let mut client = world.client().await;
        client.send(bytes.as_bytes()).await;
        assert!(client.answer().await.status >= 400);
        let series = format!("segue_connections_refused_total{{reason=\"{reason}\"}}");
        let page = metrics(&world).await;
        assert_eq!(metric(page.text(), &series), Some(1.0), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_held_in_memory_are_bounded_together() {
    let world = world("buffered: 1MiB, body: 800KiB, answer: 100KiB, event: 100KiB").await;
    world.script("hang");
    let text = "x".repeat(700 << 10);
    let mut first = world.client().await;
    first.ask(&format!("\"user\":\"{text}\",")).await;
    under_way(&world, 1).await;
    let page = metrics(&world).await;
    let held = metric(page.text(), "segue_buffered_bytes").unwrap();
    assert!((716_800.0..=1_048_576.0).contains(&held), "{held}");
    let mut second = world.client().await;
    let answer = second.chat(&format!("\"user\":\"{text}\",")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(world.sim.journal().received(), 1);
}
