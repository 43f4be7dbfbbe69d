//! Attacks on the real binary, with the limits that it is shipped with, while honest clients go on.
//!
//! A slice of seconds, a tenth of the strength: what must hold whatever the machine does. With
//! `SEGUE_SIEGE=full` (`.ci/run siege`) all of it, and the honest clients' times are held to what is promised.

mod cage;
mod cost;
mod floods;
mod memory;
mod slow;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use segue::sim::{Options, Sim};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::cage::Cage;
use crate::edge_stage::{Authority, Http2, Process, metric, page};
use crate::support::{Client, PATIENCE, post};

/// An honest client's key, and one that is in an attacker's hands.
const HONEST: &str = "key-of-an-honest-client";
const STOLEN: &str = "key-that-was-stolen";

/// What the process may grow by.
const GROWTH: u64 = 128 << 20;

/// Whether all of it is wanted.
fn is_full() -> bool {
    std::env::var("SEGUE_SIEGE").is_ok_and(|how| how == "full")
}

/// This much, or in a slice that.
fn of<T>(full: T, slice: T) -> T {
    if is_full() { full } else { slice }
}

/// A proxy with a plain and a TLS listener before a simulator.
struct Stage {
    sim: Sim,
    process: Process,
    /// Gone after the process.
    cage: Option<Cage>,
    plain: SocketAddr,
    secure: SocketAddr,
    admin: SocketAddr,
    authority: Authority,
}

impl Stage {
    async fn new(limits: &str) -> Self {
        Self::within(None, limits).await
    }

    /// The same inside a control group, where there is one.
    async fn within(cage: Option<Cage>, limits: &str) -> Self {
        let options = Options {
            journal: 0,
            ..Options::default()
        };
        let sim = Sim::start(options).await.unwrap();
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        authority.write(folder.path(), "own", &["localhost"]);
        let provider = sim.address();
        let config = format!(
            "listen:\n- address: \"127.0.0.1:0\"\n- address: \"127.0.0.1:0\"\n  \
             tls: {{ certificate: ./own.pem, key: ./own.key }}\n\
             admin: {{ address: \"127.0.0.1:0\" }}\nlog: {{ access: off }}\n\
             allow_literal_secrets: true\n\
             keys: [{{ name: honest, secret: {HONEST} }}, {{ name: stolen, secret: {STOLEN} }}]\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes: {{ model: sim/m, endless: \"sim/sim:tokens=inf,token_bytes=16KiB\" }}\n{limits}\n"
        );
        let program = env!("CARGO_BIN_EXE_segue");
        let command = match &cage {
            Some(cage) => cage.command(program),
            None => Command::new(program),
        };
        let process = Process::spawn_by(command, folder, &config, &[]);
        let admin = process.admin().await;
        let plain = process.address().await;
        let second = process.said_times("listening on ", 2).await;
        let secure = second.rsplit(' ').next().unwrap().parse().unwrap();
        sim.script("m", "tokens=5".parse().unwrap());
        Self {
            sim,
            process,
            cage,
            plain,
            secure,
            admin,
            authority,
        }
    }

    /// The value of a metric.
    async fn told(&self, series: &str) -> f64 {
        let metrics = page(self.admin, "/metrics").await;
        metric(metrics.text(), series).unwrap_or_default()
    }

    /// Honest clients, for as long as `attack` runs: how long each exchange took. Every one of them
    /// must be served.
    async fn honest(&self, attack: JoinSet<()>) -> Vec<Duration> {
        let mut times = Vec::new();
        let mut kept = Client::connect(self.plain).await;
        let caller = self.authority.caller().alpn(&[b"h2"]);
        let stream = caller.call(self.secure, "localhost").await.unwrap();
        let multiplexed = Http2::over(stream).await;
        let ended = async { attack.join_all().await };
        let mut ended = std::pin::pin!(ended);
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                biased;
                _ = &mut ended => break,
                _ = pace.tick() => {}
            }
            let begun = Instant::now();
            served(&mut kept).await;
            times.push(begun.elapsed());
            served(&mut Client::connect(self.plain).await).await;
            let answer =
                crate::edge_stage::read(multiplexed.send(chat_h2(), Some(BODY.into())).await.0);
            assert_eq!(answer.await.unwrap().status, 200);
        }
        assert_eq!(page(self.admin, "/health/ready").await.status, 200);
        times
    }

    /// The same while nobody attacks.
    async fn calm(&self, time: Duration) -> Vec<Duration> {
        let mut nothing = JoinSet::new();
        nothing.spawn(tokio::time::sleep(time));
        self.honest(nothing).await
    }

    /// Honest clients under attacks of so many turns, each held against the calm before it: a machine that is not ours
    /// alone has its good minutes and its bad ones. And the memory against that before all.
    async fn withstands(
        &self,
        name: &str,
        (turns, time): (u32, Duration),
        attack: impl Fn(Instant) -> JoinSet<()>,
    ) {
        let before = self.process.resident();
        let (mut calm, mut attacked) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            if is_full() {
                calm.extend(self.calm(time.min(Duration::from_secs(20))).await);
            }
            attacked.extend(self.honest(attack(Instant::now() + time)).await);
        }
        let grown = self.process.resident().saturating_sub(before);
        let (count, calm, attacked) = (attacked.len(), p99(calm), p99(attacked));
        println!(
            "{name}: {count} honest exchanges, all served; p99 {attacked:?}, calm {calm:?}; {} KiB more memory",
            grown >> 10
        );
        assert!(grown <= GROWTH, "{name}: {grown} bytes");
        assert!(self.told("segue_panics_total").await < 1.0, "{name}");
        if is_full() {
            let most = (calm * 2).max(calm + Duration::from_millis(5));
            assert!(attacked <= most, "{name}: {attacked:?}");
        }
    }
}

const BODY: &str = r#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#;

fn chat_h2() -> http::Request<()> {
    http::Request::post("https://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {HONEST}"))
        .body(())
        .unwrap()
}

fn chat(key: &str, body: &str) -> Vec<u8> {
    let key = format!("authorization: Bearer {key}\r\n");
    post("/v1/chat/completions", &key, body)
}

async fn served(client: &mut Client) {
    client.send(&chat(HONEST, BODY)).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.complete), (200, true), "{answer:?}");
}

/// What 99 of 100 did not exceed.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let place = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

/// Attackers on a thread that yields to all others: what they spend is another machine's. At a low
/// priority it would still run to the end of its slice, milliseconds, while others wait.
fn elsewhere<F>(attackers: Vec<F>) -> JoinSet<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let thread = nix::unistd::gettid().to_string();
        let idle = Command::new("chrt")
            .args(["--idle", "--pid", "0", &thread])
            .output()
            .unwrap();
        assert!(idle.status.success(), "{idle:?}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async { JoinSet::from_iter(attackers).join_all().await });
        end.send(()).unwrap();
    });
    let mut all = JoinSet::new();
    all.spawn(async { ended.await.unwrap() });
    all
}

/// A connection from the loopback address of that number, so that the cap on an address spares others;
/// the kernel takes little of what is not read. `None` when it was refused.
async fn connect(from: u8, to: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 1, from));
    socket.bind(SocketAddr::new(address, 0)).unwrap();
    tokio::time::timeout(PATIENCE, socket.connect(to))
        .await
        .ok()?
        .ok()
}
