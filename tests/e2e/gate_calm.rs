//! Breakers, hedges and signs of life: what keeps targets, users and load balancers calm.

use std::time::Duration;

use segue::sim::End;

use crate::gate_stage::{
    GOOD, ask, asked, assert_from, assert_refused, chain, counts, pair, say, standing,
    until_breaker,
};
use crate::relay_stage::{STREAM, WHOLE, chat, until_idle};
use crate::support::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn three_failures_in_a_row_open_a_breaker_and_an_answer_closes_it() {
    let policy = "retries: { same_target: 0 }, breaker: { failures: 3, open: 300ms }";
    let world = chain(&pair(policy)).await;
    say(&world, "b", &[GOOD]);
    say(
        &world,
        "a",
        &["status=500", "status=500", "tokens=7", "status=500"],
    );
    for _ in 0..6 {
        ask(&world, STREAM).await;
        // An answer counts when its exchange has ended.
        until_idle(world.edge.admin_address().unwrap()).await;
    }
    assert_eq!(counts(&world), [6, 5, 0], "the good one in between counts");
    assert_eq!(standing(&world, "one/a").await["breaker"], "open");
    assert_eq!(
        standing(&world, "one/a").await["last_failure"]["reason"],
        "server_error"
    );
    ask(&world, STREAM).await;
    assert_eq!(counts(&world), [6, 6, 0], "an open target is not asked");
    say(&world, "a", &["tokens=7"]);
    until_breaker(&world, "one/a", "half_open").await;
    assert_from(&ask(&world, STREAM).await, "one/a", 7);
    assert_eq!(standing(&world, "one/a").await["breaker"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_their_errors_open_no_breaker() {
    let policy = "retries: { same_target: 0 }, breaker: { failures: 1, open: 1m }";
    let world = chain(&pair(policy)).await;
    for fault in ["status=400", "status=422", "tokens=5,finish=content_filter"] {
        say(&world, "a", &[fault]);
        ask(&world, STREAM).await;
    }
    say(&world, "a", &["stall@0"]);
    let mut client = world.client().await;
    client.send(&chat("r", STREAM)).await;
    let come = |entries: &[std::sync::Arc<segue::sim::Entry>]| {
        entries.last().is_some_and(|entry| entry.bytes() > 0)
    };
    world.sim.journal().wait_for(come, PATIENCE).await.unwrap();
    drop(client);
    world
        .sim
        .journal()
        .wait_for_no_request(PATIENCE)
        .await
        .unwrap();
    until_idle(world.edge.admin_address().unwrap()).await;
    assert_eq!(standing(&world, "one/a").await["breaker"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_after_the_commit_counts_against_its_target() {
    let world = chain(&pair("hold: none, breaker: { failures: 2, open: 1m }")).await;
    say(&world, "a", &["tokens=9,cut@4"]);
    say(&world, "b", &[GOOD]);
    ask(&world, STREAM).await;
    ask(&world, STREAM).await;
    assert_eq!(standing(&world, "one/a").await["breaker"], "open");
    assert_from(&ask(&world, STREAM).await, "two/b", 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_alone() {
    let world = chain(&pair(
        "retries: { same_target: 0 }, breaker: { failures: 1, open: 200ms }",
    ))
    .await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["status=500", "tokens=7,first_after=1s"]);
    ask(&world, STREAM).await;
    until_breaker(&world, "one/a", "half_open").await;
    let mut probe = world.client().await;
    probe.send(&chat("r", STREAM)).await;
    let come = |entries: &[std::sync::Arc<segue::sim::Entry>]| entries.len() == 3;
    world.sim.journal().wait_for(come, PATIENCE).await.unwrap();
    for how in [STREAM, WHOLE, STREAM, WHOLE] {
        assert_from(&ask(&world, how).await, "two/b", 20);
    }
    assert_from(&probe.answer().await, "one/a", 7);
    assert_eq!(counts(&world), [2, 5, 0]);
    assert_from(&ask(&world, STREAM).await, "one/a", 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_whose_client_leaves_gives_its_place_back() {
    let world = chain(&pair(
        "retries: { same_target: 0 }, breaker: { failures: 1, open: 200ms }",
    ))
    .await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["status=500", "stall@0", "tokens=7"]);
    ask(&world, STREAM).await;
    until_breaker(&world, "one/a", "half_open").await;
    let mut probe = world.client().await;
    probe.send(&chat("r", STREAM)).await;
    let come = |entries: &[std::sync::Arc<segue::sim::Entry>]| entries.len() == 3;
    world.sim.journal().wait_for(come, PATIENCE).await.unwrap();
    drop(probe);
    world
        .sim
        .journal()
        .wait_for_no_request(PATIENCE)
        .await
        .unwrap();
    until_idle(world.edge.admin_address().unwrap()).await;
    assert_from(&ask(&world, STREAM).await, "one/a", 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_fails_costs_its_user_nothing() {
    let world = chain(&pair(
        "retries: { same_target: 0 }, breaker: { failures: 1, open: 100ms, longest: 100ms }",
    ))
    .await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["status=500"]);
    for _ in 0..4 {
        assert_from(&ask(&world, STREAM).await, "two/b", 20);
        until_breaker(&world, "one/a", "half_open").await;
    }
    assert_eq!(counts(&world), [4, 4, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_is_never_the_last_way_out() {
    let world = chain(&pair(
        "retries: { same_target: 0 }, breaker: { failures: 1, open: 1m }",
    ))
    .await;
    say(&world, "a", &["status=500", "tokens=7"]);
    say(&world, "b", &["status=500"]);
    assert_refused(&ask(&world, STREAM).await, 502);
    for target in ["one/a", "two/b"] {
        assert_eq!(standing(&world, target).await["breaker"], "open");
    }
    assert_from(&ask(&world, STREAM).await, "one/a", 7);
    assert_eq!(
        standing(&world, "one/a").await["breaker"],
        "closed",
        "an answer is an answer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_left_alone_until_it_says() {
    let world = chain(&pair("")).await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["status=429,retry_after=60", "tokens=7"]);
    for _ in 0..3 {
        assert_from(&ask(&world, STREAM).await, "two/b", 20);
    }
    assert_eq!(counts(&world), [1, 3, 0]);
    let standing = standing(&world, "one/a").await;
    let left = standing["shut_for_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&left), "{standing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hedge_cancels_its_loser() {
    let world = chain(&pair("hedge: { after: 100ms, share: 100% }, breaker: off")).await;
    say(&world, "b", &[GOOD]);
    for silence in ["hang", "stall@0", "tokens=30,first_after=1m"] {
        say(&world, "a", &[silence]);
        world.sim.journal().clear();
        let answer = ask(&world, STREAM).await;
        assert_from(&answer, "two/b", 20);
        assert_eq!(answer.header("x-segue-attempts"), Some("2"));
        world
            .sim
            .journal()
            .wait_for_no_request(PATIENCE)
            .await
            .unwrap();
        let [lost] = &asked(&world, "a")[..] else {
            panic!("{silence}")
        };
        assert!(
            matches!(lost.end(), Some(End::ClientClosed { .. })),
            "{lost:?}"
        );
    }
    // The first one may win as well.
    say(&world, "a", &["tokens=7,first_after=300ms"]);
    say(&world, "b", &["stall@0"]);
    world.sim.journal().clear();
    assert_from(&ask(&world, STREAM).await, "one/a", 7);
    world
        .sim
        .journal()
        .wait_for_no_request(PATIENCE)
        .await
        .unwrap();
    let [lost] = &asked(&world, "b")[..] else {
        panic!("a hedge")
    };
    assert!(
        matches!(lost.end(), Some(End::ClientClosed { .. })),
        "{lost:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hedge_is_not_for_whoever_has_begun_to_speak() {
    let world = chain(&pair(
        "hold: all, hedge: { after: 100ms, share: 100% }, breaker: off",
    ))
    .await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["tokens=10,delay=50ms"]);
    assert_from(&ask(&world, STREAM).await, "one/a", 10);
    assert_eq!(counts(&world), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hedges_are_capped_to_their_share() {
    let world = chain(&pair("hedge: { after: 30ms, share: 1% }, breaker: off")).await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["tokens=5,first_after=150ms"]);
    let mut running = tokio::task::JoinSet::new();
    let address = world.address;
    for _ in 0..60 {
        running.spawn(async move {
            let mut client = crate::support::Client::connect(address).await;
            client.send(&chat("r", STREAM)).await;
            client.answer().await.status
        });
    }
    assert!(running.join_all().await.iter().all(|status| *status == 200));
    let [first, hedges, _] = counts(&world);
    // One percent of sixty, and one for each second that it may have taken.
    assert!(first == 60 && (1..=20).contains(&hedges), "{hedges} hedges");
}

#[tokio::test(flavor = "multi_thread")]
async fn keepalive_speaks_before_the_commit_and_errors_come_in_band() {
    let policy = "keepalive: 1s, breaker: off, timeouts: { first_token: 2500ms }";
    let world = chain(&format!(
        "{}\nalone: {{ tiers: [[one/a]], {policy}, retries: {{ same_target: 0 }} }}",
        pair(policy)
    ))
    .await;
    say(&world, "a", &["hang"]);
    say(&world, "b", &[GOOD]);
    let mut client = world.client().await;
    client.send(&chat("r", STREAM)).await;
    client.until(": segue\n").await;
    assert_eq!(counts(&world), [1, 0, 0], "the sign of life comes first");
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert_eq!(text.matches(": segue\n").count(), 2, "{text}");
    let events: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let said: String = events
        .iter()
        .filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok())
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(said, segue::sim::answer_text(20));

    let mut client = world.client().await;
    client.send(&chat("alone", STREAM)).await;
    client.until(": segue\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.complete), (200, true));
    let last = answer.text().trim_end().lines().last().unwrap().to_owned();
    assert!(
        last.starts_with("data: {\"error\"") && !answer.text().contains("[DONE]"),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_has_no_sign_of_life() {
    let world = chain(&pair(
        "keepalive: 1s, breaker: off, timeouts: { first_token: 1500ms }",
    ))
    .await;
    say(&world, "a", &["hang"]);
    say(&world, "b", &["status=500"]);
    let answer = tokio::time::timeout(Duration::from_secs(15), ask(&world, WHOLE))
        .await
        .unwrap();
    assert_refused(&answer, 502);
}
