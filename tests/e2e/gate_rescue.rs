//! An attempt that fails while it is held leaves no trace: another answers, as the verdict says.

use std::time::{Duration, Instant};

use segue::sim::{End, answer_text};

use crate::gate_stage::{
    GOOD, ask, ask_with, asked, assert_from, assert_refused, chain, counts, pair, say,
};
use crate::relay_stage::{MARK, STREAM, WHOLE, chat, frames};
use crate::support::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_k_held_tokens_falls_back_without_leaking_a_byte() {
    let world = chain(&pair("retries: { same_target: 0 }, breaker: off")).await;
    say(&world, "b", &[GOOD]);
    for cut in 0..12 {
        for how in [STREAM, WHOLE] {
            // A mark so short that each token counts as one.
            say(&world, "a", &[&format!("tokens=30,canary=zb,cut@{cut}")]);
            let answer = ask(&world, how).await;
            assert_from(&answer, "two/b", 20);
            assert!(!answer.text().contains("zb."), "{answer:?}");
            assert_eq!(answer.header("x-segue-attempts"), Some("2"));
            assert!(answer.header("x-segue-fallback-reason").is_some());
        }
    }
    say(&world, "a", &["tokens=30,cut@12"]);
    let answer = ask(&world, STREAM).await;
    assert_eq!(
        answer.content(),
        answer_text(12),
        "the gate opens with the twelfth token"
    );
    assert!(answer.events().last().unwrap().contains("\"error\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_to_its_end_can_fail_at_its_end() {
    let world = chain(&pair(
        "hold: all, breaker: off, retries: { same_target: 0 }",
    ))
    .await;
    say(&world, "b", &[GOOD]);
    for fault in [
        "cut@200",
        "no_finish",
        "malformed@done",
        "error@done",
        "garbage@200",
    ] {
        say(&world, "a", &[&format!("tokens=200,canary={MARK},{fault}")]);
        assert_from(&ask(&world, STREAM).await, "two/b", 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_moment_is_tried_again_at_the_same_target() {
    let world = chain(&pair("breaker: off")).await;
    say(&world, "b", &[GOOD]);
    for fault in [
        "status=500",
        "status=503",
        "cut",
        "reset@head",
        "cut@3",
        "error@0",
        "empty",
        "type=text/html",
    ] {
        say(&world, "a", &[fault, "tokens=7"]);
        world.sim.journal().clear();
        assert_from(&ask(&world, STREAM).await, "one/a", 7);
        assert_eq!(counts(&world), [2, 0, 0], "{fault}");
    }
    say(&world, "a", &["status=500"]);
    world.sim.journal().clear();
    assert_from(&ask(&world, STREAM).await, "two/b", 20);
    assert_eq!(counts(&world), [2, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_with_retry_after_within_patience_is_waited_for() {
    let world = chain(&pair("breaker: off, retries: { patience: 1s }")).await;
    say(&world, "b", &[GOOD]);
    say(
        &world,
        "a",
        &["status=429,header=retry-after-ms:400", "tokens=7"],
    );
    let begun = Instant::now();
    assert_from(&ask(&world, STREAM).await, "one/a", 7);
    assert!(begun.elapsed() >= Duration::from_millis(400));
    say(&world, "a", &["status=429,retry_after=2", "tokens=7"]);
    let answer = ask(&world, STREAM).await;
    assert_from(&answer, "two/b", 20);
    assert_eq!(
        answer.header("x-segue-fallback-reason"),
        Some("rate_limited")
    );
    assert_eq!(counts(&world), [3, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_target_is_not_asked_again() {
    let policy = "breaker: off, timeouts: { first_token: 200ms, stall: 200ms }";
    let world = chain(&format!(
        "{}\nlast: {{ tiers: [[one/a]], {policy} }}",
        pair(policy)
    ))
    .await;
    say(&world, "b", &[GOOD]);
    for (silence, reason) in [
        ("hang", "first_token_timeout"),
        ("stall@head", "first_token_timeout"),
        ("stall@0,ping=20ms", "first_token_timeout"),
        ("stall@3", "stall"),
    ] {
        say(
            &world,
            "a",
            &[&format!("{silence},canary={MARK}"), "tokens=7"],
        );
        world.sim.journal().clear();
        let answer = ask(&world, STREAM).await;
        assert_from(&answer, "two/b", 20);
        assert_eq!(answer.header("x-segue-fallback-reason"), Some(reason));
        assert_eq!(counts(&world), [1, 1, 0], "{silence}");
        // Unless there is nobody else to ask.
        if silence != "stall@3" {
            say(&world, "a", &[silence, "tokens=7"]);
            let mut client = world.client().await;
            client.send(&chat("last", STREAM)).await;
            assert_from(&client.answer().await, "one/a", 7);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_a_200_is_judged_as_if_it_were_a_status() {
    let world = chain(&pair("hold: all, breaker: off")).await;
    say(&world, "b", &[GOOD]);
    for (words, status) in [
        ("error_code=rate_limit_exceeded", 429),
        (
            "error_code=insufficient_quota,error_type=insufficient_quota",
            429,
        ),
        ("error_code=invalid_api_key", 401),
        ("error_code=model_not_found", 404),
        ("error_type=overloaded_error", 529),
        ("error_type=server_error", 500),
        ("error_code=context_length_exceeded", 400),
        ("error_code=content_policy_violation", 400),
    ] {
        let mut seen = Vec::new();
        for fault in [
            format!("status={status},{words}"),
            format!("error@5,{words}"),
            format!("error@5,no_done,{words}"),
        ] {
            say(&world, "a", &[&fault, "tokens=7"]);
            world.sim.journal().clear();
            let answer = ask(&world, STREAM).await;
            seen.push((
                answer.status,
                answer.header("x-segue-target").map(str::to_owned),
                counts(&world),
            ));
        }
        assert!(
            seen.windows(2).all(|pair| pair[0] == pair[1]),
            "{words}: {seen:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_the_request_is_never_retried_and_never_fallen_back_from() {
    let world = chain(&pair("")).await;
    say(&world, "b", &[GOOD]);
    for how in [STREAM, WHOLE] {
        for fault in [
            "status=400",
            "status=413",
            "status=422",
            "status=400,error_code=context_length_exceeded",
            "status=400,error_code=content_policy_violation",
            "status=403,error_code=content_policy_violation",
        ] {
            say(
                &world,
                "a",
                &[&format!("{fault},error_message=zebra-words")],
            );
            world.sim.journal().clear();
            let answer = ask(&world, how).await;
            assert!((400..500).contains(&answer.status), "{fault}: {answer:?}");
            assert_eq!(answer.json()["error"]["message"], "zebra-words", "{fault}");
            assert_eq!(counts(&world), [1, 0, 0], "{fault}");
        }
    }
    say(&world, "a", &["tokens=5,finish=content_filter"]);
    let answer = ask(&world, STREAM).await;
    assert_from(&answer, "one/a", 5);
    assert!(
        answer
            .text()
            .contains("\"finish_reason\":\"content_filter\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_our_account_is_fallen_back_from_and_never_retried() {
    for fault in [
        "status=401",
        "status=403",
        "status=404",
        "status=402",
        "status=429,error_code=insufficient_quota",
    ] {
        let world = chain(&pair("")).await;
        say(&world, "b", &[GOOD]);
        say(
            &world,
            "a",
            &[&format!("{fault},error_message={MARK}"), "tokens=7"],
        );
        assert_from(&ask(&world, STREAM).await, "two/b", 20);
        assert_eq!(counts(&world), [1, 1, 0], "{fault}");
        // It is left alone for a while.
        assert_from(&ask(&world, WHOLE).await, "two/b", 20);
        assert_eq!(counts(&world), [1, 2, 0], "{fault}");
        // Nor is it the client's 401 when nothing else is left.
        let world = chain("r: one/a").await;
        say(&world, "a", &[&format!("{fault},error_message={MARK}")]);
        let status = match fault {
            "status=401" | "status=402" | "status=403" | "status=404" => 502,
            _ => 429,
        };
        assert_refused(&ask(&world, STREAM).await, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_own_fault_at_our_door_reaches_no_provider() {
    let world = crate::gate_stage::chain_with(
        &format!("{}\nother: one/a", pair("")),
        "log: { access: off }\nallow_literal_secrets: true\nkeys: [{ name: app, secret: sk-app-secret, routes: [r] }]",
    )
    .await;
    let ask = |route: &'static str, key: &'static str| {
        let request = crate::support::post(
            "/v1/chat/completions",
            &format!("authorization: Bearer {key}\r\n"),
            &crate::relay_stage::body(route, STREAM),
        );
        let address = world.address;
        async move {
            let mut client = crate::support::Client::connect(address).await;
            client.send(&request).await;
            client.answer().await.status
        }
    };
    assert_eq!(ask("r", "sk-nobody").await, 401);
    assert_eq!(ask("other", "sk-app-secret").await, 404);
    assert_eq!(ask("nosuch", "sk-app-secret").await, 404);
    assert_eq!(world.sim.journal().received(), 0);
    assert_eq!(ask("r", "sk-app-secret").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fallback_off_leaves_the_first_target() {
    let world = chain(&pair("breaker: off")).await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["status=500"]);
    for how in [STREAM, WHOLE] {
        let answer = ask_with(&world, how, "x-segue-fallback: off\r\n").await;
        assert_refused(&answer, 502);
        assert_eq!(counts(&world)[1], 0);
    }
    assert_from(&ask(&world, STREAM).await, "two/b", 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_fails_closed_goes_to_no_other_model() {
    let world = chain("r: { tiers: [[one/a], [two/b], [two/a]], fail_closed: true, breaker: off, retries: { same_target: 0 } }").await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["status=500", "tokens=7"]);
    assert_from(&ask(&world, STREAM).await, "two/a", 7);
    say(&world, "a", &["status=500"]);
    assert_refused(&ask(&world, STREAM).await, 502);
    assert_eq!(counts(&world), [4, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_of_the_route_stands_in_for_the_built_in_one() {
    let verdicts = "not_found: surface, transient: fall_back, bad_request: fall_back";
    let world = chain(&pair(&format!("breaker: off, verdicts: {{ {verdicts} }}"))).await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["status=404,error_message=zebra-words"]);
    let answer = ask(&world, STREAM).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert_eq!(answer.json()["error"]["message"], "zebra-words");
    assert_eq!(counts(&world), [1, 0, 0]);
    for fault in ["status=500", "status=400"] {
        say(&world, "a", &[fault, "tokens=7"]);
        assert_from(&ask(&world, STREAM).await, "two/b", 20);
    }
    assert_eq!(counts(&world), [3, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_target_says_against_the_request_is_one_more_failed_attempt() {
    let world = chain(&pair("breaker: off, retries: { same_target: 0 }")).await;
    say(&world, "a", &["status=500"]);
    say(&world, "b", &[&format!("status=400,error_message={MARK}")]);
    assert_refused(&ask(&world, STREAM).await, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rate_limited_is_a_429_with_the_shortest_wait() {
    let world = chain(&pair("breaker: off")).await;
    say(&world, "a", &["status=429,retry_after=30"]);
    say(&world, "b", &["status=429,retry_after=7"]);
    for how in [STREAM, WHOLE] {
        let answer = ask(&world, how).await;
        assert_refused(&answer, 429);
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert!(
            answer.text().contains("one/a") && answer.text().contains("two/b"),
            "{answer:?}"
        );
    }
    say(&world, "b", &["status=500"]);
    assert_refused(&ask(&world, STREAM).await, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_the_whole_chain() {
    let world = chain(&pair(
        "breaker: off, deadline: 500ms, timeouts: { first_token: 300ms }",
    ))
    .await;
    for model in ["a", "b"] {
        say(&world, model, &["hang"]);
    }
    let begun = Instant::now();
    assert_refused(&ask(&world, STREAM).await, 504);
    assert!(begun.elapsed() >= Duration::from_millis(490));
    assert_eq!(counts(&world), [1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_exchange_makes_more_attempts_than_it_may() {
    let routes = "r: { tiers: [[one/a], [one/b], [one/c]], breaker: off, retries: { same_target: 3, max_attempts: 5 } }";
    let world = chain(routes).await;
    for model in ["a", "b", "c"] {
        say(&world, model, &["status=500"]);
    }
    let answer = ask(&world, STREAM).await;
    assert_refused(&answer, 502);
    assert_eq!(answer.header("x-segue-attempts"), Some("5"));
    assert_eq!(counts(&world), [4, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_target_holds_nothing() {
    let world = chain(&format!(
        "{}\nalone: {{ tiers: [[two/b]], hold: all }}",
        pair("hold: all, breaker: off, retries: { same_target: 0 }")
    ))
    .await;
    say(&world, "a", &["status=500"]);
    say(&world, "b", &["tokens=20,stall@1"]);
    for route in ["r", "alone"] {
        let mut client = world.client().await;
        client.send(&chat(route, STREAM)).await;
        client.until("\"content\":\" w0\"").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_chain_wherever_it_is() {
    let world = chain(&pair("breaker: off, retries: { patience: 20s }")).await;
    say(&world, "b", &[GOOD]);
    // Held, and between two tries.
    for (fault, seen) in [("tokens=30,stall@5", 1), ("status=429,retry_after=15", 1)] {
        say(&world, "a", &[fault]);
        world.sim.journal().clear();
        let mut client = world.client().await;
        client.send(&chat("r", STREAM)).await;
        let come = |entries: &[std::sync::Arc<segue::sim::Entry>]| {
            entries.len() == seen
                && entries
                    .iter()
                    .all(|entry| entry.tokens() == 5 || entry.end().is_some())
        };
        world.sim.journal().wait_for(come, PATIENCE).await.unwrap();
        drop(client);
        world
            .sim
            .journal()
            .wait_for_no_request(PATIENCE)
            .await
            .unwrap();
        crate::relay_stage::until_idle(world.edge.admin_address().unwrap()).await;
        let [first] = &asked(&world, "a")[..] else {
            panic!("{fault}")
        };
        if fault.contains("stall") {
            assert!(
                matches!(first.end(), Some(End::ClientClosed { .. })),
                "{first:?}"
            );
        }
        assert_eq!(counts(&world), [1, 0, 0], "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_broken_promises_are_fallen_back_from_where_the_route_says_so() {
    let policy = "hold: all, breaker: off, retries: { same_target: 0 }, refusals: fall_back, refusal_texts: [\"I cannot\"], checks: [json, tools]";
    let world = chain(&format!(
        "{}\nplain: {{ tiers: [[one/a], [two/b]], hold: all }}",
        pair(policy)
    ))
    .await;
    say(&world, "b", &[GOOD]);
    let chunk = |text: &str| {
        format!(
            "data: {{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        )
    };
    let end = "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let mut refusal: segue::sim::Script = "type=text/event-stream".parse().unwrap();
    refusal.body = Some(format!("{}{}{end}", chunk("i CANNOT"), chunk(" do that")).into_bytes());
    let cases = [
        (
            "tokens=30,finish=content_filter".parse().unwrap(),
            STREAM.to_owned(),
            "refused",
        ),
        (refusal, STREAM.to_owned(), "refused"),
        (
            "tokens=30".parse().unwrap(),
            format!("{STREAM}\"response_format\":{{\"type\":\"json_object\"}},"),
            "not_json",
        ),
        (
            "tools=1:nosuch,tokens=9".parse().unwrap(),
            format!(
                "{STREAM}\"tools\":[{{\"type\":\"function\",\"function\":{{\"name\":\"weather\"}}}}],"
            ),
            "unknown_tool",
        ),
    ];
    for (script, how, reason) in cases {
        let shown = script.to_string();
        world.sim.script("a", script);
        let answer = ask(&world, &how).await;
        assert_eq!(
            answer.header("x-segue-fallback-reason"),
            Some(reason),
            "{shown}: {answer:?}"
        );
        assert_eq!(answer.header("x-segue-target"), Some("two/b"));
        let mut client = world.client().await;
        client.send(&chat("plain", &how)).await;
        assert_eq!(
            client.answer().await.header("x-segue-target"),
            Some("one/a"),
            "{shown}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawling_target_is_left_while_it_is_held() {
    let world = chain(&pair("hold: all, breaker: off, timeouts: { min_rate: 5 }")).await;
    say(&world, "b", &[GOOD]);
    say(&world, "a", &["tokens=100,delay=300ms"]);
    let answer = ask(&world, STREAM).await;
    assert_from(&answer, "two/b", 20);
    assert_eq!(answer.header("x-segue-fallback-reason"), Some("crawl"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_takes_too_long_is_left_while_it_is_held() {
    let world = chain(&pair(
        "hold: all, breaker: off, timeouts: { total: 300ms }, deadline: 5s",
    ))
    .await;
    say(&world, "b", &[GOOD]);
    say(
        &world,
        "a",
        &[&format!("tokens=1000,delay=5ms,canary={MARK}")],
    );
    let answer = ask(&world, STREAM).await;
    assert_from(&answer, "two/b", 20);
    assert_eq!(
        answer.header("x-segue-fallback-reason"),
        Some("attempt_timeout")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_frame_after_the_commit_is_left_out_where_the_route_says_so() {
    let world = chain(&pair("hold: none, breaker: off, malformed: skip")).await;
    say(&world, "a", &["tokens=10,malformed@4"]);
    let answer = ask(&world, STREAM).await;
    assert_from(&answer, "one/a", 10);
    assert!(
        !frames(answer.text())
            .iter()
            .any(|frame| frame.contains("malformed"))
    );
}
