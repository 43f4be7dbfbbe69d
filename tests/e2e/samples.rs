//! Samples: the exchanges that matter, told in full, and nothing that must not be told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::edge_stage::Process;
use crate::support::{Answer, World, post};

const CLIENT_KEY: &str = "canary-client-key-01";
const PROVIDER_KEY: &str = "canary-provider-key-02";
const PROMPT: &str = "canary-prompt-03";
const ANSWER: &str = "canary-answer-04";
const HEADER: &str = "canary-header-05";
const WORDS: &str = "canary-words-06";
const STRAY: &str = "sk-canary-stray-07";
const MEDIA: &str = "canary/type-08";

/// A proxy that samples by these rules, before two models.
async fn sampled(rules: &str) -> (World, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.jsonl");
    let world = World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             log: {{ access: off }}\nallow_literal_secrets: true\n\
             keys: [{{ name: app, secret: {CLIENT_KEY} }}]\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true, credential: {PROVIDER_KEY} }}\n\
             routes: {{ r: {{ tiers: [[sim/a], [sim/b]], retries: {{ same_target: 0 }} }} }}\n\
             samples: {{ path: {}, {rules} }}\n",
            path.display()
        )
    })
    .await;
    (world, folder)
}

/// Plays a script for each of the models, and asks.
async fn ask(world: &World, id: &str, scripts: [&str; 2], extra: &str) -> Answer {
    for (model, script) in ["a", "b"].into_iter().zip(scripts) {
        world.sim.script(model, script.parse().unwrap());
    }
    let body = format!(
        "{{{extra}\"model\":\"r\",\"messages\":[{{\"role\":\"user\",\"content\":\"{PROMPT} {STRAY} {CLIENT_KEY}\"}}]}}"
    );
    let fields = format!(
        "Authorization: Bearer {CLIENT_KEY}\r\nX-Request-Id: {id}\r\nX-Custom: {HEADER}\r\n\
         OpenAI-Beta: {HEADER}\r\nUser-Agent: {HEADER}\r\n"
    );
    let mut client = world.client().await;
    client
        .send(&post("/v1/chat/completions", &fields, &body))
        .await;
    client.answer().await
}

/// Exchanges that go in every way, one after the other; what is sampled of them, in that order.
async fn told(rules: &str) -> (String, Vec<Value>) {
    let (world, folder) = sampled(rules).await;
    let answer = format!("tokens=9,canary={ANSWER}");
    let failing = format!("status=500,error_message=\"{WORDS} {PROVIDER_KEY}\"");
    let page = format!("status=502,type={MEDIA},body=\"<b>{WORDS}</b>\"");
    let cut = format!("{answer},cut@2");
    let stream = "\"stream\":true,";
    let exchanges = [
        ("plain", [&*answer, &answer], "", 200),
        ("rescued", [&*failing, &answer], "", 200),
        ("streamed", [&*cut, &answer], stream, 200),
        ("failed", [&*failing, &page], "", 502),
    ];
    for (id, scripts, extra, status) in exchanges {
        let told = ask(&world, id, scripts, extra).await;
        assert_eq!(told.status, status, "{id}: {}", told.text());
    }
    world.edge.drain().await;
    let path = folder.path().join("samples.jsonl");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (text, mut lines) = read(&path);
    // A client has its answer before the exchange is booked: the next one may be booked first.
    let asked = |line: &Value| {
        exchanges
            .iter()
            .position(|(id, ..)| line["request_id"] == *id)
    };
    lines.sort_by_key(asked);
    (text, lines)
}

fn read(path: &Path) -> (String, Vec<Value>) {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines = lines.collect();
    (text, lines)
}

fn ids(lines: &[Value]) -> Vec<&str> {
    let ids = lines
        .iter()
        .map(|line| line["request_id"].as_str().unwrap());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_bodies_no_prompt_no_answer_no_key_and_no_header_value_is_sampled() {
    let (text, lines) = told("share: 0%").await;
    assert_eq!(ids(&lines), ["rescued", "streamed", "failed"]);
    assert!(!text.contains("canary"), "{text}");
    let rescued = &lines[0];
    assert_eq!(rescued["sampled"], "fell_back");
    assert_eq!(rescued["key"], "app");
    assert_eq!(rescued["request"]["path"], "/v1/chat/completions");
    assert_eq!(
        rescued["request"]["headers"],
        serde_json::json!(["openai-beta"])
    );
    assert!(rescued["request"]["length"].as_u64().unwrap() > 50);
    let [first, second] = rescued["attempts"].as_array().unwrap().as_slice() else {
        panic!("two attempts: {rescued}");
    };
    assert_eq!(
        (&first["target"], &first["status"]),
        (&"sim/a".into(), &500.into())
    );
    assert_eq!(second["kind"], "fallback");
    assert_eq!(second["response"]["type"], "application/json");
    assert!(first["begun_ms"].as_f64() <= second["begun_ms"].as_f64());
    assert!(second["response"]["length"].as_u64().unwrap() > 50);
    assert_eq!(
        lines[1]["attempts"][1]["response"]["type"],
        "text/event-stream"
    );
    assert_eq!(lines[2]["attempts"][1]["response"]["type"], "other");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_bodies_all_that_came_is_sampled_but_keys_and_patterns() {
    let (text, lines) =
        told("share: 100%, always: [failed], bodies: true, redact: ['c[a-z]*-words']").await;
    assert_eq!(ids(&lines), ["plain", "rescued", "streamed", "failed"]);
    for hidden in [CLIENT_KEY, PROVIDER_KEY, STRAY, WORDS, HEADER, MEDIA] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    for (line, count) in lines.iter().zip([1, 2, 2, 2]) {
        let asked = line["request"]["body"].as_str().unwrap();
        assert!(asked.contains(&format!("{PROMPT} *** ***")), "{asked}");
        assert_eq!(line["attempts"].as_array().unwrap().len(), count);
    }
    let body = |line: usize, attempt: usize| {
        let response = &lines[line]["attempts"][attempt]["response"];
        response["body"].as_str().unwrap().to_owned()
    };
    assert!(body(0, 0).contains(ANSWER));
    assert!(body(1, 0).contains("***-06 ***"), "{}", body(1, 0));
    assert!(body(1, 1).contains(ANSWER));
    // What was thrown away, and the stream behind its commit as well.
    assert!(body(2, 0).contains("data: "));
    assert!(body(2, 1).ends_with("data: [DONE]\n\n"), "{}", body(2, 1));
    assert!(body(3, 1).contains("<b>***-06</b>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_change_at_a_reload_and_the_command_prints_what_was_sampled() {
    let world = World::new("").await;
    world.script("tokens=3");
    let config =
        |rules: &str| Process::config(world.sim.address(), &format!("samples: {{ {rules} }}"));
    let quiet = "path: ./samples.jsonl, share: 0%, always: []";
    let process = Process::start(&config(quiet)).await;
    let ask = async |id: &str| {
        let fields = format!("X-Request-Id: {id}\r\n");
        let body = "{\"model\":\"model\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
        let mut client = process.client().await;
        client
            .send(&post("/v1/chat/completions", &fields, body))
            .await;
        assert_eq!(client.answer().await.status, 200);
    };
    ask("unseen").await;
    process.write(&config("path: ./samples.jsonl, share: 100%, bodies: true"));
    process.signal("HUP");
    process.said("generation 2 is in force").await;
    ask("seen").await;
    process.write(&config("path: ./samples.jsonl, share: 100%, size: 2MiB"));
    process.signal("HUP");
    process.said("generation 3 is in force").await;
    ask("seen-too").await;
    process.write(&config(quiet));
    process.signal("TERM");
    assert_eq!(process.exit().await, 0);
    let (_, lines) = read(&process.path("samples.jsonl"));
    assert_eq!(ids(&lines), ["seen", "seen-too"]);

    let show = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_segue"))
            .arg("samples")
            .arg("-c")
            .arg(process.path("segue.yaml"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = show(&["--route", "model"]);
    assert!(
        text.contains("model  200 served") && text.contains("seen, sampled as share"),
        "{text}"
    );
    assert!(text.contains("\"content\":\"hi\""), "{text}");
    let last = show(&["--last", "1", "--json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&last).unwrap()["request_id"],
        "seen-too"
    );
    assert_eq!(show(&["--outcome", "failed"]), "no samples\n");
}
