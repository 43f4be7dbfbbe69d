//! Who asks and for what decides which variant of a route serves.

use serde_json::json;

use crate::support::{Answer, World, post};

const ROUTES: &str = "routes:
  r:
    tiers: [[sim/plain]]
    variants:
      - { name: short, when: { task: { prefix: sum }, region: { in: [eu, us] } }, tiers: [[sim/short]] }
      - { name: vip, when: { user: ada }, tiers: [[sim/vip]] }
      - { name: quick, when: { task: quick }, hold: none }
";

async fn world() -> World {
    World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\nlog: {{ access: off }}\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n{ROUTES}"
        )
    })
    .await
}

async fn target(world: &World, headers: &str, more: serde_json::Value) -> String {
    let mut body = json!({ "model": "r", "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut client = world.client().await;
    client
        .send(&post("/v1/chat/completions", headers, &body.to_string()))
        .await;
    let answer: Answer = client.answer().await;
    assert_eq!(answer.status, 200, "{headers} {more}");
    answer.header("x-segue-target").unwrap().to_owned()
}

#[tokio::test]
async fn the_first_variant_whose_conditions_hold_serves() {
    let world = world().await;
    for (headers, more, expected) in [
        ("", json!({}), "sim/plain"),
        ("x-segue-task: summary\r\n", json!({}), "sim/plain"),
        (
            "x-segue-task: summary\r\nx-segue-region: eu\r\n",
            json!({}),
            "sim/short",
        ),
        (
            "x-segue-region: us\r\n",
            json!({ "metadata": { "task_type": "sum" } }),
            "sim/short",
        ),
        // The header comes before the body.
        (
            "x-segue-task: other\r\nx-segue-region: us\r\n",
            json!({ "metadata": { "task_type": "sum" } }),
            "sim/plain",
        ),
        ("", json!({ "user": "ada" }), "sim/vip"),
        ("", json!({ "user": "ada lovelace" }), "sim/plain"),
        // The targets of the route, under another policy.
        ("x-segue-task: quick\r\n", json!({}), "sim/plain"),
    ] {
        assert_eq!(
            target(&world, headers, more.clone()).await,
            expected,
            "{headers} {more}"
        );
    }
}
