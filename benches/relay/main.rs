//! Side by side in one run: bare Pingora, segue and (where installed) nginx before one upstream.
//!
//! `cargo bench --bench relay [-- ROUNDS]`. Each proxy has one worker thread and one core to
//! itself; upstream and load share the other. Each round starts every proxy anew, since where its
//! memory happens to lie is worth a twentieth, and is cut into short turns in which each has its
//! go, the first one another each time: what else the machine does falls on all of them. Printed
//! are the medians of all turns and their ratio to bare Pingora's. CPU is the kernel's own account
//! (`/proc/PID/task/*/schedstat`, nanoseconds).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a bench is run by hand; it may stop at the first surprise, and it prints"
)]

#[path = "../../examples/bare.rs"]
mod bare;
mod load;
mod proxies;
mod upstream;

use std::collections::BTreeMap;
use std::time::Duration;

use load::Work;
use proxies::Proxy;

/// What each proxy came to, turn by turn.
type Figures = BTreeMap<&'static str, Vec<f64>>;

const ROUNDS: usize = 9;

/// Something to measure.
struct Measure {
    name: &'static str,
    what: What,
    /// How often each proxy has its go in a round.
    turns: usize,
    figures: Figures,
}

#[derive(Clone, Copy)]
enum What {
    /// CPU of the proxy per unit of work, in microseconds.
    Cpu(Work),
    /// The median time of so many requests, one after the other, in microseconds.
    Latency { requests: usize },
    /// What an open stream adds to the resident memory, in KiB, with so many open.
    MemoryPerStream { streams: u16 },
    /// Resident memory before any load, in MiB.
    IdleMemory,
}

fn measures() -> [Measure; 6] {
    let measure = |name, what, turns| Measure {
        name,
        what,
        turns,
        figures: Figures::new(),
    };
    let whole = |body, clients| {
        What::Cpu(Work::Whole {
            body,
            clients,
            run: Duration::from_millis(500),
        })
    };
    let (small, long) = (whole(1 << 10, 64), whole(200 << 10, 8));
    let streams = What::Cpu(Work::Stream {
        clients: 100,
        run: Duration::from_secs(1),
    });
    let latency = What::Latency { requests: 100 };
    let memory = What::MemoryPerStream { streams: 1_000 };
    [
        measure("CPU per 1 KB request, 64 connections (µs)", small, 4),
        measure("CPU per 200 KB prompt, 8 connections (µs)", long, 4),
        measure("CPU per streamed chunk, 100 streams (µs)", streams, 2),
        measure("latency, one request at a time (µs)", latency, 20),
        measure("memory per open stream (KiB)", memory, 1),
        measure("memory when idle (MiB)", What::IdleMemory, 1),
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|argument| argument == "bare") {
        return bare::main();
    }
    let rounds = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(ROUNDS);
    if std::env::var_os("SEGUE_BENCH_PINNED").is_none() {
        return proxies::run_pinned(rounds);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run(rounds));
}

async fn run(rounds: usize) {
    let upstream = upstream::start().await;
    let mut measures = measures();
    for round in 0..rounds {
        let proxies = proxies::start(upstream).await;
        for measure in &mut measures {
            for turn in round..round + measure.turns {
                for at in 0..proxies.len() {
                    let proxy = &proxies[(at + turn) % proxies.len()];
                    let figure = measure.what.of(proxy).await;
                    measure.figures.entry(proxy.name).or_default().push(figure);
                }
            }
        }
    }
    for Measure { name, figures, .. } in &measures {
        report(name, figures);
    }
}

impl What {
    async fn of(self, proxy: &Proxy) -> f64 {
        match self {
            Self::Cpu(work) => {
                let before = proxy.cpu_nanos();
                let units = load::run(proxy.address, work).await;
                let spent = proxy.cpu_nanos() - before;
                spent as f64 / 1_000.0 / units as f64
            }
            Self::Latency { requests } => load::latency(proxy.address, requests).await,
            Self::MemoryPerStream { streams } => {
                let before = proxy.resident_kib();
                let open = load::open_streams(proxy.address, streams).await;
                let taken = proxy.resident_kib() - before;
                drop(open);
                taken / f64::from(streams)
            }
            Self::IdleMemory => proxy.idle_kib / 1_024.0,
        }
    }
}

/// Prints medians and, in brackets, the quartiles.
fn report(name: &str, figures: &Figures) {
    println!("{name}");
    let base = percentile(&figures["bare"], 50);
    for (proxy, figures) in figures {
        let [low, median, high] = [25, 50, 75].map(|percent| percentile(figures, percent));
        let ratio = median / base;
        println!("  {proxy:<8} {median:>9.2}   {ratio:.2}x   ({low:.2} to {high:.2})");
    }
}

/// The figure below which so many percent of all figures lie.
fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * percent / 100]
}
