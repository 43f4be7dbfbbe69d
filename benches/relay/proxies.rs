//! The proxies under test, each a process of its own on a core of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A proxy that runs. Ended when dropped.
pub struct Proxy {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Resident memory once it served its first request, before any load.
    pub idle_kib: f64,
    child: Child,
    worker: u32,
    _files: Option<tempfile::TempDir>,
}

/// A route with a price and bounds that never bite, so that each attempt is covered, settled, stored.
const COUNTED: &str = "{ tiers: [[{ target: up/m, price: { input: 3, output: 15 } }]], \
    budget: { usd: 1000000, per: day }, limits: { tokens_per_minute: 4000000000 } }";
const ACCOUNTS: &str = "accounts: { store: { path: ./usage.db } }\n";

/// Runs this program anew on core 0, where upstream and load live.
pub fn run_pinned(rounds: usize) {
    let me = std::env::current_exe().unwrap();
    let status = Command::new("taskset")
        .args(["-c", "0"])
        .arg(me)
        .arg(rounds.to_string())
        .env("SEGUE_BENCH_PINNED", "1")
        .status()
        .expect("taskset (util-linux) is needed");
    assert!(status.success());
}

/// Starts every proxy that is there.
pub async fn start(upstream: SocketAddr) -> Vec<Proxy> {
    let held = "{ tiers: [[up/m], [up/n]] }";
    let mut proxies = vec![
        bare(upstream),
        segue("segue", upstream, "up/m", ""),
        segue("holding", upstream, held, ""),
        segue("accounts", upstream, COUNTED, ACCOUNTS),
    ];
    if let Some(nginx) = nginx(upstream) {
        proxies.push(nginx);
    }
    for proxy in &mut proxies {
        wait_for(proxy.address);
        super::load::latency(proxy.address, 1).await;
        proxy.worker = worker_of(proxy.child.id());
        proxy.idle_kib = proxy.resident_kib();
    }
    proxies
}

fn pinned(program: &std::path::Path) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["-c", "1"])
        .arg(program)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

fn bare(upstream: SocketAddr) -> Proxy {
    let address = free_address();
    let me = std::env::current_exe().unwrap();
    let mut command = pinned(&me);
    command.args(["bare", &address.to_string(), &upstream.to_string()]);
    Proxy::start("bare", address, command, None)
}

/// A single target holds nothing; a chain holds the head of each stream.
fn segue(name: &'static str, upstream: SocketAddr, route: &str, more: &str) -> Proxy {
    let address = free_address();
    let files = tempfile::tempdir().unwrap();
    let config = files.path().join("segue.yaml");
    let text = format!(
        "listen: [{{ address: \"{address}\" }}]\nadmin: off\nlog: {{ access: off }}\n\
         providers:\n  up: {{ dialect: openai, base_url: \"http://{upstream}/v1\", private_peers: true }}\n\
         routes:\n  bench: {route}\n{more}"
    );
    fs::write(&config, text).unwrap();
    let mut command = pinned(std::path::Path::new(env!("CARGO_BIN_EXE_segue")));
    command
        .arg("run")
        .arg("-c")
        .arg(&config)
        .env("TOKIO_WORKER_THREADS", "1")
        .current_dir(files.path());
    Proxy::start(name, address, command, Some(files))
}

fn nginx(upstream: SocketAddr) -> Option<Proxy> {
    let program = std::path::Path::new("/usr/sbin/nginx");
    if !program.exists() {
        return None;
    }
    let address = free_address();
    let files = tempfile::tempdir().unwrap();
    let home = files.path().display().to_string();
    let config = files.path().join("nginx.conf");
    let text = format!(
        "daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; client_max_body_size 32m; client_body_buffer_size 1m;\n\
           client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f;\n\
           uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;\n\
           upstream up {{ server {upstream}; keepalive 128; }}\n\
           server {{ listen {address}; keepalive_requests 1000000;\n\
             location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_buffering off;\n\
               proxy_set_header Connection \"\"; }} }} }}\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = pinned(program);
    command.arg("-c").arg(&config).arg("-p").arg(files.path());
    Some(Proxy::start("nginx", address, command, Some(files)))
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn wait_for(address: SocketAddr) {
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The process that does the work: nginx's is a child of its master.
fn worker_of(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let child = children
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok());
    child.unwrap_or(pid)
}

impl Proxy {
    fn start(
        name: &'static str,
        address: SocketAddr,
        mut command: Command,
        files: Option<tempfile::TempDir>,
    ) -> Self {
        let child = command.spawn().expect("taskset (util-linux) is needed");
        let worker = child.id();
        Self {
            name,
            address,
            idle_kib: 0.0,
            child,
            worker,
            _files: files,
        }
    }

    /// CPU time of all its threads so far, in nanoseconds.
    pub fn cpu_nanos(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.worker)).unwrap();
        let spent = |task: std::io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        tasks.filter_map(spent).sum()
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.worker)).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Pingora's own end may take minutes. nginx, whose workers would outlive it, is quicker.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
