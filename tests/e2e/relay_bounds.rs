//! Every bound ends what it bounds, in its time, and leaves the rest as good as before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use segue::sim::Entry;
use tokio::net::TcpListener;

use crate::relay_stage::{STREAM, WHOLE, body, chat, status, until_idle, world};
use crate::support::{Answer, Client, PATIENCE, World, post, start};

/// What a bound may be late by on a machine that has other things to do.
const SLACK: Duration = Duration::from_secs(1);

const BOUND: Duration = Duration::from_millis(300);

/// A route, what happens on it, what was asked, and what the client is told in the end.
const CASES: [(&str, &str, &str, u16, &str); 17] = [
    ("first", "hang", STREAM, 504, "first_token_timeout"),
    ("first", "hang", WHOLE, 504, "first_token_timeout"),
    ("first", "stall@0", STREAM, 504, "first_token_timeout"),
    (
        "first",
        "ping=20ms,stall@0",
        STREAM,
        504,
        "first_token_timeout",
    ),
    (
        "first",
        "role=none,first_after=1m",
        STREAM,
        504,
        "first_token_timeout",
    ),
    ("stall", "stall@3", STREAM, 200, "(stall)"),
    ("stall", "ping=20ms,stall@3", STREAM, 200, "(stall)"),
    ("stall", "stall@3", WHOLE, 504, "(stall)"),
    ("total", "hang", WHOLE, 504, "attempt_timeout"),
    (
        "total",
        "tokens=inf,delay=10ms",
        STREAM,
        200,
        "attempt_timeout",
    ),
    ("total", "tokens=inf", STREAM, 200, "attempt_timeout"),
    (
        "total",
        "tokens=inf,drip=10/10ms",
        WHOLE,
        504,
        "attempt_timeout",
    ),
    ("deadline", "hang", STREAM, 504, "(deadline)"),
    (
        "deadline",
        "tokens=inf,delay=10ms",
        STREAM,
        200,
        "(deadline)",
    ),
    (
        "deadline",
        "tokens=inf,token_bytes=4KiB",
        STREAM,
        200,
        "(deadline)",
    ),
    (
        "deadline",
        "status=500,stall@20b",
        WHOLE,
        502,
        "(server_error)",
    ),
    (
        "deadline",
        "status=429,stall@20b",
        WHOLE,
        429,
        "(rate_limited)",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_clock_ends_its_exchange_in_time_and_the_pool_stays_good() {
    let routes = "first: { tiers: [[sim/m]], retries: { same_target: 0 }, timeouts: { first_token: 300ms } }\n\
                  stall: { tiers: [[sim/m]], retries: { same_target: 0 }, timeouts: { stall: 300ms } }\n\
                  total: { tiers: [[sim/m]], retries: { same_target: 0 }, timeouts: { total: 300ms } }\n\
                  deadline: { tiers: [[sim/m]], retries: { same_target: 0 }, deadline: 300ms }";
    let world = world(routes, "").await;
    let mut client = world.client().await;
    for (route, script, how, status, reason) in CASES {
        let (answer, took) = timed(&world, &mut client, route, script, how).await;
        let text = answer.text();
        let tail = &text[text.len().saturating_sub(400)..];
        let case = format!("{route} {script} {how}: {took:?} {tail}");
        assert!((BOUND..BOUND + SLACK).contains(&took), "{case}");
        assert_eq!(answer.status, status, "{case}");
        assert!(answer.complete && tail.contains(reason), "{case}");
        assert!(!tail.contains("[DONE]"), "{case}");
        world
            .sim
            .journal()
            .wait_for_no_request(PATIENCE)
            .await
            .expect(&case);
        world.script("tokens=4");
        client.send(&chat(route, how)).await;
        assert_eq!(client.answer().await.status, 200, "after {case}");
    }
    until_idle(world.edge.admin_address().unwrap()).await;
}

async fn timed(
    world: &World,
    client: &mut Client,
    route: &str,
    script: &str,
    how: &str,
) -> (Answer, Duration) {
    world.script(script);
    let begun = Instant::now();
    client.send(&chat(route, how)).await;
    let answer = client.answer().await;
    (answer, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_accepts_and_never_speaks_tls_ends_at_the_connect_bound() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hole.local_addr().unwrap();
    let edge = start(&format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: off\nlog: {{ access: off }}\n\
         providers:\n  hole: {{ dialect: openai, base_url: \"https://hole.test/v1\", peers: [\"{address}\"] }}\n\
         routes:\n  model: {{ tiers: [[hole/m]], timeouts: {{ connect: 300ms }} }}\n"
    ));
    let mut client = Client::connect(edge.addresses()[0]).await;
    for how in [WHOLE, STREAM] {
        let begun = Instant::now();
        let answer = client.chat(how).await;
        let took = begun.elapsed();
        assert_eq!(answer.status, 504);
        assert!(answer.text().contains("connect_timeout"), "{answer:?}");
        assert!((BOUND..BOUND + SLACK).contains(&took), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_answers_beyond_the_budget_are_refused_and_what_runs_goes_on() {
    let world = world("small: sim/small", "buffered: 1MiB").await;
    let admin = world.edge.admin_address().unwrap();
    let large = body("small", WHOLE).replace("\"hi\"", &format!("\"{}\"", "x".repeat(700 << 10)));
    let large = post("/v1/chat/completions", "", &large);
    world
        .sim
        .script("small", "tokens=3,head_after=1s".parse().unwrap());
    world.script("tokens=10,token_bytes=60KiB");
    let mut first = world.client().await;
    first.send(&large).await;
    let came = |all: &[Arc<Entry>]| all.iter().any(|it| it.body_is_complete());
    world.sim.journal().wait_for(came, PATIENCE).await.unwrap();
    assert!(status(admin).await["buffered_bytes"].as_u64().unwrap() > 700 << 10);

    let mut second = world.client().await;
    second.send(&large).await;
    assert_overloaded(&second.answer().await);
    let mut third = world.client().await;
    assert_overloaded(&third.chat(WHOLE).await);
    // What takes no memory of ours is served.
    assert_eq!(third.chat(STREAM).await.status, 200);

    assert_eq!(first.answer().await.status, 200);
    until_idle(admin).await;
    assert_eq!(third.chat(WHOLE).await.status, 200);
    until_idle(admin).await;
    first.send(&large).await;
    assert_eq!(first.answer().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_beyond_the_limit_are_refused_and_what_runs_goes_on() {
    let world = world("", "exchanges: 2").await;
    world.script("tokens=3,head_after=1s");
    let (mut first, mut second) = (world.client().await, world.client().await);
    first.ask(STREAM).await;
    second.ask(WHOLE).await;
    let came = |all: &[Arc<Entry>]| all.len() == 2;
    world.sim.journal().wait_for(came, PATIENCE).await.unwrap();
    let mut third = world.client().await;
    assert_overloaded(&third.chat(STREAM).await);
    // Its body was not read: the connection is of no further use.
    assert!(third.rest().await.is_empty());
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    until_idle(world.edge.admin_address().unwrap()).await;
    let mut third = world.client().await;
    assert_eq!(third.chat(STREAM).await.status, 200);
}

fn assert_overloaded(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "server_is_overloaded");
}
