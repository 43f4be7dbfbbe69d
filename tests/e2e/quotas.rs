//! Quotas as clients see them: who is admitted, what is left, and what is told to who is not.

use crate::support::{Answer, World, post};

/// A proxy with these keys, and `more` at the config's top level; a token of its model `dear` costs a cent.
async fn world(keys: &str, more: &str) -> World {
    World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: off\nlog: {{ access: off }}\n\
             allow_literal_secrets: true\nkeys:\n{keys}\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes:\n  free: sim/m\n  dear: {{ tiers: [[{{ target: sim/m, price: {{ input: 10000, output: 10000 }} }}]] }}\n\
             {more}\n"
        )
    })
    .await
}

/// Asks in the format of OpenAI; `extra` are further members, each with a comma behind it.
async fn chat(world: &World, model: &str, fields: &str, extra: &str) -> Answer {
    let body = format!(
        r#"{{{extra}"model":"{model}","max_tokens":20,"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    let mut client = world.client().await;
    client
        .send(&post("/v1/chat/completions", fields, &body))
        .await;
    client.answer().await
}

/// Asks in the format of Anthropic.
async fn message(world: &World, fields: &str) -> Answer {
    let body = r#"{"model":"free","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;
    let fields = format!("{fields}anthropic-version: 2023-06-01\r\n");
    let mut client = world.client().await;
    client.send(&post("/v1/messages", &fields, body)).await;
    client.answer().await
}

/// The names of the headers that tell what is left.
fn told(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| name.contains("ratelimit")).collect()
}

const APP: &str = "X-Api-Key: app-key\r\n";
const OTHER: &str = "X-Api-Key: other-key\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn answers_say_what_is_left_and_the_request_too_many_says_when_to_come_back() {
    let world = world(
        "- { name: app, secret: app-key, limits: { requests_per_minute: 2 } }\n\
         - { name: other, secret: other-key }",
        "",
    )
    .await;
    for (extra, left) in [("", "1"), ("\"stream\":true,", "0")] {
        let answer = chat(&world, "free", APP, extra).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("2"));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some(left));
        let reset = answer.header("x-ratelimit-reset-requests").unwrap();
        assert!(reset.ends_with('s'), "{reset}");
    }
    let answer = chat(&world, "free", APP, "").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(answer.header("x-should-retry"), None, "time lifts it");
    let answer = chat(&world, "free", OTHER, "").await;
    assert_eq!((answer.status, told(&answer).len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_has_its_own_headers() {
    let world = world(
        "- { name: app, secret: app-key, limits: { requests_per_minute: 1, tokens_per_minute: 90000 } }",
        "",
    )
    .await;
    let answer = message(&world, APP).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(header("anthropic-ratelimit-requests-limit"), "1");
    assert_eq!(header("anthropic-ratelimit-requests-remaining"), "0");
    assert!(header("anthropic-ratelimit-requests-reset").ends_with('Z'));
    assert_eq!(header("anthropic-ratelimit-tokens-limit"), "90000");
    let left: u64 = header("anthropic-ratelimit-tokens-remaining")
        .parse()
        .unwrap();
    // What the answer took may be back already.
    assert!((1..=90_000).contains(&left), "{left}");
    assert_eq!(told(&answer).len(), 6);
    let answer = message(&world, APP).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["error"]["type"], "rate_limit_error");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_pay_is_told_so_and_goes_on_where_it_is_free() {
    let world = world(
        "- { name: app, secret: app-key, budget: { usd: 0.01, per: day } }",
        "",
    )
    .await;
    let answer = chat(&world, "dear", APP, "").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "insufficient_quota");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert_eq!(world.sim.journal().received(), 0);
    assert_eq!(chat(&world, "free", APP, "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_users_and_sessions_have_counts_of_their_own() {
    let world = world(
        "- { name: app, secret: app-key, tags: { tier: free } }\n- { name: other, secret: other-key }",
        "quotas:\n\
         - { name: users, for: { tag: { tier: free } }, each: user, limits: { requests_per_minute: 1 } }\n\
         - { name: sessions, for: { key: other }, each: session, limits: { requests_per_minute: 1 } }",
    )
    .await;
    let user = |name: &str| format!("\"user\":\"{name}\",");
    let session = |name: &str| format!("{OTHER}x-segue-session: {name}\r\n");
    for (fields, extra, status) in [
        (APP.to_owned(), user("a"), 200),
        (APP.to_owned(), user("a"), 429),
        (APP.to_owned(), user("b"), 200),
        (APP.to_owned(), String::new(), 200),
        (APP.to_owned(), String::new(), 429),
        (session("s"), String::new(), 200),
        (session("s"), String::new(), 429),
        (session("t"), String::new(), 200),
        (session("t"), user("a"), 429),
    ] {
        let answer = chat(&world, "free", &fields, &extra).await;
        assert_eq!(answer.status, status, "{fields} {extra} {answer:?}");
    }
}
