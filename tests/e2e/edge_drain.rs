//! Signals against the real binary: TERM drains, a second one stops, others are answered.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::time::{Duration, Instant};

use segue::sim::{End, Options, Sim, answer_text};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::edge_stage::{Authority, Frame, Frames, Http2, Process, metric, page};
use crate::support::{Client, PATIENCE};

async fn sim(script: &str) -> Sim {
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.script("m", script.parse().unwrap());
    sim
}

/// A process with a stream of it under way.
async fn streaming(sim: &Sim, extra: &str) -> (Process, Client) {
    let process = Process::start(&Process::config(sim.address(), extra)).await;
    let mut client = process.client().await;
    client.ask("\"stream\":true,").await;
    client.until("w5").await;
    (process, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_ends_at_once_with_code_0() {
    let sim = sim("tokens=3").await;
    let process = Process::start(&Process::config(sim.address(), "")).await;
    // One that never spoke, one that idles between requests: neither is waited for.
    let mut silent = process.client().await;
    let mut idle = process.client().await;
    assert_eq!(idle.chat("").await.status, 200);
    let before = Instant::now();
    process.signal("TERM");
    assert_eq!(process.exit().await, 0);
    // The promise is a second; the rest is for a busy machine.
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(silent.rest().await, b"");
    assert_eq!(idle.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_stream_is_finished_while_nobody_else_is_let_in() {
    let sim = sim("tokens=30,stall@10=2s").await;
    let (process, mut client) = streaming(&sim, "").await;
    let (address, admin) = (process.address().await, process.admin().await);
    let ready = page(admin, "/health/ready").await;
    assert_eq!((ready.status, ready.text()), (200, "ready\n"));
    process.signal("TERM");
    process.said("draining").await;
    let ready = page(admin, "/health/ready").await;
    assert_eq!((ready.status, ready.text()), (503, "draining\n"));
    assert_eq!(page(admin, "/health/live").await.status, 200);
    let metrics = page(admin, "/metrics").await;
    assert_eq!(metric(metrics.text(), "segue_draining"), Some(1.0));
    // The listener closes as soon as its task has seen the signal; what comes in that moment
    // may be reset.
    let closed = async {
        while !matches!(TcpStream::connect(address).await,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("a closed listener");
    process.signal("HUP");
    process.said("HUP ignored: the process is ending").await;
    let answer = client.answer().await;
    assert_eq!(answer.content(), answer_text(30));
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    assert!(answer.complete);
    assert_eq!(process.exit().await, 0);
    assert_eq!(client.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_past_the_deadline_ends_with_an_error_event_and_code_1() {
    let sim = sim("tokens=inf,delay=20ms").await;
    let (process, mut client) = streaming(&sim, "drain: { deadline: 400ms }").await;
    process.signal("TERM");
    let answer = client.answer().await;
    assert!(answer.complete, "the framing has its end");
    let events = answer.events();
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert!(last["error"]["message"].is_string(), "{last}");
    assert!(!events.iter().any(|event| event == "[DONE]"));
    assert_eq!(process.exit().await, 1, "work was left undone");
    process.said("not all was finished").await;
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    let entry = sim.journal().entries().remove(0);
    assert!(matches!(entry.end(), Some(End::ClientClosed { .. })));
}

/// A process that serves HTTP/2, and a connection to it.
async fn over_tls(sim: &Sim) -> (Process, TlsStream<TcpStream>) {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    authority.write(folder.path(), "first", &["localhost"]);
    let config = Process::config(sim.address(), "").replacen(
        "\"127.0.0.1:0\" }",
        "\"127.0.0.1:0\", tls: { certificate: ./first.pem, key: ./first.key } }",
        1,
    );
    let process = Process::spawn(folder, &config, &[]);
    let address = process.address().await;
    let caller = authority.caller().alpn(&[b"h2"]);
    let stream = caller.call(address, "localhost").await.unwrap();
    (process, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_crosses_the_end_of_its_connection_is_served() {
    let sim = sim("tokens=3").await;
    let (process, stream) = over_tls(&sim).await;
    let mut client = Frames::over(stream).await;
    let body = br#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#;
    let ask = async |client: &mut Frames, stream: u32| {
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/v1/chat/completions"),
            (":authority", "localhost"),
            ("content-type", "application/json"),
        ];
        client.head(stream, &fields, 0).await;
        let end = Frame::END_STREAM;
        client.send(Frame::DATA, end, stream, body).await;
    };
    ask(&mut client, 1).await;
    let mut others = Vec::new();
    while !client.of(1, &mut others).await.expect("an answer").ends() {}
    process.signal("TERM");
    let ping = loop {
        let frame = client.next().await.expect("a ping");
        if frame.kind == Frame::PING {
            break frame;
        }
    };
    // As clients do that have a request in their queue: the answer first, then what waits.
    client.send(Frame::PING, 1, 0, &ping.payload).await;
    ask(&mut client, 3).await;
    let head = client.of(3, &mut others).await.expect("an answer");
    assert_eq!(head.status(), Some(200));
    while !client.of(3, &mut others).await.expect("the rest").ends() {}
    // The last stream that is served is named, and the connection ends.
    while let Some(frame) = client.next().await {
        others.push(frame);
    }
    let last = others.iter().rfind(|frame| frame.kind == Frame::GOAWAY);
    assert_eq!(last.unwrap().payload[..4], [0, 0, 0, 3]);
    assert_eq!(process.exit().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_hang_up_is_no_work_undone() {
    let sim = sim("tokens=10").await;
    let (process, stream) = over_tls(&sim).await;
    let client = Http2::over(stream).await;
    assert_eq!(client.chat("").await.status, 200);
    process.signal("TERM");
    // GOAWAY, and the connection ends although the client would keep it.
    let closed = tokio::time::timeout(PATIENCE, client.driver).await;
    // Whether its own last words found a listener is not asked.
    let _ = closed.expect("a close in time").unwrap();
    assert_eq!(process.exit().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_term_or_an_int_stops_at_once_with_code_1() {
    for signals in [&["TERM", "TERM"][..], &["TERM", "INT"], &["INT"]] {
        let sim = sim("tokens=inf,delay=20ms").await;
        let (process, mut client) = streaming(&sim, "").await;
        for (number, signal) in signals.iter().enumerate() {
            process.signal(signal);
            if number + 1 < signals.len() {
                process.said("draining").await;
            }
        }
        assert_eq!(process.exit().await, 1, "{signals:?}");
        process.said("stopping at once").await;
        assert!(!client.answer().await.complete, "{signals:?}");
        sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quit_is_refused_with_a_line_in_the_log() {
    let sim = sim("tokens=3").await;
    let process = Process::start(&Process::config(sim.address(), "")).await;
    process.signal("QUIT");
    process.said("QUIT ignored").await;
    assert_eq!(process.client().await.chat("").await.status, 200);
    assert!(!process.has_ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn usr1_opens_a_rotated_access_log_anew() {
    let sim = sim("tokens=inf,delay=20ms").await;
    let (process, client) = streaming(&sim, "").await;
    sim.script("m", "tokens=3".parse().unwrap());
    let lines = |name: &str| {
        let text = std::fs::read_to_string(process.path(name)).unwrap_or_default();
        text.lines().count()
    };
    assert_eq!(process.client().await.chat("").await.status, 200);
    eventually(|| lines("access.log") == 1).await;
    std::fs::rename(process.path("access.log"), process.path("access.log.1")).unwrap();
    process.signal("USR1");
    // The file is opened with the next line behind the signal.
    let mut written = 1;
    while lines("access.log") == 0 {
        assert_eq!(process.client().await.chat("").await.status, 200);
        written += 1;
        eventually(|| lines("access.log") + lines("access.log.1") == written).await;
    }
    // A drain is no reason to write to the old one.
    process.signal("TERM");
    process.said("draining").await;
    std::fs::rename(process.path("access.log"), process.path("access.log.2")).unwrap();
    process.signal("USR1");
    drop(client);
    assert_eq!(process.exit().await, 0);
    let total = lines("access.log") + lines("access.log.1") + lines("access.log.2");
    assert_eq!(total, written + 1, "no line is lost");
}

/// Polls, for a file has no event that a test could wait for.
async fn eventually(is_so: impl Fn() -> bool) {
    let poll = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.expect("in time");
}

/// A service manager's ear.
struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &UnixAddress) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next message that is no sign of life.
    fn next(&self) -> String {
        loop {
            let mut buffer = [0; 1024];
            let read = self.0.recv(&mut buffer).unwrap();
            let text = String::from_utf8(buffer[..read].to_vec()).unwrap();
            if !text.starts_with("WATCHDOG=1") && !text.starts_with("EXTEND_TIMEOUT_USEC=") {
                return text;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_each_step() {
    let sim = sim("tokens=3").await;
    for kind in ["path", "abstract"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("segue-e2e-{}-{kind}", std::process::id());
        let (manager, socket) = if kind == "path" {
            let address = UnixAddress::from_pathname(&path).unwrap();
            (Manager::at(&address), path.display().to_string())
        } else {
            let address = UnixAddress::from_abstract_name(&name).unwrap();
            (Manager::at(&address), format!("@{name}"))
        };
        let config = Process::config(sim.address(), "");
        let environment = [("NOTIFY_SOCKET", &*socket)];
        let process = Process::spawn(folder, &config, &environment);
        assert_eq!(manager.next(), "READY=1\nSTATUS=serving\n");
        process.signal("HUP");
        assert!(manager.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(manager.next(), "READY=1\nSTATUS=serving generation 2\n");
        process.write("{");
        process.signal("HUP");
        assert!(manager.next().starts_with("RELOADING=1\n"));
        let refused = "READY=1\nSTATUS=serving; the last reload was refused\n";
        assert_eq!(manager.next(), refused);
        process.signal("TERM");
        assert_eq!(manager.next(), "STOPPING=1\nSTATUS=draining\n");
        assert_eq!(process.exit().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watchdog_is_fed() {
    let sim = sim("tokens=3").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::at(&UnixAddress::from_pathname(&path).unwrap());
    let socket = path.display().to_string();
    let environment = [("NOTIFY_SOCKET", &*socket), ("WATCHDOG_USEC", "200000")];
    let process = Process::spawn(folder, &Process::config(sim.address(), ""), &environment);
    let mut beats = 0;
    while beats < 3 {
        let mut buffer = [0; 1024];
        let read = manager.0.recv(&mut buffer).unwrap();
        beats += usize::from(buffer[..read].starts_with(b"WATCHDOG=1"));
    }
    assert!(!process.has_ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_says_why_with_code_1() {
    let sim = sim("tokens=3").await;
    let good = Process::config(sim.address(), "");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (config, why) in [
        (good.replace("routes:", "routs:"), "routs"),
        (good.replacen("127.0.0.1:0", &taken, 1), "in use"),
        (
            good.replace("./access.log", "./nowhere/access.log"),
            "No such file",
        ),
    ] {
        let process = Process::spawn(tempfile::tempdir().unwrap(), &config, &[]);
        let code = process.exit().await;
        let said = process.lines().join("\n");
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(why), "{why}: {said}");
    }
}
