//! Counts that machines share: two of the real binary before one real Redis, which stops, is slow,
//! dies and comes back.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::Commands as _;
use segue::sim::{Options, Sim};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::edge_stage::{Authority, Process, metric, page, shows};
use crate::support::{Client, PATIENCE, post};

/// A Redis of the test's own. Dropped, it is killed.
struct Redis {
    folder: TempDir,
    port: u16,
    child: Child,
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

impl Redis {
    async fn start() -> Self {
        Self::with(tempfile::tempdir().unwrap(), "").await
    }

    /// One with more in its config file; its folder may hold what that names.
    async fn with(folder: TempDir, config: &str) -> Self {
        let port = free_port();
        std::fs::write(folder.path().join("redis.conf"), config).unwrap();
        let child = Self::spawn(&folder, port).await;
        Self {
            folder,
            port,
            child,
        }
    }

    async fn spawn(folder: &TempDir, port: u16) -> Child {
        let child = Command::new("redis-server")
            .arg(folder.path().join("redis.conf"))
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "local", "--port"])
            .arg(port.to_string())
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is needed: apt-get install redis-server");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "redis-server does not listen");
            sleep(Duration::from_millis(10)).await;
        }
        child
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success(), "{kill}");
    }

    async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.folder, self.port).await;
    }

    /// What a command about its cluster comes to.
    fn cluster<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut cmd = redis::cmd("CLUSTER");
        cmd.arg(words).query(&mut self.connection()).unwrap()
    }

    fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        client.get_connection().unwrap()
    }

    /// A number of the count of everybody.
    fn number(&self, field: &str) -> i64 {
        let key = format!("{{segue}}all:everybody:{}", "0".repeat(32));
        let found: Option<i64> = self.connection().hget(key, field).unwrap();
        found.unwrap_or_default()
    }

    /// Waits until a number is this.
    async fn shows(&self, field: &str, expected: i64) {
        let began = Instant::now();
        while self.number(field) != expected {
            let found = self.number(field);
            assert!(
                began.elapsed() < PATIENCE,
                "{field}: {found}, not {expected}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A token costs a cent.
fn config(sim: &Sim, redis: &Redis, timeout: &str, quota: &str) -> String {
    let (provider, port) = (sim.address(), redis.port);
    format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\nlog: {{ access: off }}\n\
         limits: {{ connections_per_address: 2000 }}\n\
         providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
         routes:\n  model: {{ tiers: [[{{ target: sim/m, price: {{ input: 10000, output: 10000 }} }}]] }}\n\
         quotas: [{{ name: everybody, for: all, {quota} }}]\n\
         accounts: {{ shared: {{ redis: \"redis://127.0.0.1:{port}\", timeout: {timeout} }} }}\n"
    )
}

const BODY: &str =
    r#"{"model":"model","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;

async fn sim() -> Sim {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("m", "tokens=3".parse().unwrap());
    sim
}

async fn start(config: &str) -> Process {
    let process = Process::start(config).await;
    process.said("the shared counts hold").await;
    process
}

/// What came of one request: the status, and what was really spent, in millionths of a dollar.
async fn ask(client: &mut Client) -> (u16, i64) {
    client.send(&post("/v1/chat/completions", "", BODY)).await;
    let answer = client.answer().await;
    if answer.status != 200 {
        return (answer.status, 0);
    }
    let tokens = answer.json()["usage"]["total_tokens"].as_i64().unwrap();
    (200, tokens * 10_000)
}

async fn once(address: SocketAddr) -> (u16, i64) {
    ask(&mut Client::connect(address).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_never_spend_more_than_one_dollar_of_one_dollar() {
    let (sim, redis) = (sim().await, Redis::start().await);
    let config = config(&sim, &redis, "1s", "budget: { usd: 1, per: day }");
    let machines = [start(&config).await, start(&config).await];
    let mut addresses = Vec::new();
    for machine in &machines {
        addresses.push(machine.address().await);
    }
    let mut asked = JoinSet::new();
    for number in 0..500 {
        asked.spawn(once(addresses[number % 2]));
    }
    let (mut served, mut spent) = (0, 0);
    for (status, cost) in asked.join_all().await {
        assert!([200, 429].contains(&status), "{status}");
        served += i64::from(status == 200);
        spent += cost;
    }
    assert!(served > 0 && spent <= 1_000_000, "{served} for {spent}");
    assert_eq!(served, i64::try_from(sim.journal().received()).unwrap());
    redis.shows("d", spent).await;
    redis.shows("m", spent).await;
    redis.shows("v", 0).await;
    // What is left is less than one may take, and it is so on both.
    loop {
        let (status, cost) = once(addresses[0]).await;
        spent += cost;
        if status == 429 {
            break;
        }
        redis.shows("d", spent).await;
    }
    assert_eq!(once(addresses[1]).await.0, 429);
    for machine in &machines {
        let metrics = page(machine.admin().await, "/metrics").await;
        let local = metric(metrics.text(), "segue_shared_fallbacks_total");
        assert_eq!(local, Some(0.0), "Redis decided all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_hold_one_limit_of_requests_and_both_tell_what_is_left() {
    let (sim, redis) = (sim().await, Redis::start().await);
    let config = config(&sim, &redis, "1s", "limits: { requests_per_minute: 10 }");
    let machines = [start(&config).await, start(&config).await];
    let (began, mut left, mut served) = (Instant::now(), Vec::new(), 0);
    for number in 0..30 {
        let mut client = machines[number % 2].client().await;
        client.send(&post("/v1/chat/completions", "", BODY)).await;
        let answer = client.answer().await;
        served += u64::from(answer.status == 200);
        assert_eq!(answer.status == 429, answer.header("retry-after").is_some());
        let remaining = answer.header("x-ratelimit-remaining-requests").unwrap();
        left.push(remaining.parse::<u64>().unwrap());
    }
    let more = began.elapsed().as_secs() / 6 + 1;
    assert!((10..=10 + more).contains(&served), "{served}");
    assert_eq!(left[..3], [9, 8, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_redis_no_exchange_fails_and_the_counts_meet_again() {
    let (sim, mut redis) = (sim().await, Redis::start().await);
    let quota = "limits: { requests_per_minute: 1000000, concurrent: 1000 }, budget: { usd: 100000, per: day }";
    let config = config(&sim, &redis, "20ms", quota);
    let machines = [start(&config).await, start(&config).await];
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..8 {
        let address = machines[number % 2].address().await;
        let over = Arc::clone(&over);
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            let (mut spent, mut slowest) = (0, Duration::ZERO);
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                let (status, cost) = ask(&mut client).await;
                assert_eq!(status, 200);
                slowest = slowest.max(began.elapsed());
                spent += cost;
                sleep(Duration::from_millis(5)).await;
            }
            (spent, slowest)
        });
    }
    let admin = machines[0].admin().await;
    let down = async || shows(admin, "segue_shared_up", 0.0).await;
    let up = async || shows(admin, "segue_shared_up", 1.0).await;
    sleep(Duration::from_millis(300)).await;

    redis.signal("STOP");
    down().await;
    sleep(Duration::from_secs(2)).await;
    redis.signal("CONT");
    up().await;

    for _ in 0..2 {
        let mut connection = redis.connection();
        let slow = tokio::task::spawn_blocking(move || {
            let mut sleep = redis::cmd("DEBUG");
            sleep.arg("SLEEP").arg(1).exec(&mut connection).unwrap();
        });
        slow.await.unwrap();
    }
    up().await;

    redis.restart().await;
    down().await;
    up().await;
    sleep(Duration::from_millis(300)).await;

    over.store(true, Ordering::Relaxed);
    let (mut spent, mut slowest) = (0, Duration::ZERO);
    for (cost, time) in clients.join_all().await {
        spent += cost;
        slowest = slowest.max(time);
    }
    println!("the slowest exchange took {slowest:?}");
    // An exchange waits 20 ms at most; without the bound it would have been seconds.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    redis.shows("d", spent).await;
    redis.shows("w", spent).await;
    redis.shows("v", 0).await;
    let metrics = page(admin, "/metrics").await;
    let local = metric(metrics.text(), "segue_shared_fallbacks_total");
    assert!(local > Some(0.0), "{local:?}");
    assert_eq!(metric(metrics.text(), "segue_shared_lost_total"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_asked_over_tls_by_a_user_with_few_rights_and_never_without_a_certificate_that_holds()
 {
    const SECRET: &str = "canary-redis-password-0001";
    let (sim, files) = (sim().await, tempfile::tempdir().unwrap());
    let authority = Authority::new();
    authority.write(files.path(), "redis", &["127.0.0.1"]);
    authority.write_root(files.path(), "root.pem");
    let root = files.path().join("root.pem").display().to_string();
    let (tls, folder) = (free_port(), files.path().display().to_string());
    let redis = Redis::with(
        files,
        &format!(
            "tls-port {tls}\ntls-cert-file {folder}/redis.pem\ntls-key-file {folder}/redis.key\n\
             tls-ca-cert-file {root}\ntls-auth-clients no\n\
             user segue on >{SECRET} ~{{segue}}* +evalsha +script|load +client +ping +time \
             +@string +@hash +@sortedset +expire +pexpire +ttl +pttl +del\n"
        ),
    )
    .await;
    let config = config(&sim, &redis, "1s", "limits: { requests_per_minute: 2 }").replace(
        &format!("\"redis://127.0.0.1:{}\"", redis.port),
        &format!("\"rediss://127.0.0.1:{tls}\", user: segue, password: env:REDIS_PASSWORD"),
    );
    let spawn = |trusted: Option<&str>| {
        let environment = [
            ("REDIS_PASSWORD", SECRET),
            ("RUST_LOG", "debug"),
            (
                "SSL_CERT_FILE",
                trusted.unwrap_or("/etc/ssl/certs/ca-certificates.crt"),
            ),
        ];
        Process::spawn(tempfile::tempdir().unwrap(), &config, &environment)
    };
    let machines = [spawn(Some(&root)), spawn(Some(&root))];
    let mut statuses = Vec::new();
    for machine in &machines {
        machine.said("the shared counts hold").await;
        for _ in 0..2 {
            statuses.push(once(machine.address().await).await.0);
        }
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    let stranger = spawn(None);
    stranger.said("the shared counts are out of reach").await;
    assert_eq!(once(stranger.address().await).await.0, 200, "by itself");
    for machine in machines.iter().chain([&stranger]) {
        let lines = machine.lines().join("\n");
        assert!(!lines.contains(SECRET), "{lines}");
    }
}

/// Whether a machine leaves the target alone, by its status page.
async fn leaves_alone(machine: &Process, target: &str) -> bool {
    let status = page(machine.admin().await, "/status").await.json();
    let targets = status["routes"][0]["targets"].as_array().unwrap().clone();
    let found = targets.iter().find(|one| one["target"] == target).unwrap();
    found["breaker"] == "open"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_on_one_machine_is_left_alone_by_the_other() {
    let (sim, redis) = (sim().await, Redis::start().await);
    let limit = "limits: { requests_per_minute: 1000 }";
    let config = config(&sim, &redis, "1s", limit).replace(
        "tiers: [[{ target: sim/m, price: { input: 10000, output: 10000 } }]]",
        "tiers: [[sim/ill], [sim/m]], retries: { same_target: 0 }, breaker: { failures: 2, open: 1m }",
    );
    sim.script("ill", "status=503".parse().unwrap());
    let machines = [start(&config).await, start(&config).await];
    let mut client = machines[0].client().await;
    for _ in 0..2 {
        assert_eq!(ask(&mut client).await.0, 200);
    }
    assert!(leaves_alone(&machines[0], "sim/ill").await);
    let began = Instant::now();
    while !leaves_alone(&machines[1], "sim/ill").await {
        assert!(began.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
    let before = sim.journal().received();
    assert_eq!(once(machines[1].address().await).await.0, 200);
    assert_eq!(
        sim.journal().received(),
        before + 1,
        "only the one that is well"
    );
    // A third that comes later hears of it too.
    let late = start(&config).await;
    let began = Instant::now();
    while !leaves_alone(&late, "sim/ill").await {
        assert!(began.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_dies_gives_its_places_back_within_a_minute() {
    let (sim, redis) = (sim().await, Redis::start().await);
    let config = config(&sim, &redis, "1s", "limits: { concurrent: 2 }");
    let (dying, living) = (start(&config).await, start(&config).await);
    sim.script("m", "hang".parse().unwrap());
    let mut hanging = Vec::new();
    for _ in 0..2 {
        let mut client = dying.client().await;
        client.send(&post("/v1/chat/completions", "", BODY)).await;
        hanging.push(client);
    }
    shows(dying.admin().await, "segue_shared_decisions_total", 2.0).await;
    sim.script("m", "tokens=3".parse().unwrap());
    let address = living.address().await;
    assert_eq!(once(address).await.0, 429);
    dying.signal("KILL");
    dying.exit().await;
    let began = Instant::now();
    while once(address).await.0 != 200 {
        assert!(began.elapsed() < Duration::from_mins(1));
        sleep(Duration::from_millis(500)).await;
    }
}

/// Two nodes of a cluster; the second has all slots.
async fn cluster() -> [Redis; 2] {
    let buses = [free_port(), free_port()];
    let node = |bus| {
        let config = format!("cluster-enabled yes\ncluster-port {bus}\n");
        async move { Redis::with(tempfile::tempdir().unwrap(), &config).await }
    };
    let nodes = [node(buses[0]).await, node(buses[1]).await];
    let meet = [
        "MEET",
        "127.0.0.1",
        &nodes[1].port.to_string(),
        &buses[1].to_string(),
    ];
    nodes[0].cluster::<()>(&meet);
    nodes[1].cluster::<()>(&["ADDSLOTSRANGE", "0", "16383"]);
    let began = Instant::now();
    let is_well = |node: &Redis| {
        let told: String = node.cluster(&["INFO"]);
        told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:2")
    };
    while !nodes.iter().all(is_well) {
        assert!(began.elapsed() < PATIENCE, "the nodes do not meet");
        sleep(Duration::from_millis(20)).await;
    }
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_are_followed_to_the_node_of_a_cluster_that_has_them() {
    let (sim, [asked, owner]) = (sim().await, cluster().await);
    let config = config(&sim, &asked, "1s", "budget: { usd: 100, per: day }");
    let process = start(&config).await;
    let address = process.address().await;
    let (status, mut spent) = once(address).await;
    assert_eq!(status, 200);
    owner.shows("d", spent).await;

    // They move on, and what had been counted is lost on the way.
    let slot: u16 = owner.cluster(&["KEYSLOT", "{segue}"]);
    let slot = slot.to_string();
    let heir: String = asked.cluster(&["MYID"]);
    redis::cmd("FLUSHALL")
        .exec(&mut owner.connection())
        .unwrap();
    for node in [&asked, &owner] {
        node.cluster::<()>(&["SETSLOT", &slot, "NODE", &heir]);
    }
    asked.cluster::<redis::Value>(&["BUMPEPOCH"]);
    let (status, cost) = once(address).await;
    spent += cost;
    assert_eq!(status, 200);
    asked.shows("d", spent).await;
    process.said_times("the shared counts hold", 2).await;
}
