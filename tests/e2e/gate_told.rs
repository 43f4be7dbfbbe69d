//! What is told of a fallback: to the client, in the access log, in the metrics, on the status page.

use serde_json::Value;

use crate::edge_stage::page;
use crate::gate_stage::{GOOD, ask, assert_from, chain_with, pair, say};
use crate::relay_stage::{STREAM, until_idle};
use crate::support::World;

async fn lines(world: &World, path: &std::path::Path) -> Vec<Value> {
    world.edge.drain().await;
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_is_told_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let policy = pair("breaker: { failures: 2, open: 1m }");
    let world = chain_with(&policy, &format!("log: {{ access: {} }}", path.display())).await;
    say(
        &world,
        "a",
        &[
            "tokens=30,cut@5,chunks=event",
            "status=503,error_code=server_is_overloaded",
        ],
    );
    say(&world, "b", &[GOOD]);

    let answer = ask(&world, STREAM).await;
    assert_from(&answer, "two/b", 20);
    assert_eq!(answer.header("x-segue-route"), Some("r"));
    assert_eq!(answer.header("x-segue-attempts"), Some("3"));
    let reason = answer.header("x-segue-fallback-reason").unwrap().to_owned();
    assert!(
        answer
            .header("x-segue-held-ms")
            .is_some_and(|held| held.parse::<f64>().is_ok()),
        "{answer:?}"
    );

    metrics_tell(&world, &reason).await;
    let lines = lines(&world, &path).await;
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    log_tells(line, &reason);
}

fn log_tells(line: &Value, reason: &str) {
    assert_eq!(line["outcome"], "served");
    assert_eq!(line["target"], "two/b");
    assert_eq!(line["fallback_reason"], reason);
    assert_eq!(line["commit"], "unheld");
    assert!(line["held_ms"].is_number(), "{line}");
    let attempts = line["attempts"].as_array().unwrap();
    let column = |name: &str| {
        attempts
            .iter()
            .map(|attempt| attempt[name].as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        column("kind"),
        [Some("first"), Some("retry"), Some("fallback")]
    );
    assert_eq!(
        column("target"),
        [Some("one/a"), Some("one/a"), Some("two/b")]
    );
    assert_eq!(
        column("class"),
        [Some("transient"), Some("overloaded"), None]
    );
    assert_eq!(column("verdict"), [Some("retry"), Some("retry"), None]);
    assert_eq!(
        column("provider_code"),
        [None, Some("server_is_overloaded"), None]
    );
    assert_eq!(attempts[0]["discarded_tokens"], 5);
    assert_eq!(attempts[1]["status"], 503);
}

async fn metrics_tell(world: &World, reason: &str) {
    let admin = world.edge.admin_address().unwrap();
    // What is counted at an exchange's end is there when it has ended.
    until_idle(admin).await;
    let metrics = page(admin, "/metrics").await.text().to_owned();
    for line in [
        format!(
            "segue_fallbacks_total{{from=\"one/a\",reason=\"{reason}\",route=\"r\",to=\"two/b\"}} 1"
        ),
        "segue_commits_total{reason=\"unheld\"} 1".to_owned(),
        "segue_breaker_state{target=\"one/a\"}".to_owned(),
        "segue_held_seconds_count".to_owned(),
        "segue_discarded_tokens_total".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line}:\n{metrics}");
    }
    let status = page(admin, "/status").await.json();
    let target = &status["routes"][0]["targets"][0];
    assert_eq!(
        (&target["target"], &target["breaker"]),
        (&"one/a".into(), &"open".into())
    );
    assert!(
        target["shut_for_ms"]
            .as_u64()
            .is_some_and(|left| left > 1000),
        "{target}"
    );
    assert!(target["last_failure"]["reason"].is_string(), "{target}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_without_a_fallback_says_nothing_of_one() {
    let world = chain_with(&pair(""), "log: { access: off }").await;
    say(&world, "a", &[GOOD]);
    let answer = ask(&world, STREAM).await;
    assert_from(&answer, "one/a", 20);
    assert_eq!(answer.header("x-segue-attempts"), Some("1"));
    assert_eq!(answer.header("x-segue-fallback-reason"), None);
}
