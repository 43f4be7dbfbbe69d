//! Client keys: where they are shown, and what each may use.

use tempfile::TempDir;

use crate::support::{Answer, World, post};

/// A proxy with three routes and keys of different scopes.
async fn world() -> World {
    World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: off\nlog: {{ access: off }}\n\
             allow_literal_secrets: true\n\
             keys:\n\
             - {{ name: all, secret: key-for-all-routes }}\n\
             - {{ name: some, secrets: [key-for-some-old, key-for-some-new], routes: [a, b] }}\n\
             - {{ name: one, digest: \"sha256:{DIGEST}\", routes: [c] }}\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes: {{ a: sim/m, b: sim/m, c: sim/m }}\n"
        )
    })
    .await
}

/// Of `key-for-one-route`.
const DIGEST: &str = "5ae7cafc07915214ba60e31ad2251decd4c3d6be5e873ef60e49e2bee1c6078b";

async fn chat(world: &World, model: &str, fields: &str) -> Answer {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    let mut client = world.client().await;
    client
        .send(&post("/v1/chat/completions", fields, &body))
        .await;
    client.answer().await
}

async fn get(world: &World, path: &str, fields: &str) -> Answer {
    let mut client = world.client().await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    client.send(request.as_bytes()).await;
    client.answer().await
}

fn names(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let models = json["data"].as_array().unwrap().iter();
    models
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_from_either_place_and_every_secret_of_it_counts() {
    let world = world().await;
    for fields in [
        "Authorization: Bearer key-for-all-routes\r\n",
        "authorization: bearer key-for-all-routes\r\n",
        "AUTHORIZATION: BEARER key-for-all-routes\r\n",
        "X-Api-Key: key-for-all-routes\r\n",
        "x-api-key:key-for-all-routes\r\n",
        "Authorization: Bearer key-for-all-routes\r\nX-Api-Key: key-for-all-routes\r\n",
        "Authorization: Bearer key-for-some-old\r\n",
        "Authorization: Bearer key-for-some-new\r\n",
    ] {
        assert_eq!(chat(&world, "a", fields).await.status, 200, "{fields}");
    }
    let answer = chat(&world, "c", "Authorization: Bearer key-for-one-route\r\n").await;
    assert_eq!(answer.status, 200, "known by its digest");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_route_and_a_forbidden_one_look_the_same() {
    let world = world().await;
    let fields = "Authorization: Bearer key-for-some-old\r\nX-Request-Id: same\r\n";
    let forbidden = chat(&world, "c", fields).await;
    let unknown = chat(&world, "x", fields).await;
    assert_eq!(forbidden.status, 404);
    assert_eq!(forbidden.json()["error"]["code"], "model_not_found");
    assert_eq!(stable(&forbidden), stable(&unknown));
    let forbidden = get(&world, "/v1/models/c", fields).await;
    let unknown = get(&world, "/v1/models/x", fields).await;
    assert_eq!(forbidden.status, 404);
    assert_eq!(stable(&forbidden), stable(&unknown));
    assert_eq!(world.sim.journal().received(), 0);
}

/// All that a client can see of an answer, but the time of day.
fn stable(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = answer.headers.iter().filter(|(name, _)| name != "date");
    (
        answer.status,
        headers.cloned().collect(),
        answer.body.clone(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_models_shows_what_the_key_may_use() {
    let world = world().await;
    for (key, expected) in [
        ("key-for-all-routes", &["a", "b", "c"][..]),
        ("key-for-some-new", &["a", "b"]),
        ("key-for-one-route", &["c"]),
    ] {
        let fields = format!("X-Api-Key: {key}\r\n");
        let list = get(&world, "/v1/models", &fields).await;
        assert_eq!(names(&list), expected, "{key}");
        for model in ["a", "b", "c"] {
            let answer = get(&world, &format!("/v1/models/{model}"), &fields).await;
            let allowed = expected.contains(&model);
            assert_eq!(answer.status == 200, allowed, "{key} {model}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_none_are_told_the_same() {
    let world = world().await;
    let id = "X-Request-Id: same\r\n";
    let none = chat(&world, "a", id).await;
    assert_eq!(none.status, 401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    for fields in [
        "Authorization: Bearer nobody\r\n",
        "Authorization: Bearer key-for-all-route\r\n",
        "Authorization: Basic dTpw\r\n",
        "X-Api-Key: nobody\r\n",
        "Authorization: Bearer key-for-all-routes\r\nX-Api-Key: key-for-some-old\r\n",
    ] {
        let answer = chat(&world, "a", &format!("{fields}{id}")).await;
        assert_eq!(stable(&answer), stable(&none), "{fields}");
        let answer = chat(&world, "nothing", &format!("{fields}{id}")).await;
        assert_eq!(
            stable(&answer),
            stable(&none),
            "no word of routes: {fields}"
        );
    }
    assert_eq!(world.sim.journal().received(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_a_loopback_listener_serves_everybody() {
    let world = World::new("").await;
    for fields in [
        "",
        "Authorization: Bearer whatever\r\n",
        "X-Api-Key: whatever\r\n",
    ] {
        assert_eq!(chat(&world, "model", fields).await.status, 200, "{fields}");
        assert_eq!(names(&get(&world, "/v1/models", fields).await), ["model"]);
    }
    for entry in world.sim.journal().entries() {
        assert!(entry.header("authorization").is_none());
        assert!(entry.header("x-api-key").is_none());
    }
}

/// A proxy with keys that do not hold, for three reasons, and one that does; its log is a file.
async fn with_terms() -> (World, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let world = World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: off\nlog: {{ access: {} }}\n\
             allow_literal_secrets: true\n\
             keys:\n\
             - {{ name: good, secrets: [{{ secret: old, not_after: 2020-01-01 }}, new], networks: [127.0.0.0/8] }}\n\
             - {{ name: expired, secret: expired, expires: 2020-01-01T00:00:00Z }}\n\
             - {{ name: off, secret: switched-off, disabled: true }}\n\
             - {{ name: elsewhere, secret: elsewhere, networks: [192.0.2.0/24] }}\n\
             - {{ name: poor, secret: poor, budgets: [{{ usd: 0, per: day }}, {{ usd: 0, per: month }}] }}\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes: {{ a: sim/m }}\n",
            log.display()
        )
    })
    .await;
    (world, folder)
}

/// Asks with a head alone, which announces a body that never comes.
async fn head_alone(world: &World, fields: &str) -> Answer {
    let mut client = world.client().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Content-Length: 1000000\r\n{fields}\r\n"
    );
    client.send(head.as_bytes()).await;
    client.answer().await
}

/// The reason in each line of the log, once all is written.
async fn reasons(world: &World, folder: &TempDir) -> Vec<String> {
    world.edge.drain().await;
    let text = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    let line = |line: &str| -> String {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["outcome"], "refused", "{line}");
        line["reason"].as_str().unwrap().to_owned()
    };
    let mut reasons: Vec<String> = text.lines().map(line).collect();
    // A line is written once its answer is out: those of two connections may change places.
    reasons.sort();
    reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_hold_is_told_the_same_as_an_unknown_one_and_only_the_log_says_why() {
    let (world, folder) = with_terms().await;
    let id = "X-Request-Id: same\r\n";
    let unknown = head_alone(&world, &format!("X-Api-Key: nobody\r\n{id}")).await;
    assert_eq!(unknown.status, 401);
    for key in ["expired", "switched-off", "elsewhere", "old"] {
        let answer = head_alone(&world, &format!("X-Api-Key: {key}\r\n{id}")).await;
        assert_eq!(stable(&answer), stable(&unknown), "{key}");
    }
    assert_eq!(world.sim.journal().received(), 0);
    assert_eq!(
        reasons(&world, &folder).await,
        [
            "key_disabled",
            "key_expired",
            "key_expired",
            "key_network",
            "unauthorized"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_nothing_to_spend_is_told_before_its_body_is_read() {
    let (world, folder) = with_terms().await;
    let answer = head_alone(&world, "X-Api-Key: poor\r\n").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["error"]["code"], "insufficient_quota");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(reasons(&world, &folder).await, ["over_budget"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_an_address_are_slowed_and_a_good_key_from_there_still_passes() {
    let (world, folder) = with_terms().await;
    for count in 0..20 {
        let answer = get(&world, "/v1/models", "X-Api-Key: guess\r\n").await;
        assert_eq!(answer.status, 401, "{count}");
    }
    for key in ["guess", "expired", "elsewhere"] {
        let fields = format!("X-Api-Key: {key}\r\n");
        let answer = get(&world, "/v1/models", &fields).await;
        assert_eq!(answer.status, 429, "{key}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(answer.header("www-authenticate"), None);
    }
    let answer = chat(&world, "a", "X-Api-Key: new\r\n").await;
    assert_eq!(answer.status, 200);
    world.edge.drain().await;
    let text = std::fs::read_to_string(folder.path().join("access.log")).unwrap();
    assert_eq!(text.matches("\"auth_failures\"").count(), 3, "{text}");
}
