//! What holding costs in time to the first byte: the provider's own time for what is held.

use std::time::{Duration, Instant};

use crate::ALONE;
use crate::relay_stage::{STREAM, chat};
use crate::stage::Stage;
use crate::support::Client;

/// From token to token.
const PACE: Duration = Duration::from_millis(10);
const ROUNDS: usize = 41;

const ROUTES: &str = "\
alone: h1x0/m
none: { tiers: [[h1x0/m], [h2x0/m]], hold: none }
four: { tiers: [[h1x0/m], [h2x0/m]], hold: { tokens: 4, at_most: 10s } }
twelve: { tiers: [[h1x0/m], [h2x0/m]], hold: { tokens: 12, at_most: 10s } }";

/// The median time from the request's first byte to the answer's head.
async fn first_byte(address: std::net::SocketAddr, route: &str) -> Duration {
    let mut client = Client::connect(address).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        client.send(&chat(route, STREAM)).await;
        client.until("\r\n\r\n").await;
        times.push(begun.elapsed());
        client.answer().await;
    }
    times.sort();
    times[ROUNDS / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: run it alone on a quiet machine"]
async fn cost_of_holding_is_the_providers_own_time() {
    let _alone = ALONE.lock().await;
    let stage = Stage::new(ROUTES, 1000, 1).await;
    let script = format!("tokens=16,delay={}ms", PACE.as_millis());
    stage.h1.script("m", script.parse().unwrap());
    let direct = first_byte(stage.h1.address(), "m").await;
    println!("median time to the first byte, a token each {PACE:?}: provider itself {direct:?}");
    for (route, held) in [("alone", 1), ("none", 1), ("four", 4), ("twelve", 12)] {
        let took = first_byte(stage.address, route).await;
        let own = PACE * (held - 1);
        let over = took.as_secs_f64() - (direct + own).as_secs_f64();
        println!(
            "{route}: {took:?}, of which the provider's own {own:?} for its tokens; beyond that {:.2} ms",
            1e3 * over
        );
    }
}
