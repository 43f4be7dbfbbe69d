//! The store of usage, with the real binary: what is booked, what a crash takes, what a full disk
//! does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use segue::sim::{Options, Sim};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::edge_stage::{Process, metric, page, shows};
use crate::support::{Client, PATIENCE, post};

/// How often a process is killed under load: a hundred times with `SEGUE_GATE=full`.
fn kills() -> usize {
    match std::env::var("SEGUE_GATE").as_deref() {
        Ok("full") => 100,
        _ => 10,
    }
}

const BODY: &str = r#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#;

/// Clients that ask all the time.
const CLIENTS: usize = 4;

/// What a crash may take, as the store promises, in milliseconds.
const MOST_LOST_MS: i64 = 1_000;

async fn sim() -> Sim {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("m", "tokens=3".parse().unwrap());
    sim
}

fn config(sim: &Sim, store: &str) -> String {
    Process::config(sim.address(), &format!("accounts: {{ store: {store} }}"))
}

async fn start(sim: &Sim) -> Process {
    Process::start(&config(sim, "{ path: ./usage.db }")).await
}

async fn ask(client: &mut Client, id: &str) -> u16 {
    let fields = format!("X-Request-Id: {id}\r\nX-Segue-Session: s-canary\r\n");
    client
        .send(&post("/v1/chat/completions", &fields, BODY))
        .await;
    client.answer().await.status
}

/// The first column of what a query finds.
fn read(path: &Path, query: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| {
        row.get::<_, rusqlite::types::Value>(0)
            .map(|value| match value {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

async fn usage(path: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segue"));
    command.arg("usage").arg("--db").arg(path).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_are_booked_within_a_second_and_told_beside_the_running_process() {
    let sim = sim().await;
    let process = start(&sim).await;
    let path = process.path("usage.db");
    let mut client = process.client().await;
    for number in 0..5 {
        assert_eq!(ask(&mut client, &format!("r-{number}")).await, 200);
    }
    let asked = Instant::now();
    shows(process.admin().await, "segue_store_entries_total", 5.0).await;
    // Twice as long as it may take: the machine has others to serve.
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    let ids = read(&path, "SELECT request_id FROM exchanges ORDER BY sequence");
    assert_eq!(ids, ["r-0", "r-1", "r-2", "r-3", "r-4"]);
    assert_eq!(
        read(&path, "SELECT DISTINCT target FROM attempts"),
        ["sim/m"]
    );

    let told: Value =
        serde_json::from_str(&usage(&path, &["--by", "route", "--json"]).await).unwrap();
    assert_eq!(told["groups"][0]["route"], "model");
    assert_eq!(told["total"]["exchanges"], 5);
    assert_eq!(told["total"]["delivered"]["output_tokens"], 15);
    let hours = usage(&path, &["--by", "hour,outcome", "--since", "1h", "--csv"]).await;
    assert!(hours.contains(",served,5,"), "{hours}");
    let status = page(process.admin().await, "/status").await.json();
    assert_eq!(status["store"]["failing"], Value::Null);

    for name in ["usage.db", "usage.db-wal"] {
        let bytes = fs::read(process.path(name)).unwrap();
        assert!(
            memchr::memmem::find(&bytes, b"s-canary").is_none(),
            "{name}"
        );
    }
    // Who asks for no route is turned away at the door, and takes no room.
    client
        .send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 404);
    assert_eq!(ask(&mut client, "last").await, 200);
    process.signal("TERM");
    assert_eq!(process.exit().await, 0);
    let ids = read(&path, "SELECT request_id FROM exchanges ORDER BY sequence");
    assert_eq!(ids.last().unwrap(), "last");
    assert_eq!(ids.len(), 6);
}

/// Asks until the proxy is gone, each exchange under a name of its own.
async fn load(address: SocketAddr, names: Arc<AtomicU64>) {
    while let Ok(mut stream) = TcpStream::connect(address).await {
        let name = names.fetch_add(1, Ordering::Relaxed);
        let fields = format!("X-Request-Id: load-{name}\r\nConnection: close\r\n");
        let request = post("/v1/chat/completions", &fields, BODY);
        // It dies under its clients: that is what this is for.
        let _ = stream.write_all(&request).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

/// When each exchange of the access log ended, by its id, in milliseconds since 1970. The last line
/// of a killed process may be torn.
fn logged(path: &Path) -> BTreeMap<String, i64> {
    let text = fs::read_to_string(path).unwrap();
    let mut ended = BTreeMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let began = line["time"].as_str().unwrap();
        let total = line["total_ms"].as_f64().unwrap();
        let id = line["request_id"].as_str().unwrap().to_owned();
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a test")]
        ended.insert(id, millis_of(began) + total as i64);
    }
    ended
}

/// Milliseconds since 1970 of `2026-08-20T07:05:03.042Z`.
fn millis_of(time: &str) -> i64 {
    let (day, clock) = time.trim_end_matches('Z').split_once('T').unwrap();
    let day = segue::units::Day::parse(day).unwrap();
    let mut parts = clock
        .split([':', '.'])
        .map(|part| part.parse::<i64>().unwrap());
    let mut next = || parts.next().unwrap();
    let (hour, minute, second) = (next(), next(), next());
    day.begins() + ((hour * 60 + minute) * 60 + second) * 1_000 + next()
}

/// Waits until the store has so many exchanges more than it had.
pub async fn booked(process: &Process, more: f64) {
    let admin = process.admin().await;
    let until = Instant::now() + PATIENCE;
    loop {
        let page = page(admin, "/metrics").await;
        if metric(page.text(), "segue_store_entries_total").unwrap() >= more {
            return;
        }
        assert!(Instant::now() < until, "nothing is booked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_loses_a_second_at_most_and_doubles_nothing() {
    let sim = sim().await;
    let config = config(&sim, "{ path: ./usage.db }");
    let mut folder = tempfile::tempdir().unwrap();
    let names = Arc::new(AtomicU64::new(0));
    let (mut lost, mut longest) = (0, 0);
    let kills = kills();
    for kill in 0..kills {
        let process = Process::spawn(folder, &config, &[]);
        let address = process.address().await;
        process.said("admin pages on").await;
        let load = || load(address, Arc::clone(&names));
        let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(load())).collect();
        // At a moment that differs each time: in a transaction, before one, after one.
        booked(&process, 20.0).await;
        let offset = u64::try_from(kill * 37 % 300).unwrap();
        tokio::time::sleep(Duration::from_millis(offset)).await;
        process.signal("KILL");
        process.exit().await;
        for client in clients {
            client.await.unwrap();
        }

        let path = process.path("usage.db");
        assert_eq!(read(&path, "PRAGMA integrity_check"), ["ok"], "{kill}");
        let ids = read(&path, "SELECT request_id FROM exchanges");
        let once: BTreeSet<_> = ids.iter().collect();
        assert_eq!(once.len(), ids.len(), "doubled: {kill}");
        let logged = logged(&process.path("access.log"));
        // The last that is known of it.
        let killed = logged.values().copied().max().unwrap();
        for (id, ended) in logged {
            if !once.contains(&id) {
                lost += 1;
                longest = longest.max(killed - ended);
            }
        }
        fs::remove_file(process.path("access.log")).unwrap();
        // Exchanges, attempts and sums went in together.
        let counts = [
            "SELECT count(*) FROM exchanges",
            "SELECT count(*) FROM attempts",
            "SELECT sum(exchanges) FROM days",
            "SELECT sum(attempts) FROM days",
        ]
        .map(|query| read(&path, query));
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        folder = keep(process);
    }
    println!("{kills} kills: {lost} exchanges lost, the oldest {longest} ms before its kill");
    assert!(longest <= MOST_LOST_MS, "{longest} ms were lost");
}

/// The folder of a process that has ended, for the next one.
pub fn keep(mut process: Process) -> TempDir {
    std::mem::replace(&mut process.folder, tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_book_into_one_file() {
    let sim = sim().await;
    let first = start(&sim).await;
    let path = first.path("usage.db");
    let store = format!("{{ path: {} }}", path.display());
    let second = Process::start(&config(&sim, &store)).await;
    let (mut one, mut other) = (first.client().await, second.client().await);
    for number in 0..40 {
        assert_eq!(ask(&mut one, &format!("one-{number}")).await, 200);
        assert_eq!(ask(&mut other, &format!("other-{number}")).await, 200);
    }
    for process in [&first, &second] {
        process.signal("TERM");
        assert_eq!(process.exit().await, 0);
    }
    let ids = read(&path, "SELECT DISTINCT request_id FROM exchanges");
    assert_eq!(ids.len(), 80);
    assert_eq!(read(&path, "SELECT count(*) FROM exchanges"), ["80"]);
    assert_eq!(read(&path, "SELECT sum(exchanges) FROM days"), ["80"]);
    assert_eq!(read(&path, "PRAGMA integrity_check"), ["ok"]);
}

/// Asks until the metric has this value; how many were asked. Every one must be served.
async fn ask_until(process: &Process, series: &str, value: f64, status: u16) -> usize {
    let admin = process.admin().await;
    let until = Instant::now() + PATIENCE;
    let mut asked = 0;
    while metric(page(admin, "/metrics").await.text(), series) != Some(value) {
        assert!(
            Instant::now() < until,
            "{series} never was {value}: {:#?}",
            process.lines()
        );
        for _ in 0..10 {
            // Who is refused before his body is read has his connection closed.
            let mut client = process.client().await;
            let got = ask(&mut client, &format!("full-{asked}")).await;
            assert!(got == status || got == 200, "{got}");
            asked += 1;
        }
    }
    asked
}

/// A shell command around the binary, in the place of the binary.
fn wrapped(folder: &TempDir, command: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join("wrapped");
    let script = format!("#!/bin/sh\n{command}\n");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_grow_stops_no_request_and_recovers() {
    let sim = sim().await;
    let folder = tempfile::tempdir().unwrap();
    // Ignored, the signal becomes an error of the write. The log must not share the bound.
    let limit = "trap '' XFSZ; ulimit -S -f 400; exec";
    let binary = env!("CARGO_BIN_EXE_segue");
    let program = wrapped(&folder, &format!("{limit} {binary} \"$@\""));
    let config = config(&sim, "{ path: ./usage.db }").replace("./access.log", "off");
    let process = Process::spawn_as(&program, folder, &config, &[]);
    process.said("admin pages on").await;
    ask_until(&process, "segue_store_failing", 1.0, 200).await;
    process.said("usage.db fails").await;
    let status = page(process.admin().await, "/status").await.json();
    assert!(status["store"]["failing"]["why"].is_string(), "{status}");
    let mut client = process.client().await;
    assert_eq!(ask(&mut client, "meanwhile").await, 200);

    let lift = [
        "--fsize=unlimited".to_owned(),
        format!("--pid={}", process.pid()),
    ];
    assert!(
        Command::new("prlimit")
            .args(lift)
            .status()
            .unwrap()
            .success()
    );
    shows(process.admin().await, "segue_store_failing", 0.0).await;
    process.said("the store works again").await;
    process.signal("TERM");
    assert_eq!(process.exit().await, 0);
    let path = process.path("usage.db");
    let ids = read(
        &path,
        "SELECT request_id FROM exchanges WHERE request_id = 'meanwhile'",
    );
    assert_eq!(ids, ["meanwhile"]);
    assert_eq!(read(&path, "PRAGMA integrity_check"), ["ok"]);
    let lines = process.lines();
    let said = lines.iter().filter(|line| line.contains("usage.db fails"));
    assert_eq!(said.count(), 1, "{lines:#?}");
}

/// A shell in name spaces of its own, where it may mount; none where the machine forbids it.
fn own_mounts() -> Option<&'static str> {
    let ways = ["unshare -m", "unshare -rm"];
    ways.into_iter().find(|way| {
        let try_it = format!("{way} mount -t tmpfs none /mnt");
        let tried = Command::new("sh").args(["-c", &try_it]).output();
        tried.is_ok_and(|output| output.status.success())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_no_request_unless_the_config_says_so() {
    let Some(unshare) = own_mounts() else {
        println!("nothing may be mounted on this machine: not tested on a full disk");
        return;
    };
    let sim = sim().await;
    for (on_failure, status) in [("continue", 200), ("stop", 503)] {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let (disk, binary) = (disk.display(), env!("CARGO_BIN_EXE_segue"));
        let mount = format!("mount -t tmpfs -o size=400k,mode=700 none {disk}");
        let inner = format!("{mount} && exec {binary} \"$@\"");
        let program = wrapped(
            &folder,
            &format!("exec {unshare} sh -c '{inner}' sh \"$@\""),
        );
        let store = format!("{{ path: ./disk/usage.db, on_failure: {on_failure} }}");
        let process = Process::spawn_as(&program, folder, &config(&sim, &store), &[]);
        process.said("admin pages on").await;
        // Seen from outside of its name space.
        let disk = PathBuf::from(format!("/proc/{}/root{disk}", process.pid()));
        fs::write(disk.join("filler"), vec![0; 200 << 10]).unwrap();
        ask_until(&process, "segue_store_failing", 1.0, status).await;
        let mut client = process.client().await;
        assert_eq!(ask(&mut client, "meanwhile").await, status, "{on_failure}");
        process
            .said(&format!("fails (on_failure: {on_failure})"))
            .await;

        fs::remove_file(disk.join("filler")).unwrap();
        shows(process.admin().await, "segue_store_failing", 0.0).await;
        let mut client = process.client().await;
        assert_eq!(ask(&mut client, "after").await, 200, "{on_failure}");
        let lost = metric(
            page(process.admin().await, "/metrics").await.text(),
            "segue_store_lost_entries_total",
        );
        assert_eq!(lost, Some(0.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_version_is_refused_in_words_at_the_start() {
    let sim = sim().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let process = Process::spawn(folder, &config(&sim, "{ path: ./usage.db }"), &[]);
    let line = process.said("newer version of segue").await;
    assert!(line.contains("usage.db"), "{line}");
    assert_eq!(process.exit().await, 1);
    assert_eq!(read(&path, "PRAGMA user_version"), ["99"]);
}
