//! A kernel that fails: system calls of the running binary are made to fail by `strace -e inject=`, for a
//! while. Nothing panics and nothing spins meanwhile, and all is well again once it is over.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use segue::sim::{Options, Sim};
use tokio::time::sleep;

use crate::edge_stage::{Process, metric, page, shows};
use crate::support::{Answer, Client, PATIENCE, post};

/// System calls that fail as long as this lives.
struct Faults {
    strace: Child,
    log: PathBuf,
    begun: Instant,
}

impl Faults {
    /// Lets calls of a process fail: each of `calls` as `how` says, as in `error=EIO:when=2+3`. `None`
    /// where this user may not trace another process.
    fn begin(process: &Process, calls: &str, how: &str, more: &[&str]) -> Option<Self> {
        let log = process.path("strace.log");
        let _ = fs::remove_file(&log);
        let mut strace = Command::new("strace")
            .args(["-f", "-p", &process.pid().to_string(), "-o"])
            .arg(&log)
            .args(["-e", &format!("trace={calls}"), "-e"])
            .arg(format!("inject={calls}:{how}"))
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is needed: apt-get install strace");
        let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
        let attached = said.find_map(|line| {
            let line = line.unwrap();
            let is_there = line.contains(" attached");
            assert!(is_there || line.contains("ptrace"), "{line}");
            (is_there || line.contains("not permitted")).then_some(is_there)
        });
        // Its other words must not fill the pipe.
        std::thread::spawn(move || said.for_each(drop));
        if attached != Some(true) {
            let _ = strace.wait();
            println!("SKIPPED: only root, or a user with kernel.yama.ptrace_scope = 0, may trace");
            return None;
        }
        Some(Self {
            strace,
            log,
            begun: Instant::now(),
        })
    }

    /// How many calls have been made to fail.
    fn count(&self) -> usize {
        let log = fs::read(&self.log).unwrap_or_default();
        memchr::memmem::find_iter(&log, b"(INJECTED)").count()
    }

    /// Waits for so many.
    async fn reach(&self, count: usize) {
        let reached = async {
            while self.count() < count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        assert!(reached.is_ok(), "{} calls failed", self.count());
    }

    /// The kernel is well again; how many calls failed, and for how long.
    fn end(mut self) -> (usize, Duration) {
        let lasted = self.begun.elapsed();
        self.stop();
        (self.count(), lasted)
    }

    /// It lets go of the process when it is told to end, not when it is killed.
    fn stop(&mut self) {
        let stop = format!("kill -INT {}", self.strace.id());
        let _ = Command::new("sh").args(["-c", &stop]).status();
        let _ = self.strace.wait();
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        if matches!(self.strace.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

async fn stage(extra: &str) -> (Sim, Process) {
    let sim = Sim::start(Options::default()).await.unwrap();
    // Each exchange makes a connection of its own.
    sim.script("m", "tokens=3,goaway".parse().unwrap());
    let process = Process::start(&Process::config(sim.address(), extra)).await;
    assert_eq!(process.client().await.chat("").await.status, 200);
    (sim, process)
}

/// Asserts that all is well, within two seconds.
async fn assert_well(process: &Process, name: &str) {
    let begun = Instant::now();
    let answer = process.client().await.chat("").await;
    assert_eq!(answer.status, 200, "{name}: {answer:?}");
    println!("{name}: served again after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(2), "{name}");
    let metrics = page(process.admin().await, "/metrics").await;
    assert_eq!(
        metric(metrics.text(), "segue_panics_total"),
        Some(0.0),
        "{name}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_that_fails_is_tried_again_and_does_not_spin() {
    let (_sim, process) = stage("").await;
    for error in [
        "EMFILE",
        "ENFILE",
        "ENOBUFS",
        "ENOMEM",
        "ECONNABORTED",
        "EINTR",
        "EPERM",
    ] {
        let Some(faults) = Faults::begin(&process, "accept4", &format!("error={error}"), &[])
        else {
            return;
        };
        // The kernel takes the connection; nobody accepts it.
        let mut waiting = Client::connect(process.address().await).await;
        waiting.ask("").await;
        faults.reach(8).await;
        let (failed, lasted) = faults.end();
        let answer = waiting.answer().await;
        assert_eq!(answer.status, 200, "{error}: {answer:?}");
        // 5, 10, 20, 40 and 80 ms, then 100 each.
        let most = 6 + usize::try_from(lasted.as_millis() / 100).unwrap();
        println!("{error}: {failed} failed calls in {lasted:?}, at most {most}");
        assert!(failed <= most, "{error}: {failed} in {lasted:?}");
        assert_well(&process, error).await;
    }
    let told = process.lines();
    let told = told
        .iter()
        .filter(|line| line.contains("accepting connections"));
    assert!(told.count() > 0, "operators are told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_cannot_be_made_is_told_and_the_next_one_is() {
    let (_sim, process) = stage("").await;
    for (call, error) in [
        ("socket", "EMFILE"),
        ("socket", "ENFILE"),
        ("socket", "ENOBUFS"),
        ("socket", "ENOMEM"),
        ("connect", "EADDRNOTAVAIL"),
        ("connect", "ENETUNREACH"),
        ("connect", "ECONNREFUSED"),
        ("connect", "ETIMEDOUT"),
        ("connect", "EINTR"),
    ] {
        let name = format!("{call} {error}");
        let Some(faults) = Faults::begin(&process, call, &format!("error={error}"), &[]) else {
            return;
        };
        let answer = process.client().await.chat("").await;
        let (failed, _) = faults.end();
        assert!(matches!(answer.status, 502..=504), "{name}: {answer:?}");
        assert!(answer.json()["error"]["message"].is_string(), "{name}");
        assert!((1..100).contains(&failed), "{name}: {failed}");
        assert_well(&process, &name).await;
    }
}

/// A whole answer, or an end that nobody can take for one.
fn assert_honest(name: &str, answer: &Answer) {
    let is_whole = answer.status == 200 && answer.complete;
    if is_whole && answer.header("content-type") != Some("application/json") {
        assert!(
            answer.text().trim_end().ends_with("data: [DONE]")
                || answer.text().contains("\"error\""),
            "{name}: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_that_fail_now_and_then_harm_only_their_own_exchanges() {
    let (sim, process) = stage("").await;
    let sockets = "recvfrom,sendto,writev,readv,sendmsg,recvmsg";
    for (calls, how) in [
        (sockets, "error=EIO:when=3+7"),
        (sockets, "error=ENOBUFS:when=2+5"),
        (sockets, "error=EINTR:when=2+4"),
        (sockets, "error=ECONNRESET:when=4+6"),
        ("setsockopt", "error=ENOBUFS:when=1+2"),
        ("epoll_ctl", "error=ENOSPC:when=3+5"),
        ("shutdown", "error=ENOTCONN"),
    ] {
        sim.script("m", "tokens=30,delay=1ms,goaway".parse().unwrap());
        let name = format!("{calls} {how}");
        let Some(faults) = Faults::begin(&process, calls, how, &[]) else {
            return;
        };
        let address = process.address().await;
        let mut all = tokio::task::JoinSet::new();
        for number in 0..12 {
            let how = if number % 2 == 0 {
                "\"stream\":true,"
            } else {
                ""
            };
            all.spawn(exchange(address, how));
        }
        for answer in all.join_all().await.into_iter().flatten() {
            assert_honest(&name, &answer);
        }
        let (failed, _) = faults.end();
        assert!(failed > 0, "{name}");
        sim.script("m", "tokens=3".parse().unwrap());
        settle(&process).await;
        assert_well(&process, &name).await;
    }
}

/// One exchange; `None` if its connection broke before there was a head.
async fn exchange(address: std::net::SocketAddr, how: &str) -> Option<Answer> {
    let body = format!(
        "{{{how}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    );
    let asked = async {
        let mut client = Client::connect(address).await;
        client
            .send(&post(
                "/v1/chat/completions",
                "connection: close\r\n",
                &body,
            ))
            .await;
        client.rest().await
    };
    let all = asked.await;
    let text = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        headers: vec![(
            "content-type".to_owned(),
            if head.contains("application/json") {
                "application/json"
            } else {
                "text/event-stream"
            }
            .to_owned(),
        )],
        // Chunked: whole when the last chunk has come.
        complete: head.contains("content-length") || body.ends_with("0\r\n\r\n"),
        body: body.replace("\r\n0\r\n\r\n", "").into_bytes(),
    })
}

/// What the faults may have left shut is probed again.
async fn settle(process: &Process) {
    shows(process.admin().await, "segue_exchanges_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_that_are_interrupted_go_on() {
    let (_sim, process) = stage("").await;
    let Some(faults) = Faults::begin(&process, "epoll_wait", "error=EINTR:when=1+2", &[]) else {
        return;
    };
    let mut client = process.client().await;
    for _ in 0..10 {
        assert_eq!(client.chat("").await.status, 200);
    }
    let (failed, _) = faults.end();
    assert!(failed > 0);
    assert_well(&process, "epoll_wait EINTR").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_log_holds_nobody_up() {
    let (_sim, process) = stage("").await;
    let admin = process.admin().await;
    for how in [
        "error=ENOSPC",
        "error=EIO",
        "error=EINTR:when=1+2",
        "retval=0:when=1+2",
    ] {
        let lost = "segue_access_log_dropped_total";
        let before = metric(page(admin, "/metrics").await.text(), lost).unwrap();
        let path = process.path("access.log").display().to_string();
        let Some(faults) = Faults::begin(&process, "write,writev", how, &["-P", &path]) else {
            return;
        };
        let mut client = process.client().await;
        for _ in 0..5 {
            assert_eq!(client.chat("").await.status, 200, "{how}");
        }
        faults.reach(1).await;
        let (failed, lasted) = faults.end();
        let most = 100 + lasted.as_millis();
        assert!((failed as u128) < most, "{how}: {failed} in {lasted:?}");
        let after = metric(page(admin, "/metrics").await.text(), lost).unwrap();
        println!(
            "{how}: {failed} writes failed, {} lines lost",
            after - before
        );
        assert_well(&process, how).await;
    }
    let lines = || {
        fs::read_to_string(process.path("access.log"))
            .unwrap()
            .lines()
            .count()
    };
    let before = lines();
    assert_well(&process, "log").await;
    let written = async {
        while lines() <= before {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let written = tokio::time::timeout(PATIENCE, written).await;
    assert!(written.is_ok(), "the log goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_bookings_loses_none_of_them() {
    let (_sim, process) = stage("accounts: { store: { path: ./usage.db } }").await;
    let admin = process.admin().await;
    let mut exchanges = 1.0;
    for how in ["error=ENOSPC", "error=EIO"] {
        let calls = "pwrite64,fsync,fdatasync,ftruncate";
        let Some(faults) = Faults::begin(&process, calls, how, &[]) else {
            return;
        };
        let mut client = process.client().await;
        for _ in 0..5 {
            assert_eq!(client.chat("").await.status, 200, "{how}");
            exchanges += 1.0;
        }
        shows(admin, "segue_store_failing", 1.0).await;
        let (failed, lasted) = faults.end();
        println!("{how}: {failed} calls failed in {lasted:?}");
        shows(admin, "segue_store_failing", 0.0).await;
        shows(admin, "segue_store_entries_total", exchanges).await;
        assert_well(&process, how).await;
        exchanges += 1.0;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_cannot_read_its_files_is_refused_in_words() {
    let (_sim, process) = stage("").await;
    for error in ["EMFILE", "ENFILE", "EIO", "EACCES"] {
        let told = |text: &str| {
            process
                .lines()
                .iter()
                .filter(|line| line.contains(text))
                .count()
        };
        let (refused, applied) = (told("was refused"), told("is in force"));
        let Some(faults) = Faults::begin(&process, "openat", &format!("error={error}"), &[]) else {
            return;
        };
        process.signal("HUP");
        process.said_times("was refused", refused + 1).await;
        faults.end();
        assert_well(&process, error).await;
        process.signal("HUP");
        process.said_times("is in force", applied + 1).await;
    }
}
