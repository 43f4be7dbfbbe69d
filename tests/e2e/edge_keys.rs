//! Client keys: where they are shown, and what each may use.

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
