//! The odds: when every target fails at random, as many exchanges succeed as the chain allows.

use std::sync::Arc;
use std::time::Instant;

use segue::sim::Script;
use tokio::task::JoinSet;

use crate::ALONE;
use crate::relay_stage::{STREAM, WHOLE, chat};
use crate::stage::{Random, Stage, amount, float, in_full};
use crate::support::Client;

const CLIENTS: usize = 50;

/// What an exchange may do in all, by the default of `retries.max_attempts`.
const ATTEMPTS: i32 = 4;

/// As many targets as attempts: whoever cannot be tried again is gone from.
const ROUTE: &str = "r: { tiers: [[h1x0/a], [h2x0/b], [h1x1/c], [h2x1/d]], breaker: { failures: 3, open: 1s, longest: 4s } }";

/// Ways to fail while nothing is out, and alone: a cut of HTTP/2 would take others along.
const FAILURES: [&str; 5] = [
    "status=500",
    "status=503",
    "reset@head",
    "reset@3",
    "error@5",
];

/// Of so many exchanges, how many failed, and how many of those with attempts to spare.
async fn run(exchanges: usize, per_mille: usize) -> (usize, usize) {
    let stage = Arc::new(Stage::new(ROUTE, 4 * exchanges + 100, 2).await);
    let mut random = Random::new(per_mille as u64);
    for (sim, model) in [
        (&stage.h1, "a"),
        (&stage.h2, "b"),
        (&stage.h1, "c"),
        (&stage.h2, "d"),
    ] {
        let mut script = || -> Script {
            let fails = random.per_mille(per_mille);
            let text = if fails {
                *random.pick(&FAILURES)
            } else {
                "tokens=10"
            };
            text.parse().unwrap()
        };
        sim.scripts(model, (0..2 * exchanges).map(|_| script()).collect());
    }
    let mut clients = JoinSet::new();
    for lane in 0..CLIENTS {
        let stage = stage.clone();
        clients.spawn(async move {
            let mut client = Client::connect(stage.address).await;
            let (mut failed, mut early) = (0, 0);
            for number in (lane..exchanges).step_by(CLIENTS) {
                let how = if number % 2 == 0 { STREAM } else { WHOLE };
                client.send(&chat("r", how)).await;
                let answer = client.answer().await;
                if answer.status == 200 && !answer.text().contains("\"error\"") {
                    continue;
                }
                failed += 1;
                let attempts = answer.header("x-segue-attempts");
                early += usize::from(attempts != Some(&ATTEMPTS.to_string()));
            }
            (failed, early)
        });
    }
    let counts = clients.join_all().await;
    counts
        .into_iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[tokio::test(flavor = "multi_thread")]
async fn odds_of_a_chain_are_what_its_targets_give() {
    let _alone = ALONE.lock().await;
    let exchanges = amount("SEGUE_ODDS", if in_full() { 30_000 } else { 1_000 });
    for per_mille in [100, 300] {
        let begun = Instant::now();
        let (failed, early) = run(exchanges, per_mille).await;
        let miss = (float(per_mille) / 1000.0).powi(ATTEMPTS);
        let (best, got) = (1.0 - miss, 1.0 - float(failed) / float(exchanges));
        println!(
            "every target fails {per_mille} of 1000 times: {exchanges} exchanges in {:?}, available {:.2} %, \
             at best {:.2} %, given up early {early}",
            begun.elapsed(),
            100.0 * got,
            100.0 * best
        );
        // What chance may do to so few of them, three standard deviations.
        let chance = 3.0 * (miss * best / float(exchanges)).sqrt();
        let room = if in_full() { 0.002 } else { 0.002 + chance };
        assert!(best - got <= room, "{got} available, {best} at best");
        assert_eq!(early, 0, "an error while a target could have answered");
    }
}
