//! HUP against the real binary: a good file is served, any other is refused in words.

use segue::sim::{Options, Sim, answer_text};

use crate::edge_stage::{Process, metric, page};
use crate::support::{Answer, Client, PATIENCE, post};

async fn sim() -> Sim {
    Sim::start(Options::default()).await.unwrap()
}

async fn chat(client: &mut Client, model: &str) -> Answer {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    client.send(&post("/v1/chat/completions", "", &body)).await;
    client.answer().await
}

/// The lines in the log for a reload that was taken, and for one that was not.
const TAKEN: &str = "is in force";
const REFUSED: &str = "the old one stays";

#[tokio::test(flavor = "multi_thread")]
async fn a_good_file_is_served_and_a_running_stream_keeps_what_it_began_with() {
    let (before, after) = (sim().await, sim().await);
    let process = Process::start(&Process::config(before.address(), "")).await;
    before.script("m", "tokens=30,stall@10=400ms".parse().unwrap());
    let mut running = process.client().await;
    running.ask("\"stream\":true,").await;
    running.until("w5").await;

    let other = Process::config(after.address(), "").replace("model: sim/m", "fresh: sim/x");
    process.write(&other);
    process.signal("HUP");
    process.said(TAKEN).await;
    let mut client = process.client().await;
    assert_eq!(chat(&mut client, "fresh").await.status, 200);
    assert_eq!(chat(&mut client, "model").await.status, 404);
    assert_eq!(after.journal().received(), 1);

    let answer = running.answer().await;
    assert_eq!(answer.content(), answer_text(30));
    assert!(answer.complete);
    assert_eq!(
        chat(&mut running, "fresh").await.status,
        200,
        "the next one is new"
    );

    let admin = process.admin().await;
    let metrics = page(admin, "/metrics").await;
    let value = |series| metric(metrics.text(), series);
    assert_eq!(
        value("segue_config_reloads_total{result=\"applied\"}"),
        Some(1.0)
    );
    assert_eq!(value("segue_config_last_reload_successful"), Some(1.0));
    assert_eq!(value("segue_config_generation"), Some(2.0));
    let status = page(admin, "/status").await.json();
    assert_eq!(status["last_reload"]["result"], "applied");
    assert_eq!(status["generation"]["number"], 2);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of like entries")]
async fn any_other_file_is_refused_and_it_is_said_why() {
    let sim = sim().await;
    let good = Process::config(sim.address(), "");
    let process = Process::start(&good).await;
    let admin = process.admin().await;
    let half = good.split_at(good.len() / 2).0;
    let (yaml, listen, no) = ("segue.yaml:", "listen:", "No such file");
    for (number, (name, text, why)) in [
        (
            "a typing error",
            Some(good.replace("routes:", "routs:")),
            "did you mean \"routes\"",
        ),
        ("half of it", Some(half.to_owned()), yaml),
        ("nothing", Some(String::new()), yaml),
        ("no YAML", Some("{]".to_owned()), yaml),
        ("binary", Some("\0\u{1}".to_owned()), yaml),
        (
            "an unknown provider",
            Some(good.replace("sim/m", "nobody/m")),
            "nobody",
        ),
        ("no file", None, no),
        (
            "another listener",
            Some(good.replacen("127.0.0.1:0", "127.0.0.1:1", 1)),
            listen,
        ),
        (
            "one more listener",
            Some(good.replacen('[', "[{ address: \"127.0.0.1:1\" }, ", 1)),
            listen,
        ),
        (
            "no admin listener",
            Some(good.replace("{ address: \"127.0.0.1:0\" }\nlog", "off\nlog")),
            "admin:",
        ),
        (
            "another access log",
            Some(good.replace("./access.log", "./other.log")),
            "log:",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        match &text {
            Some(text) => process.write(text),
            None => std::fs::remove_file(process.path("segue.yaml")).unwrap(),
        }
        assert_ne!(text.as_ref(), Some(&good), "{name}");
        process.signal("HUP");
        let line = process.said_times(REFUSED, number + 1).await;
        assert!(line.contains(why), "{name}: {line}");
        let metrics = page(admin, "/metrics").await;
        let value = |series| metric(metrics.text(), series);
        let rejected = "segue_config_reloads_total{result=\"rejected\"} ";
        let count = (number + 1).to_string();
        assert!(
            metrics.text().contains(&format!("{rejected}{count}\n")),
            "{name}"
        );
        assert_eq!(
            value("segue_config_last_reload_successful"),
            Some(0.0),
            "{name}"
        );
        assert_eq!(value("segue_config_generation"), Some(1.0), "{name}");
        let status = page(admin, "/status").await.json();
        assert_eq!(status["last_reload"]["result"], "refused", "{name}");
        let told = status["last_reload"]["why"].as_str().unwrap();
        assert!(told.contains(why), "{name}: {told}");
        let answer = chat(&mut process.client().await, "model").await;
        assert_eq!(answer.status, 200, "{name}: the old one serves on");
    }
    process.write(&good);
    process.signal("HUP");
    process.said(TAKEN).await;
    let metrics = page(admin, "/metrics").await;
    let successful = metric(metrics.text(), "segue_config_last_reload_successful");
    assert_eq!(successful, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hup_at_the_very_start_never_ends_the_process() {
    let sim = sim().await;
    let config = Process::config(sim.address(), "");
    for round in 0..20 {
        let process = Process::spawn(tempfile::tempdir().unwrap(), &config, &[]);
        wait_for_handlers(&process);
        process.signal("HUP");
        process.said("admin pages on").await;
        assert!(!process.has_ended(), "round {round}");
        // It was remembered.
        process.said(TAKEN).await;
        process.signal("INT");
        assert_eq!(process.exit().await, 1, "round {round}");
    }
}

/// Until the first instruction of `main` no process can catch anything; INT is the last to be caught, and by then a HUP
/// is remembered too.
fn wait_for_handlers(process: &Process) {
    while !process.catches_int() {
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_hups_is_survived_and_the_last_file_wins() {
    let sim = sim().await;
    let config = |route: &str| {
        Process::config(sim.address(), "").replace("model: sim/m", &format!("{route}: sim/m"))
    };
    let process = Process::start(&config("first")).await;
    for number in 0..50 {
        process.write(&config(&format!("route{number}")));
        process.signal("HUP");
    }
    let mut client = process.client().await;
    // Which of them were taken together is open; the last one comes in the end.
    let last = async { while chat(&mut client, "route49").await.status != 200 {} };
    tokio::time::timeout(PATIENCE, last)
        .await
        .expect("the last file");
    assert_eq!(chat(&mut client, "first").await.status, 404);
    assert!(!process.has_ended());
}
