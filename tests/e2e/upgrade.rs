//! One process takes the other's place while clients ask, and what stands in the way changes nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use segue::sim::{Options, Sim, answer_text};
use serde_json::Value;
use tempfile::TempDir;

use crate::edge_stage::{Authority, Process, page};
use crate::load::{Ask, Load};
use crate::support::{Client, PATIENCE, post};

/// How often, in a test that repeats itself: a few times, or with `SEGUE_GATE=full` as often as is
/// promised.
pub fn rounds(few: usize, full: usize) -> usize {
    match std::env::var("SEGUE_GATE").as_deref() {
        Ok("full") => full,
        _ => few,
    }
}

async fn sim(script: &str) -> Sim {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("m", script.parse().unwrap());
    sim
}

/// A process whose binary is found by a link that can be put elsewhere.
async fn linked(config: &str) -> (Process, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("segue");
    symlink(env!("CARGO_BIN_EXE_segue"), &link).unwrap();
    let process = Process::spawn_as(&link, folder, config, &[]);
    process.said("admin pages on").await;
    (process, link)
}

/// Waits until the so manieth successor serves.
async fn succeeded(process: &Process, times: usize) {
    process.said_times(" serves now, version", times).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_under_load_lose_no_connection_and_no_stream() {
    let upgrades = rounds(3, 200);
    let sim = sim("tokens=20,delay=10ms").await;
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    authority.write(folder.path(), "first", &["localhost"]);
    let config = Process::config(sim.address(), "").replacen(
        "[{ address: \"127.0.0.1:0\" }]",
        "[{ address: \"127.0.0.1:0\" }, { address: \"127.0.0.1:0\", tls: { certificate: ./first.pem, key: ./first.key } }]",
        1,
    );
    let process = Process::spawn(folder, &config, &[]);
    process.said("admin pages on").await;
    let plain = process.address().await;
    let tls = address(&process.said_times("listening on ", 2).await);
    let admin = process.admin().await;
    let caller = authority.caller().alpn(&[b"h2"]);
    let asks = (0..24_u64).map(|number| Ask {
        address: if number % 2 == 0 { plain } else { tls },
        caller: (number % 2 == 1).then(|| caller.clone()),
        tokens: 20,
        pause: Duration::from_millis(number % 5 * 7),
    });
    let load = Load::start(asks);
    load.more(48).await;
    for upgrade in 1..=upgrades {
        process.signal_heir("USR2");
        succeeded(&process, upgrade).await;
        load.more(48).await;
    }
    let answers = load.stop().await;
    let status = page(admin, "/status").await.json();
    let heirs = process.heirs();
    assert_eq!(heirs.len(), upgrades);
    assert_eq!(
        status["process"]["id"].as_u64(),
        heirs.last().copied().map(u64::from)
    );
    assert_eq!(status["listeners"].as_array().unwrap().len(), 2);
    assert_eq!(process.gone().await, 0, "what was under way was finished");
    println!("{upgrades} upgrades, {answers} answers, none lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_do_not_grow_from_one_process_to_the_next() {
    let sim = sim("tokens=3").await;
    let process = Process::start(&Process::config(sim.address(), "")).await;
    let mut counts = vec![descriptors(process.pid())];
    for upgrade in 1..=4 {
        process.signal_heir("USR2");
        succeeded(&process, upgrade).await;
        let heir = *process.heirs().last().unwrap();
        // Those before it end, and with them the ways to them.
        process
            .said_times("the process before this one has ended", upgrade)
            .await;
        // A connection that asked for something may not be closed yet.
        let settled = async {
            while counts.len() > 1 && descriptors(heir) > counts[1] {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let settled = tokio::time::timeout(PATIENCE, settled).await;
        counts.push(descriptors(heir));
        assert!(settled.is_ok(), "{counts:?}");
    }
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_answered_once_more_and_told_to_close() {
    let sim = sim("tokens=3").await;
    let process = Process::start(&Process::config(sim.address(), "")).await;
    let mut idle = process.client().await;
    assert_eq!(idle.chat("").await.header("connection"), Some("keep-alive"));
    let mut silent = process.client().await;
    process.signal("USR2");
    succeeded(&process, 1).await;
    for client in [&mut idle, &mut silent] {
        let answer = client.chat("").await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (200, Some("close"))
        );
        assert_eq!(client.rest().await, b"");
    }
    assert_eq!(process.gone().await, 0);
    assert_eq!(process.client().await.chat("").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_config_serves_and_a_running_stream_keeps_what_it_began_with() {
    let (before, after) = (sim("tokens=30,stall@10=1s").await, sim("tokens=3").await);
    let process = Process::start(&Process::config(before.address(), "")).await;
    let mut running = process.client().await;
    running.ask("\"stream\":true,").await;
    running.until("w5").await;
    process.write(&Process::config(after.address(), ""));
    process.signal("USR2");
    process.said("draining").await;
    assert_eq!(process.client().await.chat("").await.status, 200);
    assert_eq!(after.journal().received(), 1);
    // Signals to the old one are answered: it is not the service any more.
    process.signal("HUP");
    process.said("HUP ignored: a successor serves").await;
    process.signal("USR2");
    process.said("USR2 ignored: the process is ending").await;
    let answer = running.answer().await;
    assert_eq!(answer.content(), answer_text(30));
    assert!(answer.complete);
    drop(running);
    assert_eq!(process.gone().await, 0);
    process.said("the process before this one has ended").await;
    process.signal_heir("TERM");
    process.said_times("draining", 2).await;
    process.exit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_ends_the_heir_at_once_although_its_elder_waits_for_idle_connections() {
    let sim = sim("tokens=3").await;
    let process = Process::start(&Process::config(sim.address(), "")).await;
    let mut idle = process.client().await;
    assert_eq!(idle.chat("").await.status, 200);
    process.signal("USR2");
    succeeded(&process, 1).await;
    process.said_times("listening on", 2).await;
    process.signal_heir("TERM");
    process.exit().await;
    assert_eq!(idle.rest().await, b"");
}

/// Programs in the place of the binary, by name, and what is said of each.
fn broken(folder: &Path) -> Vec<(&'static str, Option<PathBuf>, &'static str)> {
    let script = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Some(path)
    };
    vec![
        ("none", None, "cannot start"),
        ("no program", Some(folder.to_owned()), "cannot start"),
        (
            "ends well",
            script("true", "exit 0"),
            "ended before it was ready",
        ),
        (
            "ends ill",
            script("false", "exit 3"),
            "ended before it was ready",
        ),
        (
            "crashes",
            script("crash", "kill -SEGV $$"),
            "ended before it was ready",
        ),
        (
            "another program",
            script("other", "echo hello >&0; exit 0"),
            "ended before it was ready",
        ),
        (
            "says that it is ready and is nobody",
            script("liar", "echo '{\"ready\":{\"version\":\"1\"}}' >&0; exit 0"),
            "ended before it was ready",
        ),
        (
            "ready, and gone",
            script(
                "gone",
                "echo '{\"born\":{\"pid\":99999999}}' >&0; echo '{\"ready\":{\"version\":\"1\"}}' >&0; exit 0",
            ),
            "ended before it accepted connections",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_is_broken_changes_nothing() {
    let sim = sim("tokens=10,delay=5ms").await;
    let (process, link) = linked(&Process::config(sim.address(), "")).await;
    let (address, admin) = (process.address().await, process.admin().await);
    let load = Load::start((0..8).map(|_| Ask {
        address,
        caller: None,
        tokens: 10,
        pause: Duration::from_millis(3),
    }));
    let scratch = tempfile::tempdir().unwrap();
    let mut failures = 0;
    for _ in 0..rounds(1, 7) {
        for (name, program, why) in broken(scratch.path()) {
            fs::remove_file(&link).unwrap();
            if let Some(program) = &program {
                symlink(program, &link).unwrap();
            } else {
                symlink("/nonexistent", &link).unwrap();
            }
            process.signal("USR2");
            failures += 1;
            let said = process
                .said_times("the upgrade came to nothing", failures)
                .await;
            assert!(said.contains(why), "{name}: {said}");
            load.more(8).await;
        }
    }
    // And then one that is whole.
    fs::remove_file(&link).unwrap();
    symlink(env!("CARGO_BIN_EXE_segue"), &link).unwrap();
    let status = page(admin, "/status").await.json();
    assert_eq!(
        status["upgrades"]["failed"].as_u64().unwrap(),
        failures as u64
    );
    assert_eq!(status["process"]["id"].as_u64(), Some(process.pid().into()));
    process.signal("USR2");
    succeeded(&process, 1).await;
    load.more(16).await;
    let answers = load.stop().await;
    println!("{failures} broken successors, {answers} answers, none lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_cannot_serve_says_why() {
    let sim = sim("tokens=3").await;
    let good = Process::config(sim.address(), "");
    let process = Process::start(&good).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (number, (config, why)) in [
        (good.replace("routes:", "routs:"), "did you mean \"routes\""),
        (good.split_at(good.len() / 2).0.to_owned(), "segue.yaml:"),
        (good.replacen("127.0.0.1:0", &taken, 1), "in use"),
        (
            good.replace("./access.log", "./nowhere/access.log"),
            "No such file",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        process.write(&config);
        process.signal("USR2");
        let line = process
            .said_times("the upgrade came to nothing", number + 1)
            .await;
        assert!(
            line.contains("cannot serve") && line.contains(why),
            "{why}: {line}"
        );
        assert_eq!(process.client().await.chat("").await.status, 200, "{why}");
    }
    assert!(!process.has_ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_hangs_is_ended_with_all_that_it_started() {
    let sim = sim("tokens=3").await;
    let (process, link) = linked(&Process::config(sim.address(), "")).await;
    let scratch = tempfile::tempdir().unwrap();
    let program = scratch.path().join("hang");
    let pid = scratch.path().join("pid");
    // The shell waits for a child of its own: both hold the sockets.
    let text = format!(
        "#!/bin/sh\nsleep 1000 &\necho $! > {}\nwait\n",
        pid.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(&program, &link).unwrap();
    process.signal("USR2");
    process.said("upgrading").await;
    // Meanwhile everything else goes on.
    process.signal("USR2");
    process
        .said("USR2 ignored: a successor is on its way")
        .await;
    process.signal("HUP");
    process.said("generation 2 is in force").await;
    assert_eq!(process.client().await.chat("").await.status, 200);
    let hanging = tokio::time::timeout(Duration::from_secs(40), async {
        while !process
            .lines()
            .iter()
            .any(|line| line.contains("came to nothing"))
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    hanging.await.expect("given up");
    let said = process.said("came to nothing").await;
    assert!(said.contains("hangs: 20 s passed"), "{said}");
    let sleeper = fs::read_to_string(&pid).unwrap();
    let gone = async {
        while Path::new("/proc").join(sleeper.trim()).join("exe").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("ended too");
    assert_eq!(process.client().await.chat("").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_asked_for_ends_the_upgrade_too() {
    let sim = sim("tokens=3").await;
    for (signal, code) in [("TERM", 0), ("INT", 1)] {
        let (process, link) = linked(&Process::config(sim.address(), "")).await;
        fs::remove_file(&link).unwrap();
        symlink("/bin/cat", &link).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let hang = scratch.path().join("hang");
        fs::write(&hang, "#!/bin/sh\nsleep 1000\n").unwrap();
        fs::set_permissions(&hang, fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(&link).unwrap();
        symlink(&hang, &link).unwrap();
        process.signal("USR2");
        process.said("upgrading").await;
        process.signal(signal);
        // Also that of the successor, which holds the pipe.
        assert_eq!(process.exit().await, code, "{signal}");
    }
}

fn address(line: &str) -> std::net::SocketAddr {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The budget of a route that costs a cent a token.
const DEAR: &str = "routes:
  model:
    tiers: [[{ target: \"sim/m\", price: { input: 0, output: 10000 } }]]
    budget: { usd: 1, per: month }";

fn with_routes(sim: &Sim, routes: &str) -> String {
    let config = Process::config(sim.address(), "");
    config.replace("routes: { model: sim/m }", routes)
}

/// What `/status` says of the first budget: spent, and set aside.
async fn budget(process: &Process) -> (u64, u64) {
    let status = page(process.admin().await, "/status").await.json();
    let budget = &status["quotas"][0]["budgets"][0];
    let money = |name: &str| budget[name].as_u64().unwrap();
    (money("spent_micro_usd"), money("reserved_micro_usd"))
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_go_on_and_hear_of_what_the_elder_still_books() {
    let sim = sim("tokens=10").await;
    let process = Process::start(&with_routes(&sim, DEAR)).await;
    let mut client = process.client().await;
    assert_eq!(client.chat("\"max_tokens\":10,").await.status, 200);
    assert_eq!(budget(&process).await, (100_000, 0));
    drop(client);
    sim.script("m", "tokens=20,stall@5=1500ms".parse().unwrap());
    let mut running = process.client().await;
    running.ask("\"stream\":true,\"max_tokens\":50,").await;
    running.until("w3").await;
    process.signal("USR2");
    process.said("draining").await;
    assert_eq!(
        budget(&process).await,
        (100_000, 500_000),
        "set aside by the elder"
    );
    // 40 cents are left.
    let mut client = process.client().await;
    assert_eq!(client.chat("\"max_tokens\":41,").await.status, 429);
    assert!(running.answer().await.complete);
    drop(running);
    process.said("the process before this one has ended").await;
    assert_eq!(budget(&process).await, (300_000, 0));
    sim.script("m", "tokens=10".parse().unwrap());
    assert_eq!(client.chat("\"max_tokens\":41,").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn breakers_and_cool_downs_go_on() {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("bad", "status=500".parse().unwrap());
    sim.script("full", "status=429,retry_after=120".parse().unwrap());
    sim.script("good", "tokens=3".parse().unwrap());
    let routes = "routes:
  model: { tiers: [[sim/bad], [sim/full], [sim/good]], retries: { same_target: 0 } }";
    let process = Process::start(&with_routes(&sim, routes)).await;
    let mut client = process.client().await;
    for _ in 0..4 {
        assert_eq!(client.chat("").await.status, 200);
    }
    let targets = |status: &Value| {
        let targets = status["routes"][0]["targets"].as_array().unwrap().clone();
        let seen = |target: &Value| {
            let shut = target["shut_for_ms"].as_u64().unwrap_or_default();
            (target["breaker"].as_str().unwrap().to_owned(), shut)
        };
        targets.iter().map(seen).collect::<Vec<_>>()
    };
    let admin = process.admin().await;
    let before = targets(&page(admin, "/status").await.json());
    assert_eq!(before[0].0, "open", "{before:?}");
    assert_eq!(before[1].0, "open", "{before:?}");
    process.signal("USR2");
    process.said("draining").await;
    let after = targets(&page(admin, "/status").await.json());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.0, after.0);
        assert!(
            after.1 <= before.1 && after.1 + 20_000 > before.1,
            "{before:?} {after:?}"
        );
    }
    let asked = sim.journal().received();
    let mut client = process.client().await;
    assert_eq!(client.chat("").await.status, 200);
    assert_eq!(
        sim.journal().received(),
        asked + 1,
        "the good one alone was asked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_waits_and_returns_the_result() {
    let sim = sim("tokens=3").await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = free.local_addr().unwrap();
    drop(free);
    let config = Process::config(sim.address(), "").replace(
        "admin: { address: \"127.0.0.1:0\" }",
        &format!("admin: {{ address: \"{admin}\" }}"),
    );
    let (process, link) = linked(&config).await;
    let upgrade = async || {
        let file = process.path("segue.yaml");
        let command = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_segue"));
            command.args(["upgrade", "-c"]).arg(file).output().unwrap()
        });
        let output = command.await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, said, error) = upgrade().await;
    assert_eq!(code, Some(0), "{error}");
    succeeded(&process, 1).await;
    let heir = process.heirs()[0];
    assert!(
        said.starts_with(&format!("process {heir} serves now, version ")),
        "{said}"
    );

    fs::remove_file(&link).unwrap();
    let (code, _, error) = upgrade().await;
    assert_eq!(code, Some(1));
    assert!(
        error.contains("came to nothing") && error.contains("No such file"),
        "{error}"
    );

    process.write(&config.replace("routes:", "routs:"));
    let (code, _, error) = upgrade().await;
    assert_eq!(code, Some(1));
    assert!(error.contains("did you mean"), "{error}");
    assert_eq!(process.client().await.chat("").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_heir_that_dies_later_does_not_take_its_elders_streams_with_it() {
    let sim = sim("tokens=30,stall@10=1s").await;
    let process = Process::start(&Process::config(sim.address(), "")).await;
    let mut running = process.client().await;
    running.ask("\"stream\":true,").await;
    running.until("w5").await;
    process.signal("USR2");
    succeeded(&process, 1).await;
    process.signal_heir("KILL");
    process
        .said("the successor has ended before this process")
        .await;
    let answer = running.answer().await;
    assert!(answer.complete);
    assert_eq!(answer.content(), answer_text(30));
    drop(running);
    process.gone().await;
}

/// A stage for those who start the process in their own way.
pub fn staged(config: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("segue.yaml");
    fs::write(&file, config).unwrap();
    (folder, file)
}

/// Whether a request is answered at an address.
pub async fn serves(address: std::net::SocketAddr) -> bool {
    let Ok(mut client) = Client::try_connect(address).await else {
        return false;
    };
    let body = r#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#;
    client.send(&post("/v1/chat/completions", "", body)).await;
    client.answer().await.status == 200
}
