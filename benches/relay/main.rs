//! Side by side in one run: bare Pingora, segue and (where installed) nginx before one upstream.
//!
//! `cargo bench --bench relay [-- ROUNDS]`. Each proxy has one worker thread and one core to
//! itself; upstream and load share the other. Each round is cut into short turns in which every
//! proxy has its go, the first one another each time: what else the machine does falls on all of
//! them. Printed are the median of all turns and its ratio to bare Pingora. CPU is the kernel's
//! own account (`/proc/PID/task/*/schedstat`, nanoseconds).
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
type Figures = BTreeMap<String, Vec<f64>>;

const ROUNDS: usize = 5;

/// What is measured.
#[derive(Clone, Copy)]
enum Measure {
    /// CPU of the proxy per unit of work, in microseconds.
    Cpu(Work),
    /// The median time of so many requests, one after the other, in microseconds.
    Latency { requests: usize },
}

/// What is measured, and in how many turns a round.
fn measures() -> Vec<(&'static str, Measure, usize)> {
    let whole = |body, clients| {
        Measure::Cpu(Work::Whole {
            body,
            clients,
            run: Duration::from_millis(500),
        })
    };
    let streams = Measure::Cpu(Work::Stream {
        clients: 100,
        run: Duration::from_secs(1),
    });
    let latency = Measure::Latency { requests: 100 };
    vec![
        (
            "CPU per 1 KB request, 64 connections (µs)",
            whole(1 << 10, 64),
            4,
        ),
        (
            "CPU per 200 KB prompt, 8 connections (µs)",
            whole(200 << 10, 8),
            4,
        ),
        ("CPU per streamed chunk, 100 streams (µs)", streams, 2),
        ("latency, one request at a time (µs)", latency, 20),
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
    let proxies = proxies::start(upstream).await;
    let mut figures: Vec<(&str, Figures)> = Vec::new();
    for (name, ..) in measures() {
        figures.push((name, Figures::new()));
    }
    for round in 0..rounds {
        for (index, (_, what, turns)) in measures().into_iter().enumerate() {
            for turn in 0..turns {
                for at in 0..proxies.len() {
                    let proxy = &proxies[(at + round + turn) % proxies.len()];
                    let figure = measure(proxy, what).await;
                    let of_proxy = figures[index].1.entry(proxy.name.clone());
                    of_proxy.or_default().push(figure);
                }
            }
        }
    }
    let (mut per_stream, mut idle) = (Figures::new(), Figures::new());
    for proxy in &proxies {
        let before = proxy.resident_kib();
        let open = load::open_streams(proxy.address, 1_000).await;
        let each = (proxy.resident_kib() - before) / 1_000.0;
        drop(open);
        per_stream.insert(proxy.name.clone(), vec![each]);
        idle.insert(proxy.name.clone(), vec![proxy.idle_kib / 1_024.0]);
    }
    figures.push(("memory per open stream (KiB)", per_stream));
    figures.push(("memory when idle (MiB)", idle));
    for (name, figures) in &figures {
        report(name, &proxies, figures);
    }
}

async fn measure(proxy: &Proxy, what: Measure) -> f64 {
    let work = match what {
        Measure::Cpu(work) => work,
        Measure::Latency { requests } => return load::latency(proxy.address, requests).await,
    };
    let before = proxy.cpu_nanos();
    let units = load::run(proxy.address, work).await;
    let spent = proxy.cpu_nanos() - before;
    spent as f64 / 1_000.0 / units as f64
}

/// Prints medians and, in brackets, the quartiles.
fn report(name: &str, proxies: &[Proxy], figures: &Figures) {
    println!("{name}");
    let base = part(&figures["bare"], 0.5);
    for proxy in proxies {
        let of_proxy = &figures[&proxy.name];
        let median = part(of_proxy, 0.5);
        println!(
            "  {:<8} {median:>9.2}   {:.2}x   ({:.2} to {:.2})",
            proxy.name,
            median / base,
            part(of_proxy, 0.25),
            part(of_proxy, 0.75)
        );
    }
}

/// The figure below which this part of all figures lies.
fn part(figures: &[f64], part: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}
