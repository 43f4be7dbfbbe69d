//! Many reloads, every other one of a file that must be refused, with certificates swapped, under
//! exchanges, open streams and handshakes: nobody outside notices any of it.
//!
//! A slice of it runs with the tests, all of it with `SEGUE_GATE=full`.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use segue::sim::{Sim, answer_text};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{chat, command, sim};
use crate::edge_stage::{Authority, Process, ask, page};
use crate::support::{Client, post};

/// How much there is of everything.
struct Size {
    reloads: u64,
    exchanges_per_second: u32,
    streams: u32,
    handshakes_per_second: u32,
}

impl Size {
    fn of_environment() -> Self {
        let full = std::env::var("SEGUE_GATE").is_ok_and(|word| word == "full");
        let number = |name: &str, slice, all| {
            let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
            given.unwrap_or(if full { all } else { slice })
        };
        Self {
            reloads: number("SEGUE_RELOADS", 40, 10_000).into(),
            exchanges_per_second: number("SEGUE_EXCHANGES", 40, 300),
            streams: number("SEGUE_STREAMS", 30, 300),
            handshakes_per_second: number("SEGUE_HANDSHAKES", 30, 300),
        }
    }
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    exchanges: AtomicU64,
    streams: AtomicU64,
    handshakes: AtomicU64,
}

impl Seen {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// In words; there was some of everything.
    fn told(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (exchanges, streams) = (count(&self.exchanges), count(&self.streams));
        let handshakes = count(&self.handshakes);
        assert!(exchanges > 0 && streams > 0 && handshakes > 0);
        format!("{exchanges} exchanges, {streams} streams, {handshakes} handshakes, none failed")
    }
}

const TOKENS: u64 = 60;
const BODY: &str =
    r#"{"model":"stream","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

/// Exchanges on a connection of its own, so many a second. Any that fails ends the test.
async fn exchanges(address: SocketAddr, every: Duration, seen: Arc<Seen>) {
    let mut client = Client::connect(address).await;
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while seen.goes_on() {
        turns.tick().await;
        let answer = chat(&mut client, "model", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        seen.exchanges.fetch_add(1, Ordering::Relaxed);
    }
}

/// One stream after the other, each judged to its last byte.
async fn streams(address: SocketAddr, seen: Arc<Seen>) {
    let mut client = Client::connect(address).await;
    while seen.goes_on() {
        client.send(&post("/v1/chat/completions", "", BODY)).await;
        let answer = client.answer().await;
        assert!(answer.complete && answer.status == 200, "{answer:?}");
        assert_eq!(answer.content(), answer_text(TOKENS));
        assert_eq!(answer.events().last().unwrap(), "[DONE]");
        seen.streams.fetch_add(1, Ordering::Relaxed);
    }
}

/// Handshakes, each with a request behind it, so many a second.
async fn handshakes(
    address: SocketAddr,
    authority: Arc<Authority>,
    every: Duration,
    seen: Arc<Seen>,
) {
    const MODELS: &[u8] =
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let caller = authority.caller();
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while seen.goes_on() {
        turns.tick().await;
        let mut stream = caller.call(address, "localhost").await.unwrap();
        let answer = ask(&mut stream, MODELS).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        seen.handshakes.fetch_add(1, Ordering::Relaxed);
    }
}

/// The file of a number: providers and certificates in turn, and every second one wrong in one of
/// several ways.
fn write(process: &Process, good: &str, number: u64) -> bool {
    let is_good = number.is_multiple_of(2);
    let name = if number.is_multiple_of(4) { "a" } else { "b" };
    let text = good
        .replace("PAIR", name)
        .replace("sim/m", if name == "a" { "sim/m" } else { "other/m" });
    let text = match number % 10 {
        _ if is_good => text,
        1 => text.replace("routes:", "routs:"),
        3 => text[..text.len() / 2].to_owned(),
        5 => text
            .replace("key: a.key", "key: b.key")
            .replace("certificate: b.pem", "certificate: a.pem"),
        7 => text.replacen("127.0.0.1:0", "127.0.0.1:1", 1),
        _ => "\0".to_owned(),
    };
    process.write(&text);
    is_good
}

fn fds(process: &Process) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.pid()))
        .unwrap()
        .count()
}

fn rss_kib(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn config(one: &Sim, two: &Sim) -> String {
    let provider = |name: &str, sim: &Sim| {
        let address = sim.address();
        format!(
            "  {name}: {{ dialect: openai, base_url: \"http://{address}/v1\", private_peers: true }}\n"
        )
    };
    format!(
        "listen:\n- {{ address: \"127.0.0.1:0\" }}\n\
         - {{ address: \"127.0.0.1:0\", tls: {{ certificate: PAIR.pem, key: PAIR.key }} }}\n\
         admin: {{ address: \"127.0.0.1:0\" }}\nlog: {{ access: off }}\n\
         providers:\n{}{}routes: {{ model: sim/m, stream: sim/m }}\n",
        provider("sim", one),
        provider("other", two)
    )
}

/// So many clients of a kind, each with its share of the rate.
fn paced(rate: u32) -> (u32, Duration) {
    let clients = rate.div_ceil(10).max(1);
    (clients, Duration::from_secs(1) * clients / rate.max(1))
}

/// All clients, until they are told to stop.
fn clients(
    size: &Size,
    plain: SocketAddr,
    secure: SocketAddr,
    authority: &Arc<Authority>,
    seen: &Arc<Seen>,
) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    let (number, every) = paced(size.exchanges_per_second);
    for _ in 0..number {
        clients.spawn(exchanges(plain, every, Arc::clone(seen)));
    }
    for _ in 0..size.streams {
        clients.spawn(streams(plain, Arc::clone(seen)));
    }
    let (number, every) = paced(size.handshakes_per_second);
    for _ in 0..number {
        let (authority, seen) = (Arc::clone(authority), Arc::clone(seen));
        clients.spawn(handshakes(secure, authority, every, seen));
    }
    clients
}

/// A simulator whose model `m` is quick, and whose model `s` takes a second.
async fn paced_sim() -> Sim {
    let sim = sim().await;
    sim.script("m", "tokens=5".parse().unwrap());
    let script = format!("tokens={TOKENS},delay=15ms");
    sim.script("s", script.parse().unwrap());
    sim
}

fn listener(status: &serde_json::Value, at: usize) -> SocketAddr {
    let address = status["listeners"][at]["address"].as_str();
    address.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_a_storm_of_reloads() {
    let size = Size::of_environment();
    let (one, two) = (paced_sim().await, paced_sim().await);
    let authority = Arc::new(Authority::new());
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        authority.write(folder.path(), name, &["localhost"]);
    }
    let good = config(&one, &two).replace("stream: sim/m", "stream: sim/s");
    let process = Process::spawn(folder, &good.replace("PAIR", "a"), &[]);
    let admin = process.admin().await;
    let status = page(admin, "/status").await.json();
    let (plain, secure) = (listener(&status, 0), listener(&status, 1));

    let seen = Arc::new(Seen::default());
    let mut clients = clients(&size, plain, secure, &authority, &seen);

    let began = Instant::now();
    let (mut generation, mut warm) = (1, (0, 0));
    for turn in 1..=size.reloads {
        let is_good = write(&process, &good, turn);
        let path = process.path("segue.yaml");
        let run = tokio::task::spawn_blocking(move || command::run(&path, Some(admin), &[]));
        let output = run.await.unwrap();
        assert_eq!(output.status.success(), is_good, "{turn}: {output:?}");
        if is_good {
            generation += 1;
            let said = format!("generation {generation} is in force\n");
            assert_eq!(String::from_utf8_lossy(&output.stdout), said);
        }
        if turn == size.reloads / 5 {
            warm = (rss_kib(&process), fds(&process));
        }
        if let Some(ended) = clients.try_join_next() {
            ended.unwrap();
            panic!("a client gave up");
        }
    }
    let end = (rss_kib(&process), fds(&process));
    let took = began.elapsed();
    seen.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    println!(
        "{} reloads in {took:.1?}, half of them refused; {}; memory {} to {} KiB, descriptors {} to {}",
        size.reloads,
        seen.told(),
        warm.0,
        end.0,
        warm.1,
        end.1
    );
    // Warm after a fifth; what is allowed is less than 4 KiB a reload would come to.
    assert!(end.0 < warm.0 + 24 * 1024, "memory grew: {warm:?} {end:?}");
    assert!(end.1 < warm.1 + 200, "descriptors grew: {warm:?} {end:?}");
    let status = page(admin, "/status").await.json();
    assert_eq!(status["generation"]["number"], generation);
    assert_eq!(status["reloads"]["ended"], size.reloads);
}
