//! What lives on over a reload: what was learned, what is open, what runs.

use std::time::Duration;

use segue::sim::answer_text;

use super::{Live, chat, provider, sim};
use crate::support::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn breakers_and_cool_downs() {
    let sim = sim().await;
    sim.script("m", "status=500".parse().unwrap());
    sim.script("n", "status=429,retry_after=300".parse().unwrap());
    let text = format!(
        "{}routes:\n  model: {{ tiers: [[sim/m]], retries: {{ same_target: 0 }}, breaker: {{ failures: 2, open: 1h }} }}\n  \
         other: {{ tiers: [[sim/n]], retries: {{ same_target: 0, patience: 0s }} }}\n",
        provider(&sim, "")
    );
    let live = Live::start(&text);
    for _ in 0..2 {
        assert_eq!(live.chat("").await.status, 502);
    }
    let mut client = live.client().await;
    assert_eq!(chat(&mut client, "other", "").await.status, 429);
    let target = |status: &serde_json::Value, route: usize| {
        let target = &status["routes"][route]["targets"][0];
        (
            target["breaker"].clone(),
            target["shut_for_ms"].as_u64().unwrap(),
        )
    };
    let before = live.status().await;
    assert_eq!(target(&before, 0).0, "open");
    for number in 2..5 {
        live.reload(&format!("{text}drain: {{ deadline: {number}m }}\n"));
        let after = live.status().await;
        assert_eq!(after["generation"]["number"], number);
        for route in [0, 1] {
            let ((was, left), (is, still)) = (target(&before, route), target(&after, route));
            assert_eq!(was, is, "{after}");
            assert!(still <= left && left - still < 60_000, "{left} {still}");
        }
    }
    assert_eq!(
        live.metric("segue_breaker_state{target=\"sim/m\"}").await,
        Some(2.0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_peers_and_the_task_that_checks_them() {
    let sim = sim().await;
    let gone = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    let text = |every: &str| {
        let more = format!(
            ", peers: [\"{gone}\", \"{}\"], health: {{ http: /health, every: {every}, timeout: 100ms, failures: 1, successes: 1 }}",
            sim.address()
        );
        format!("{}routes: {{ model: sim/m }}\n", provider(&sim, &more))
    };
    sim.script("/health", "status=200".parse().unwrap());
    let live = Live::start(&text("100ms"));
    let health = async || {
        let status = live.status().await;
        let peers = status["providers"][0]["peers"].as_array().unwrap().clone();
        let of = |address: String| {
            let peer = peers.iter().find(|peer| peer["address"] == address);
            peer.unwrap()["health"].as_str().unwrap().to_owned()
        };
        (of(gone.to_string()), of(sim.address().to_string()))
    };
    let known = ("down".to_owned(), "up".to_owned());
    let learned = async {
        while health().await != known {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, learned)
        .await
        .expect("checks in time");
    live.reload(&format!("{}drain: {{ deadline: 1m }}\n", text("100ms")));
    assert_eq!(health().await, known);
    // Other checks are another pool; with none, nobody asks any more.
    live.reload(&format!(
        "{}routes: {{ model: sim/m }}\n",
        provider(&sim, "")
    ));
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    let asked = sim.journal().received();
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(
        sim.journal().received() <= asked + 1,
        "the old task has ended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_both_sides_and_every_count() {
    let sim = sim().await;
    let text = format!("{}routes: {{ model: sim/m }}\n", provider(&sim, ""));
    let live = Live::start(&text);
    let mut client = live.client().await;
    for number in 2..6 {
        assert_eq!(chat(&mut client, "model", "").await.status, 200);
        live.reload(&format!("{text}drain: {{ deadline: {number}m }}\n"));
    }
    let entries = sim.journal().entries();
    assert!(
        entries.iter().all(|entry| entry.connection == 1),
        "{entries:?}"
    );
    let served = "segue_exchanges_total{outcome=\"served\",route=\"model\"}";
    assert_eq!(live.metric(served).await, Some(4.0));
    let status = live.status().await;
    assert_eq!(status["connections"]["open"], 1, "{status}");
    assert_eq!(status["reloads"]["begun"], 4);
    assert_eq!(status["reloads"]["ended"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_route_provider_and_key_are_gone() {
    let (old, new) = (sim().await, sim().await);
    old.script("m", "tokens=40,stall@20=500ms".parse().unwrap());
    let text = |sim, key: &str| {
        format!(
            "{}keys: [{{ name: app, secret: {key} }}]\n",
            provider(sim, "")
        )
    };
    let live = Live::start(&format!(
        "{}routes: {{ model: sim/m }}\n",
        text(&old, "first")
    ));
    let mut client = live.client().await;
    let body = r#"{"model":"model","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let ask = crate::support::post("/v1/chat/completions", "X-Api-Key: first\r\n", body);
    client.send(&ask).await;
    client.until("w10").await;
    live.reload(&format!(
        "{}routes: {{ other: sim/m }}\n",
        text(&new, "second")
    ));
    let answer = client.answer().await;
    assert!(answer.complete);
    assert_eq!(answer.content(), answer_text(40));
    assert_eq!(
        chat(&mut client, "model", "X-Api-Key: first\r\n")
            .await
            .status,
        401
    );
    let mut client = live.client().await;
    let status = chat(&mut client, "other", "X-Api-Key: second\r\n")
        .await
        .status;
    assert_eq!(status, 200);
    assert_eq!((old.journal().received(), new.journal().received()), (1, 1));
}
