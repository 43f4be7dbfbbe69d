//! Side by side in one run: bare Pingora, segue and (where installed) nginx before one upstream.
//!
//! `cargo bench --bench relay [-- ROUNDS]`. Each proxy has one worker thread and one core to
//! itself; upstream and load share the other. Rounds are interleaved; what is printed is the
//! median of CPU per unit of work and its ratio to bare Pingora. CPU is the kernel's own account
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

const ROUNDS: usize = 5;

/// What is measured, and on what.
fn works() -> Vec<(&'static str, Work)> {
    let seconds = Duration::from_secs;
    vec![
        (
            "1 KB request, 64 connections",
            Work::Whole {
                body: 1 << 10,
                clients: 64,
                run: seconds(2),
            },
        ),
        (
            "200 KB prompt, 8 connections",
            Work::Whole {
                body: 200 << 10,
                clients: 8,
                run: seconds(2),
            },
        ),
        (
            "streamed chunk, 100 streams",
            Work::Stream {
                clients: 100,
                run: seconds(4),
            },
        ),
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
    let mut figures: BTreeMap<(usize, String), Vec<f64>> = BTreeMap::new();
    for round in 0..rounds {
        for (index, (_, work)) in works().iter().enumerate() {
            for at in 0..proxies.len() {
                let proxy = &proxies[(at + round) % proxies.len()];
                let cost = measure(proxy, *work).await;
                figures
                    .entry((index, proxy.name.clone()))
                    .or_default()
                    .push(cost);
            }
        }
        for at in 0..proxies.len() {
            let proxy = &proxies[(at + round) % proxies.len()];
            let latency = load::latency(proxy.address, 2_000).await;
            figures
                .entry((90, proxy.name.clone()))
                .or_default()
                .push(latency);
        }
    }
    for proxy in &proxies {
        let idle = proxy.resident_kib();
        let open = load::open_streams(proxy.address, 1_000).await;
        let per_stream = (proxy.resident_kib() - idle) / 1_000.0;
        drop(open);
        figures
            .entry((91, proxy.name.clone()))
            .or_default()
            .push(per_stream);
        figures
            .entry((92, proxy.name.clone()))
            .or_default()
            .push(proxy.idle_kib / 1_024.0);
    }
    report(&proxies, &figures);
}

/// CPU of the proxy per unit of work, in microseconds.
async fn measure(proxy: &Proxy, work: Work) -> f64 {
    let before = proxy.cpu_nanos();
    let units = load::run(proxy.address, work).await;
    let spent = proxy.cpu_nanos() - before;
    spent as f64 / 1_000.0 / units as f64
}

fn report(proxies: &[Proxy], figures: &BTreeMap<(usize, String), Vec<f64>>) {
    let mut names: BTreeMap<usize, String> = works()
        .iter()
        .enumerate()
        .map(|(index, (name, _))| (index, format!("CPU per {name} (µs)")))
        .collect();
    names.insert(90, "latency, one request at a time (µs)".to_owned());
    names.insert(91, "memory per open stream (KiB)".to_owned());
    names.insert(92, "memory when idle (MiB)".to_owned());
    for (index, name) in names {
        println!("{name}");
        let base = median(&figures[&(index, "bare".to_owned())]);
        for proxy in proxies {
            let values = &figures[&(index, proxy.name.clone())];
            let value = median(values);
            let (least, most) = values
                .iter()
                .fold((f64::MAX, 0.0_f64), |(least, most), value| {
                    (least.min(*value), most.max(*value))
                });
            let ratio = value / base;
            println!(
                "  {:<8} {value:>9.2}   {ratio:.2}x   ({least:.2} to {most:.2})",
                proxy.name
            );
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
