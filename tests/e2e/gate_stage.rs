//! What the gate's promises share: a chain of models `a`, `b`, `c` of one simulator.

use std::sync::Arc;
use std::time::Duration;

use segue::sim::{Entry, answer_text};
use serde_json::Value;

use crate::relay_stage::{MARK, chat, status};
use crate::support::{Answer, Client, PATIENCE, World, post};

/// What a good answer says.
pub const GOOD: &str = "tokens=20";

/// A world with these routes, one a line; `more` is added to the config's top level.
pub async fn chain_with(routes: &str, more: &str) -> World {
    let routes = routes.replace('\n', "\n  ");
    World::with(|provider| {
        let provider = format!(
            "{{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}"
        );
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             providers:\n  one: {provider}\n  two: {provider}\nroutes:\n  {routes}\n{more}\n"
        )
    })
    .await
}

/// The same without an access log.
pub async fn chain(routes: &str) -> World {
    chain_with(routes, "log: { access: off }").await
}

/// A route `r` from `one/a` to `two/b` with this policy.
pub fn pair(policy: &str) -> String {
    format!("r: {{ tiers: [[one/a], [two/b]], {policy} }}")
}

/// Says what the models do, one script after the other.
pub fn say(world: &World, model: &str, scripts: &[&str]) {
    let scripts = scripts.iter().map(|script| script.parse().unwrap());
    world.sim.scripts(model, scripts.collect());
}

/// Asks the route `r` over a fresh connection.
pub async fn ask(world: &World, how: &str) -> Answer {
    let mut client = world.client().await;
    client.send(&chat("r", how)).await;
    client.answer().await
}

/// The same with further header lines.
pub async fn ask_with(world: &World, how: &str, headers: &str) -> Answer {
    let mut client: Client = world.client().await;
    let body = crate::relay_stage::body("r", how);
    client
        .send(&post("/v1/chat/completions", headers, &body))
        .await;
    client.answer().await
}

/// What a model was asked, in order.
pub fn asked(world: &World, model: &str) -> Vec<Arc<Entry>> {
    let named = format!("\"model\":\"{model}\"");
    let entries = world.sim.journal().entries().into_iter();
    let of = |entry: &Arc<Entry>| String::from_utf8_lossy(entry.body()).contains(&named);
    entries.filter(of).collect()
}

/// How often each of `a`, `b` and `c` was asked.
pub fn counts(world: &World) -> [usize; 3] {
    ["a", "b", "c"].map(|model| asked(world, model).len())
}

/// Asserts a whole answer of so many tokens from a target, and nothing of any other.
#[track_caller]
pub fn assert_from(answer: &Answer, target: &str, tokens: u64) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-segue-target"), Some(target), "{answer:?}");
    assert!(
        answer.complete && !answer.text().contains(MARK),
        "{answer:?}"
    );
    let whole = answer.header("content-type") == Some("application/json");
    let content = if whole {
        answer.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    } else {
        assert_eq!(answer.events().last().unwrap(), "[DONE]");
        answer.content()
    };
    assert_eq!(content, answer_text(tokens));
}

/// Asserts a well-formed error of ours, which no SDK tries again but for a limit.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.json()["error"]["message"].is_string(), "{answer:?}");
    let again = (status != 429).then_some("false");
    assert_eq!(answer.header("x-should-retry"), again, "{answer:?}");
    assert!(!answer.text().contains(MARK), "{answer:?}");
}

/// What the status page says of a target of the route `r`.
pub async fn standing(world: &World, target: &str) -> Value {
    let status = status(world.edge.admin_address().unwrap()).await;
    let routes = status["routes"].as_array().unwrap().iter();
    let targets = routes.flat_map(|route| route["targets"].as_array().unwrap());
    let found = targets.into_iter().find(|found| found["target"] == target);
    found
        .unwrap_or_else(|| panic!("no {target}: {status}"))
        .clone()
}

/// Waits until a target's breaker is in that state. A breaker rings no bell: it is looked at.
pub async fn until_breaker(world: &World, target: &str, state: &str) {
    let reached = async {
        while standing(world, target).await["breaker"] != state {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect(state);
}
