//! Budgets under concurrency, over a restart, and on the way along a chain.

use std::sync::Arc;

use segue::sim::{Options, Sim};

use crate::edge_stage::Process;
use crate::store::{booked, keep};
use crate::support::{World, post};

/// What the simulator's answer of 10 tokens costs: a prompt of 1 USD a token would be too easily
/// mistaken, so output alone has a price, a cent a token.
const CENTS: u64 = 10;

fn body(model: &str) -> String {
    format!(
        r#"{{"model":"{model}","max_tokens":10,"messages":[{{"role":"user","content":"hi"}}]}}"#
    )
}

fn config(provider: &str, more: &str) -> String {
    format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\nlog: {{ access: off }}\n\
         providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n{more}\n"
    )
}

/// A route that costs 10 cents an exchange, of which one dollar may be spent a month.
const DEAR: &str = "routes:
  dear:
    tiers: [[{ target: \"sim/sim:tokens=10,delay=1ms\", price: { input: 0, output: 10000 } }]]
    budget: { usd: 1, per: month }";

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_at_once_never_overdraw_the_last_dollar() {
    let world = Arc::new(World::with(|provider| config(&provider.to_string(), DEAR)).await);
    let asks = (0..500).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let mut client = world.client().await;
            client
                .send(&post("/v1/chat/completions", "", &body("dear")))
                .await;
            client.answer().await.status
        })
    });
    let asks: Vec<_> = asks.collect();
    let mut served = 0;
    for ask in asks {
        match ask.await.unwrap() {
            200 => served += 1,
            status => assert_eq!(status, 429),
        }
    }
    // Some came while others' reservations were open; what is left is theirs to take now.
    loop {
        let mut client = world.client().await;
        client
            .send(&post("/v1/chat/completions", "", &body("dear")))
            .await;
        match client.answer().await.status {
            200 => served += 1,
            status => break assert_eq!(status, 429),
        }
    }
    assert_eq!(served * CENTS, 100, "all of it, and no cent more");
    assert_eq!(world.sim.journal().received(), served);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_is_spent_after_a_crash() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let store = format!("{DEAR}\naccounts: {{ store: {{ path: ./usage.db }} }}");
    let config = config(&sim.address().to_string(), &store);
    let process = Process::start(&config).await;
    let ask = async |process: &Process| {
        let mut client = process.client().await;
        client
            .send(&post("/v1/chat/completions", "", &body("dear")))
            .await;
        client.answer().await.status
    };
    for _ in 0..10 {
        assert_eq!(ask(&process).await, 200);
    }
    assert_eq!(ask(&process).await, 429);
    booked(&process, 11.0).await;
    process.signal("KILL");
    process.exit().await;
    let process = Process::spawn(keep(process), &config, &[]);
    process.said("admin pages on").await;
    assert_eq!(ask(&process).await, 429, "a crash pays no debt");
}

/// Two targets: one costs ten cents an exchange, the other a tenth of one.
const CHAIN: &str = "routes:
  chain:
    tiers:
      - [{ target: \"sim/sim:tokens=10\", price: { input: 0, output: 10000 } }]
      - [{ target: \"sim/sim:tokens=10,delay=1ms\", price: { input: 0, output: 100 } }]
    budget: { usd: 0.05, per: day }";

#[tokio::test(flavor = "multi_thread")]
async fn a_target_too_dear_for_what_is_left_is_not_asked() {
    for (rule, left_out) in [("stop", Some("over_budget")), ("cheapest", None)] {
        let rules = format!("{CHAIN}\naccounts: {{ on_budget: {rule} }}");
        let world = World::with(|provider| config(&provider.to_string(), &rules)).await;
        let mut client = world.client().await;
        client
            .send(&post("/v1/chat/completions", "", &body("chain")))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200, "{rule}");
        let target = answer.header("x-segue-target");
        assert_eq!(target, Some("sim/sim:tokens=10,delay=1ms"), "{rule}");
        assert_eq!(answer.header("x-segue-attempts"), Some("1"), "{rule}");
        let told = answer.header("x-segue-left-out");
        let expected = left_out.map(|reason| format!("sim/sim:tokens=10={reason}"));
        assert_eq!(told, expected.as_deref(), "{rule}");
    }
}
