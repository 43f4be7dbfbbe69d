//! A second target beside a silent first one.

use crate::relay_stage::{STREAM, chat, world};

#[tokio::test]
async fn what_the_second_target_has_against_the_request_does_not_cost_the_first_ones_answer() {
    let routes = "hedged: { tiers: [[\"sim/sim:tokens=5,head_after=400ms\"], [\"sim/sim:status=400\"]], \
                  hedge: { after: 50ms, share: 100% } }";
    let world = world(routes, "").await;
    let mut client = world.client().await;
    client.send(&chat("hedged", STREAM)).await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains(" w4"), "{}", answer.text());
    assert_eq!(world.sim.journal().received(), 2, "both were asked");
}
