//! What a route promises across formats, end to end: who is asked, with what, and what is said of it.

use serde_json::{Value, json};

use crate::relay_stage::{STREAM, WHOLE};
use crate::support::{Answer, World, post};

/// A world with a provider of each format, all of them the simulator, and the route `r`.
async fn world(route: &str) -> World {
    World::with(|provider| {
        let at = |dialect: &str, below: &str| {
            format!(
                "  {dialect}: {{ dialect: {dialect}, base_url: \"http://{provider}{below}\", \
                 private_peers: true, credential: key-of-the-provider }}\n"
            )
        };
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             log: {{ access: off }}\nallow_literal_secrets: true\n\
             providers:\n{}{}{}routes:\n  r: {{ {route} }}\n",
            at("openai", "/v1"),
            at("anthropic", ""),
            at("gemini", "/v1beta"),
        )
    })
    .await
}

fn say(world: &World, model: &str, script: &str) {
    world.sim.script(model, script.parse().unwrap());
}

async fn post_to(world: &World, path: &str, body: &str) -> Answer {
    let mut client = world.client().await;
    client.send(&post(path, "", body)).await;
    client.answer().await
}

/// Asks the route by Chat Completions, with more fields.
async fn chat(world: &World, more: &str) -> Answer {
    let body = format!(
        "{{{more}\"model\":\"r\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    );
    post_to(world, "/v1/chat/completions", &body).await
}

/// The bodies that the simulator was sent, in order.
fn sent(world: &World) -> Vec<Value> {
    let entries = world.sim.journal().entries();
    let bodies = entries
        .iter()
        .map(|entry| serde_json::from_slice(entry.body()).unwrap());
    bodies.collect()
}

fn content(answer: &Answer) -> Value {
    answer.json()["choices"][0]["message"]["content"].clone()
}

#[tokio::test]
async fn a_whole_answer_that_is_streamed_to_us_falls_back_when_its_stream_stalls() {
    let world = world(
        "tiers: [[{ target: openai/a, upstream_stream: always }], [openai/b]], \
         timeouts: { stall: 300ms }",
    )
    .await;
    say(&world, "a", "tokens=9,stall@4");
    say(&world, "b", "tokens=3");
    let answer = chat(&world, WHOLE).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-segue-target"), Some("openai/b"));
    assert_eq!(answer.header("x-segue-fallback-reason"), Some("stall"));
    let sent = sent(&world);
    assert_eq!(
        (&sent[0]["stream"], &sent[1]["stream"]),
        (&json!(true), &Value::Null)
    );

    say(&world, "a", "tokens=9");
    let answer = chat(&world, WHOLE).await;
    assert_eq!(answer.header("x-segue-target"), Some("openai/a"));
    assert_eq!(content(&answer), " w0 w1 w2 w3 w4 w5 w6 w7 w8");
    assert_eq!(answer.json()["object"], "chat.completion");
    assert_eq!(answer.json()["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_target_that_cannot_stream_serves_a_stream() {
    for target in ["openai/a", "anthropic/a", "gemini/a"] {
        let world = world(&format!(
            "tiers: [[{{ target: {target}, upstream_stream: never }}]]"
        ))
        .await;
        say(&world, "a", "tokens=4");
        let answer = chat(&world, STREAM).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        assert_eq!(answer.content(), " w0 w1 w2 w3", "{target}");
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{target}");
        assert!(
            sent(&world)[0]
                .get("stream")
                .is_none_or(|stream| stream == false)
        );
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_the_target_with_more_room_and_to_no_other() {
    let route = |last: u32| {
        format!(
            "tiers: [[{{ target: openai/a, capabilities: {{ context: 1000 }} }}], \
             [{{ target: anthropic/b, capabilities: {{ context: 900 }} }}], \
             [{{ target: gemini/c, capabilities: {{ context: {last} }} }}]]"
        )
    };
    let too_long = "status=400,error_code=context_length_exceeded";
    let world_with_room = world(&route(5000)).await;
    say(&world_with_room, "a", too_long);
    say(&world_with_room, "c", "tokens=2");
    let answer = chat(&world_with_room, WHOLE).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-segue-target"), Some("gemini/c"));
    assert_eq!(
        answer.header("x-segue-left-out"),
        Some("anthropic/b=context")
    );
    assert_eq!(sent(&world_with_room).len(), 2);

    // The first target's word is the last one, whatever the roomier one says.
    say(&world_with_room, "c", "status=401");
    let answer = chat(&world_with_room, WHOLE).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "context_length_exceeded");

    let without = world(&route(800)).await;
    say(&without, "a", too_long);
    let answer = chat(&without, WHOLE).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-segue-attempts"), Some("1"));
}

#[tokio::test]
async fn json_that_breaks_its_schema_is_never_sent_where_the_route_enforces_it() {
    let schema = "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"c\",\
                  \"schema\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\
                  \"required\":[\"city\"],\"additionalProperties\":false}}},";
    for first in ["openai/a", "anthropic/a", "gemini/a"] {
        let world = world(&format!(
            "tiers: [[{first}], [openai/b]], contract: enforce, retries: {{ same_target: 0 }}"
        ))
        .await;
        say(&world, "a", "text=\"{\\\"city\\\":7}\"");
        say(&world, "b", "text=\"{\\\"city\\\":\\\"Oslo\\\"}\"");
        let answer = chat(&world, schema).await;
        assert_eq!(answer.status, 200, "{first}: {}", answer.text());
        assert_eq!(
            answer.header("x-segue-fallback-reason"),
            Some("not_json"),
            "{first}"
        );
        assert_eq!(content(&answer), "{\"city\":\"Oslo\"}", "{first}");

        say(&world, "b", "text=\"[]\"");
        let answer = chat(&world, schema).await;
        assert_eq!(answer.status, 502, "{first}: {}", answer.text());
    }
}

#[tokio::test]
async fn what_a_target_lacks_leaves_it_out_and_what_it_does_not_hear_of_is_named() {
    let world = world("tiers: [[anthropic/a], [openai/b]]").await;
    let answer = chat(&world, "\"n\":2,").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-segue-target"), Some("openai/b"));
    assert_eq!(
        answer.header("x-segue-left-out"),
        Some("anthropic/a=choices")
    );
    assert_eq!(answer.header("x-segue-attempts"), Some("1"));
    let answer = chat(&world, "\"seed\":7,\"mystery\":[1],").await;
    assert_eq!(answer.header("x-segue-target"), Some("anthropic/a"));
    assert_eq!(answer.header("x-segue-dropped"), Some("seed,mystery"));
    let last = sent(&world).pop().unwrap();
    assert!(last.get("seed").is_none() && last.get("mystery").is_none());
}

#[tokio::test]
async fn a_strict_route_leaves_out_whoever_would_drop_something() {
    let world = world("tiers: [[anthropic/a], [openai/b]], strict_params: true").await;
    let answer = chat(&world, "\"seed\":7,").await;
    assert_eq!(
        answer.header("x-segue-target"),
        Some("openai/b"),
        "{}",
        answer.text()
    );
    assert_eq!(
        answer.header("x-segue-left-out"),
        Some("anthropic/a=strict_params")
    );
}

#[tokio::test]
async fn when_nobody_can_serve_the_client_hears_who_lacks_what() {
    let world = world("tiers: [[anthropic/a], [gemini/b]]").await;
    let answer = chat(&world, "\"logit_bias\":{\"1\":5},").await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let message = answer.json()["error"]["message"].to_string();
    assert!(
        message.contains("anthropic/a") && message.contains("gemini/b"),
        "{message}"
    );
    assert!(sent(&world).is_empty());
}

#[tokio::test]
async fn a_bound_that_a_target_cannot_give_is_lowered_where_the_route_has_it_so() {
    let target = "{ target: openai/a, capabilities: { max_output: 100 } }";
    let fitting = world(&format!("tiers: [[{target}]], fit_output: true")).await;
    let answer = chat(&fitting, "\"max_tokens\":5000,").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(sent(&fitting)[0]["max_tokens"], 100);
    let strict = world(&format!("tiers: [[{target}]]")).await;
    let answer = chat(&strict, "\"max_tokens\":5000,").await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(sent(&strict).is_empty());
}

#[tokio::test]
async fn a_prompt_is_counted_by_a_provider_that_counts_or_else_by_us() {
    let body = r#"{"model":"r","messages":[{"role":"user","content":"How long is this?"}]}"#;
    let counted = world("tiers: [[openai/a], [anthropic/b]]").await;
    let answer = post_to(&counted, "/v1/messages/count_tokens", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-segue-target"), Some("anthropic/b"));
    assert!(answer.json()["input_tokens"].as_u64() > Some(0));

    let estimated = world("tiers: [[openai/a], [gemini/b]]").await;
    let answer = post_to(&estimated, "/v1/messages/count_tokens", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!((3..40).contains(&answer.json()["input_tokens"].as_u64().unwrap()));
    assert!(sent(&estimated).is_empty());
}

#[tokio::test]
async fn vectors_come_from_the_first_targets_model_alone() {
    let world = world("tiers: [[openai/a], [openai/b]], retries: { same_target: 0 }").await;
    let body = r#"{"model":"r","input":["one","two"],"dimensions":4}"#;
    let answer = post_to(&world, "/v1/embeddings", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        answer.header("x-segue-left-out"),
        Some("openai/b=other_vectors")
    );
    say(&world, "a", "status=500");
    let answer = post_to(&world, "/v1/embeddings", body).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(sent(&world).iter().all(|body| body["model"] == "a"));
}

#[tokio::test]
async fn an_older_completion_is_answered_by_whoever_can_chat() {
    let body = r#"{"model":"r","prompt":"Once","max_tokens":9}"#;
    for target in ["openai/a", "anthropic/a", "gemini/a"] {
        let world = world(&format!("tiers: [[{target}]]")).await;
        say(&world, "a", "tokens=3");
        let answer = post_to(&world, "/v1/completions", body).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        let answer = answer.json();
        assert_eq!(answer["object"], "text_completion", "{target}");
        assert_eq!(answer["choices"][0]["text"], " w0 w1 w2", "{target}");
    }
}

#[tokio::test]
async fn an_anthropic_client_hears_its_own_format_from_every_provider() {
    let body = r#"{"model":"r","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    for target in ["openai/a", "anthropic/a", "gemini/a"] {
        let world = world(&format!("tiers: [[openai/down], [{target}]]")).await;
        say(&world, "down", "cut@5");
        say(&world, "a", "tokens=30,cut@20");
        let answer = post_to(&world, "/v1/messages", body).await;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{target}: {text}");
        assert!(
            text.starts_with("event: message_start\n"),
            "{target}: {text}"
        );
        assert!(text.contains("event: error\n"), "{target}: {text}");
        assert!(!text.contains("message_stop"), "{target}: {text}");
        assert!(answer.header("request-id").is_some());
    }
}
