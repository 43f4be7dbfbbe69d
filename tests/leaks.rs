//! Ten thousand clients that leave, and nothing that stays: neither a task nor a descriptor, nor a
//! connection to a provider, nor a count.
//!
//! A binary of its own with a single test, since what it counts are the whole process's.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics is a test that fails"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use segue::config;
use segue::edge::Running;
use segue::sim::{Options, Sim};
use segue::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

const ABORTS: usize = 10_000;
const AT_ONCE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(30);

/// What the provider does, and how many bytes of the answer a client waits for before it leaves.
const PHASES: [(&str, usize); 5] = [
    ("hang", 0),
    ("stall@0", 0),
    ("stall@3", 400),
    ("tokens=inf,delay=1ms", 700),
    ("status=500,stall@10b", 0),
];

fn edge(provider: SocketAddr) -> Running {
    let routes: Vec<String> = (0..PHASES.len())
        .map(|phase| format!("m{phase}: sim/m{phase}"))
        .collect();
    let routes = routes.join(", ");
    let text = format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         log: {{ access: off }}\n\
         providers: {{ sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }} }}\n\
         routes: {{ {routes} }}\n"
    );
    let load = move || {
        config::parse(&text, Path::new("test.yaml"), &|_| None).map_err(|errors| errors.to_string())
    };
    let settings = load().unwrap();
    let metrics = Arc::new(Metrics::try_new("test").unwrap());
    Running::start(settings, Box::new(load), metrics).unwrap()
}

/// A client that leaves in the phase of its number, by FIN or RST, and one that does so in the
/// middle of its request.
async fn abort(address: SocketAddr, number: usize) {
    let phase = number % PHASES.len();
    let body = format!(
        "{{\"model\":\"m{phase}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    );
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let sent = if number.is_multiple_of(7) {
        request.len() - 5
    } else {
        request.len()
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(request.as_bytes().get(..sent).unwrap())
        .await
        .unwrap();
    let wanted = PHASES.get(phase).map_or(0, |(_, bytes)| *bytes);
    let mut came = Vec::new();
    while sent == request.len() && came.len() < wanted {
        let read = timeout(PATIENCE, stream.read_buf(&mut came)).await;
        assert!(read.expect("an answer in time").unwrap() > 0);
    }
    if number.is_multiple_of(2) {
        stream.set_zero_linger().unwrap();
    }
}

async fn abort_all(address: SocketAddr, count: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..AT_ONCE {
        tasks.spawn(async move {
            for number in (lane..count).step_by(AT_ONCE) {
                abort(address, number).await;
            }
        });
    }
    tasks.join_all().await;
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// The number behind a key of the status page.
async fn told(admin: SocketAddr, key: &str) -> u64 {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET /status HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    status.pointer(key).unwrap().as_u64().unwrap()
}

/// Waits until the count is no more than that; nothing rings when a task or a socket is gone.
async fn until_at_most(what: &str, most: usize, count: impl Fn() -> usize) {
    let down = async {
        while count() > most {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(PATIENCE, down).await;
    assert!(waited.is_ok(), "{} {what}, {most} before", count());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_clients_that_leave_leave_nothing_behind() {
    let options = Options {
        journal: 0,
        ..Options::default()
    };
    let sim = Sim::start(options).await.unwrap();
    for (phase, (script, _)) in PHASES.iter().enumerate() {
        sim.script(&format!("m{phase}"), script.parse().unwrap());
    }
    let edge = edge(sim.address());
    let (address, admin) = (edge.addresses().remove(0), edge.admin_address().unwrap());
    // Whatever is made once and kept is there before the count.
    abort_all(address, 100).await;
    settle(&sim, admin).await;
    // The connections that asked have ended when their descriptors have.
    until_at_most("descriptors", 60, descriptors).await;
    let (tasks_before, descriptors_before) = (tasks(), descriptors());

    let begun = Instant::now();
    abort_all(address, ABORTS).await;
    println!("{ABORTS} aborts in {:?}", begun.elapsed());
    settle(&sim, admin).await;
    until_at_most("tasks", tasks_before, tasks).await;
    until_at_most("descriptors", descriptors_before, descriptors).await;
    assert_eq!(told(admin, "/buffered_bytes").await, 0);
    assert_eq!(told(admin, "/providers/0/peers/0/in_flight").await, 0);
    println!("{tasks_before} tasks and {descriptors_before} descriptors, before and after");
}

/// Waits until nothing is under way, and no connection to the provider is open: each of them
/// carried an answer that was broken off.
async fn settle(sim: &Sim, admin: SocketAddr) {
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    sim.journal()
        .wait_for_no_connection(PATIENCE)
        .await
        .unwrap();
    let idle = async {
        while told(admin, "/exchanges_in_flight").await > 0
            || told(admin, "/connections/open").await > 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, idle).await.expect("an idle proxy");
}
