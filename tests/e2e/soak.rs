//! Days in minutes: mixed traffic with clients that leave, targets that fail and reloads, and nothing
//! that grows.
//!
//! A slice of seconds here. `SEGUE_SOAK=600` (`.ci/run soak`) runs so many seconds and also holds the slope of
//! memory and the drift of times to what is promised.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use segue::sim::{Options, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::edge_stage::{Process, metric, page, shows};
use crate::support::{Answer, Client, PATIENCE, post};

/// How long without `SEGUE_SOAK`.
const SLICE: Duration = Duration::from_secs(6);
/// From which length on slopes say something.
const TELLING: Duration = Duration::from_mins(5);
/// Clients at a time.
const LANES: u64 = 16;
/// What memory may grow by in an hour, in bytes.
const SLOPE: f64 = 1_048_576.0;

/// What has happened.
#[derive(Default)]
struct Tally {
    exchanges: AtomicU64,
    aborts: AtomicU64,
    faults: AtomicU64,
    /// When a plain exchange began, in seconds, and how long it took.
    times: Mutex<Vec<(f64, Duration)>>,
    /// When, and how much memory there was.
    memory: Mutex<Vec<(f64, f64)>>,
}

fn ask(route: &str, how: &str) -> Vec<u8> {
    let body = format!(
        "{{{how}\"model\":\"{route}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    );
    post("/v1/chat/completions", "", &body)
}

/// One client: of ten exchanges three are left in their middle, and one meets a target that fails.
async fn client(address: SocketAddr, lane: u64, begun: Instant, until: Instant, tally: Arc<Tally>) {
    let mut kept = Client::connect(address).await;
    let mut number = lane;
    while Instant::now() < until {
        number += 1;
        tally.exchanges.fetch_add(1, Ordering::Relaxed);
        match number % 10 {
            0 | 3 | 6 => {
                tally.aborts.fetch_add(1, Ordering::Relaxed);
                leave(address, number).await;
            }
            9 => {
                tally.faults.fetch_add(1, Ordering::Relaxed);
                let how = if number % 20 < 10 {
                    "\"stream\":true,"
                } else {
                    ""
                };
                served(&mut kept, address, &ask("shaky", how)).await;
            }
            1 | 4 | 7 => {
                let answer = served(&mut kept, address, &ask("model", "\"stream\":true,")).await;
                assert_eq!(answer.events().last().unwrap(), "[DONE]");
            }
            _ => {
                let at = Instant::now();
                served(&mut kept, address, &ask("quick", "")).await;
                let time = (at - begun).as_secs_f64();
                tally.times.lock().push((time, at.elapsed()));
            }
        }
        // Traffic, not saturation: what is measured are the exchanges, not their queue.
        sleep(Duration::from_millis(40 + number * 7 % 50)).await;
    }
}

/// Asks on a connection that is kept until it is told to go: after so many requests it is.
async fn served(kept: &mut Client, address: SocketAddr, request: &[u8]) -> Answer {
    kept.send(request).await;
    let answer = kept.answer().await;
    assert_eq!((answer.status, answer.complete), (200, true), "{answer:?}");
    if answer.header("connection") == Some("close") {
        *kept = Client::connect(address).await;
    }
    answer
}

/// Asks for a stream and leaves in the middle of it, by FIN or RST.
async fn leave(address: SocketAddr, number: u64) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(&ask("model", "\"stream\":true,"))
        .await
        .unwrap();
    let mut come = [0; 300];
    if !number.is_multiple_of(3) {
        let read = timeout(PATIENCE, stream.read(&mut come)).await;
        assert!(read.expect("an answer in time").unwrap() > 0);
    }
    if number.is_multiple_of(2) {
        stream.set_zero_linger().unwrap();
    }
}

/// The slope of a line through points, and how far it may be off (95 %).
#[expect(clippy::cast_precision_loss, reason = "some thousand points")]
fn slope(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let common: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let slope = common / spread;
    let rest = points
        .iter()
        .map(|point| (point.1 - y - slope * (point.0 - x)).powi(2));
    let error = (rest.sum::<f64>() / (count - 2.0) / spread).sqrt();
    (slope, 1.96 * error)
}

fn p99(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let place = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

fn config(provider: SocketAddr) -> String {
    format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         log: {{ access: ./access.log }}\naccounts: {{ store: {{ path: ./usage.db }} }}\n\
         providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
         defaults: {{ breaker: off, retries: {{ same_target: 0 }} }}\n\
         routes:\n  quick: \"sim/sim:tokens=3\"\n  model: \"sim/sim:tokens=40,delay=2ms\"\n  \
         shaky: {{ tiers: [[\"sim/sim:tokens=9,cut@0\"], [\"sim/sim:tokens=9,status=500\"], [\"sim/sim:tokens=9\"]] }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_traffic_leaves_nothing_behind() {
    let wanted = std::env::var("SEGUE_SOAK")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    let time = wanted.map_or(SLICE, Duration::from_secs);
    let options = Options {
        journal: 0,
        ..Options::default()
    };
    let sim = Sim::start(options).await.unwrap();
    let process = Process::start(&config(sim.address())).await;
    let address = process.address().await;
    let tally = Arc::new(Tally::default());
    let begun = Instant::now();
    let until = begun + time;
    let mut all = JoinSet::new();
    for lane in 0..LANES {
        all.spawn(client(address, lane * 3, begun, until, Arc::clone(&tally)));
    }
    let reload_every = (time / 10).min(Duration::from_mins(1));
    let (mut reload_at, mut reloads) = (begun + reload_every, 0);
    while Instant::now() < until {
        sleep(Duration::from_millis(500)).await;
        let second = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
        tally
            .memory
            .lock()
            .push((second, process.resident() as f64));
        if Instant::now() > reload_at {
            process.signal("HUP");
            reloads += 1;
            reload_at += reload_every;
        }
    }
    all.join_all().await;
    judge(&tally, time, reloads);
    assert!(reloads > 2);
    settled(&process).await;
}

/// Nothing of the traffic is left.
async fn settled(process: &Process) {
    let admin = process.admin().await;
    for series in [
        "segue_exchanges_in_flight",
        "segue_buffered_bytes",
        "segue_connections{state=\"open\"}",
    ] {
        shows(admin, series, 0.0).await;
    }
    let metrics = page(admin, "/metrics").await;
    for series in [
        "segue_panics_total",
        "segue_store_lost_entries_total",
        "segue_access_log_dropped_total",
    ] {
        assert_eq!(metric(metrics.text(), series), Some(0.0), "{series}");
    }
    process.said_times("is in force", 1).await;
    // Idle connections to the provider are few: no more than clients there were.
    let descriptors = process.descriptors();
    println!("{descriptors} descriptors at the end");
    assert!(
        descriptors < 40 + 2 * usize::try_from(LANES).unwrap(),
        "{descriptors}"
    );
}

/// Holds what was measured against what is promised.
fn judge(tally: &Tally, time: Duration, reloads: u32) {
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let (seconds, times) = (time.as_secs_f64(), tally.times.lock());
    let part = |from: f64, to: f64| {
        let within = times
            .iter()
            .filter(move |(at, _)| (from * seconds..to * seconds).contains(at));
        p99(within.map(|(_, took)| *took))
    };
    let (first, last) = (part(0.1, 0.4), part(0.7, 1.0));
    let memory = tally.memory.lock();
    // The first fifth is warm-up.
    let warm: Vec<_> = memory
        .iter()
        .copied()
        .filter(|(at, _)| *at > seconds / 5.0)
        .collect();
    let (slope, error) = slope(&warm);
    let (hourly, error) = (slope * 3_600.0, error * 3_600.0);
    println!(
        "{} exchanges in {time:?}, {} left, {} with a fault, {reloads} reloads; p99 {first:?}, then {last:?}; \
         {:.1} MiB, growing by {:.2} MiB an hour, give or take {:.2}",
        count(&tally.exchanges),
        count(&tally.aborts),
        count(&tally.faults),
        warm.last().map_or(0.0, |point| point.1 / SLOPE),
        hourly / SLOPE,
        error / SLOPE,
    );
    if time < TELLING {
        return;
    }
    assert!(hourly - error < SLOPE, "{hourly} bytes an hour");
    assert!(
        last <= first.mul_f64(1.1).max(first + Duration::from_millis(2)),
        "{first:?}, then {last:?}"
    );
}
