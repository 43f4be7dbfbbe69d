//! `x-segue-drill`: a caller with the right key gets the trouble that it asks for, and nobody else.

use crate::support::{Answer, World, post};

const STAGING: &str = "authorization: bearer key-for-staging\r\n";
const LIVE: &str = "authorization: bearer key-for-live-use\r\n";

/// A proxy before one simulator of two models, with these drills.
async fn world(drills: &str) -> World {
    World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: off\nlog: {{ access: off }}\n\
             allow_literal_secrets: true\n\
             keys:\n\
             - {{ name: staging, secret: key-for-staging }}\n\
             - {{ name: live, secret: key-for-live-use }}\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes:\n  model:\n    tiers: [[sim/m], [sim/n]]\n    retries: {{ same_target: 0 }}\n\
             \x20   timeouts: {{ first_token: 300ms, stall: 300ms }}\n{drills}\n"
        )
    })
    .await
}

/// What `stream` says in a request.
const STREAM: &str = "true";
const WHOLE: &str = "false";

async fn ask(world: &World, fields: &str, stream: &str) -> Answer {
    let body = format!(
        r#"{{"model":"model","stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    let mut client = world.client().await;
    client
        .send(&post("/v1/chat/completions", fields, &body))
        .await;
    client.answer().await
}

const ON: &str = "drills: { allow_header: true, keys: [staging] }";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_happens_to_that_attempt_and_the_rest_is_real() {
    let world = world(ON).await;
    for model in ["m", "n"] {
        world
            .sim
            .script(model, "tokens=40,delay=1ms".parse().unwrap());
    }
    for (drill, reason, asked) in [
        ("refuse", "connect", 0),
        ("hang", "first_token_timeout", 0),
        ("status=503", "overloaded", 0),
        ("cut@3", "closed", 1),
        ("stall@5", "stall", 1),
    ] {
        let before = world.sim.tally("m").total;
        let fields = format!("{STAGING}x-segue-drill: {drill}\r\n");
        let answer = ask(&world, &fields, STREAM).await;
        assert_eq!(answer.status, 200, "{drill}: {}", answer.text());
        assert_eq!(answer.header("x-segue-target"), Some("sim/n"), "{drill}");
        assert_eq!(
            answer.header("x-segue-fallback-reason"),
            Some(reason),
            "{drill}"
        );
        assert!(answer.text().contains("[DONE]"), "{drill}");
        assert_eq!(world.sim.tally("m").total - before, asked, "{drill}");
        // Another exchange, so that no breaker opens over those that are asked for.
        assert_eq!(
            ask(&world, STAGING, STREAM).await.header("x-segue-target"),
            Some("sim/m")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_behind_the_hold_breaks_the_stream_and_all_attempts_can_have_it() {
    let world = world(ON).await;
    world
        .sim
        .script("m", "tokens=80,delay=1ms".parse().unwrap());
    let fields = format!("{STAGING}x-segue-drill: cut@40\r\n");
    let broken = ask(&world, &fields, STREAM).await;
    assert_eq!(broken.status, 200);
    assert!(broken.text().contains("\"error\""), "{}", broken.text());
    assert!(!broken.text().contains("[DONE]"), "{}", broken.text());
    let fields = format!("{STAGING}x-segue-drill: *:status=503\r\n");
    let nobody = ask(&world, &fields, WHOLE).await;
    assert_eq!(nobody.status, 502, "{}", nobody.text());
    assert_eq!(nobody.header("x-segue-attempts"), Some("2"));
    let fields = format!("{STAGING}x-segue-drill: cut@0\r\n");
    let whole = ask(&world, &fields, WHOLE).await;
    assert_eq!(
        whole.header("x-segue-target"),
        Some("sim/n"),
        "{}",
        whole.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_any() {
    let on = world(ON).await;
    let drill = "x-segue-drill: *:refuse\r\n";
    let refused = ask(&on, &format!("{LIVE}{drill}"), WHOLE).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(
        refused.text().contains("not for this key"),
        "{}",
        refused.text()
    );
    let unreadable = ask(&on, &format!("{STAGING}x-segue-drill: explode\r\n"), WHOLE).await;
    assert_eq!(unreadable.status, 400);
    assert!(
        unreadable.text().contains("stall@TOKENS"),
        "{}",
        unreadable.text()
    );
    assert_eq!(ask(&on, LIVE, WHOLE).await.status, 200);
    assert_eq!(on.sim.tally("m").total, 1, "what is refused reaches nobody");
    // Where nobody may, it is a header like any other, and goes no further.
    for off in ["", "drills: { allow_header: false, keys: [staging] }"] {
        let off = world(off).await;
        let fields = format!("{STAGING}{drill}");
        assert_eq!(ask(&off, &fields, WHOLE).await.status, 200);
        let entries = off.sim.journal().entries();
        assert!(
            entries
                .iter()
                .all(|entry| entry.header("x-segue-drill").is_none())
        );
    }
}
