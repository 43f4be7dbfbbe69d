//! A client that reads slowly slows the provider down, at no cost in memory; one that does not
//! read at all is cut off; and no client's slowness is taken for a provider's fault.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use segue::sim::{End, Entry, Options, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::relay_stage::{STREAM, WHOLE, ask_h2, chat, until_idle, world, world_h2};
use crate::support::PATIENCE;

/// 200 MiB.
const HUGE: &str = "tokens=3200,token_bytes=64KiB";

/// How long nothing may move until we say that all has stopped.
const STILL: Duration = Duration::from_millis(400);

/// A connection whose kernel takes little that is not read.
async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.connect(address).await.unwrap()
}

/// Waits until the simulator sends no more, and says how much it has sent.
async fn until_still(sim: &Sim) -> u64 {
    let sent = || {
        sim.journal()
            .entries()
            .iter()
            .map(|entry| entry.bytes())
            .sum::<u64>()
    };
    let (mut before, mut since) = (sent(), Instant::now());
    while since.elapsed() < STILL {
        // Nothing rings when nothing happens.
        tokio::time::sleep(STILL / 10).await;
        if sent() != before {
            (before, since) = (sent(), Instant::now());
        }
    }
    before
}

/// The most that the kernel buffers of two connections hold.
fn kernel_room() -> u64 {
    let most = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).unwrap();
        text.split_whitespace()
            .last()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    2 * (most("tcp_rmem") + most("tcp_wmem"))
}

/// Reads a chunked answer to its end and hands out its body; false if it ended before.
async fn read_chunked(stream: &mut TcpStream, mut take: impl FnMut(&[u8])) -> bool {
    let mut buffer = Vec::with_capacity(1 << 20);
    let mut head = true;
    loop {
        let mut rest = &buffer[..];
        if head && let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
            head = false;
            rest = &rest[end + 4..];
        }
        while !head && let Some(end) = memchr::memmem::find(rest, b"\r\n") {
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let Some(chunk) = rest.get(end + 2..end + 2 + size + 2) else {
                break;
            };
            take(&chunk[..size]);
            rest = &rest[end + 2 + size + 2..];
            if size == 0 {
                return true;
            }
        }
        let used = buffer.len() - rest.len();
        buffer.drain(..used);
        if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return false;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_stops_the_provider_and_misses_nothing_when_it_goes_on() {
    let world = world("", "").await;
    world.script(HUGE);
    let mut stream = connect(world.address).await;
    stream.write_all(&chat("model", STREAM)).await.unwrap();
    let sent = until_still(&world.sim).await;
    assert!(sent > 0 && sent < kernel_room() + (2 << 20), "{sent}");
    assert_eq!(world.sim.under_way(), 1);

    let (mut frame, mut number, mut done) = (Vec::new(), 0_usize, false);
    let whole = read_chunked(&mut stream, |bytes| {
        frame.extend_from_slice(bytes);
        while let Some(end) = memchr::memmem::find(&frame, b"\n\n") {
            let text = std::str::from_utf8(&frame[..end]).unwrap();
            if let Some((_, content)) = text.split_once("\"content\":\" w") {
                assert!(content.starts_with(&number.to_string()));
                assert!(content.len() > 64 << 10, "{number}: {}", content.len());
                number += 1;
            }
            assert!(!done);
            done = text == "data: [DONE]";
            frame.drain(..end + 2);
        }
    });
    let whole = tokio::time::timeout(3 * PATIENCE, whole).await;
    assert_eq!(
        (whole, number, done, frame.len()),
        (Ok(true), 3200, true, 0)
    );
}

/// A proxy in a process of its own, so that nobody else's memory counts.
struct Process(Child);

impl Process {
    fn start(config: &str) -> (Self, SocketAddr) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segue.yaml");
        fs::write(&path, config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_segue"));
        command
            .args(["run", "-c"])
            .arg(&path)
            .stderr(Stdio::piped());
        let mut process = Self(command.spawn().unwrap());
        let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("listening on ")?.1.parse().ok()
        });
        (process, address.expect("an address"))
    }

    /// Its resident memory in bytes.
    fn resident(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/statm", self.0.id())).unwrap();
        let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already; either way it is awaited.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_reader_costs_little_memory() {
    const READERS: u64 = 20;
    let sim = Sim::start(Options::default()).await.unwrap();
    let provider = sim.base_url();
    let (process, address) = Process::start(&format!(
        "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: off\nlog: {{ access: off }}\n\
         providers: {{ sim: {{ dialect: openai, base_url: \"{provider}\", private_peers: true }} }}\n\
         routes: {{ model: sim/m }}\n"
    ));
    // The allocator's own growth comes with the first load: it is no reader's.
    sim.script("m", "tokens=200,token_bytes=16KiB".parse().unwrap());
    let warm = (0..READERS).map(|_| async {
        let mut stream = connect(address).await;
        stream.write_all(&chat("model", STREAM)).await.unwrap();
        assert!(read_chunked(&mut stream, |_| {}).await);
    });
    futures_util::future::join_all(warm).await;
    sim.journal().wait_for_no_request(PATIENCE).await.unwrap();
    sim.journal().clear();

    sim.script("m", HUGE.parse().unwrap());
    let before = process.resident();
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut stream = connect(address).await;
        stream.write_all(&chat("model", STREAM)).await.unwrap();
        readers.push(stream);
    }
    let sent = until_still(&sim).await;
    let grown = process.resident().saturating_sub(before);
    println!(
        "{} KiB a reader, {} KiB in the kernel",
        (grown / READERS) >> 10,
        (sent / READERS) >> 10
    );
    assert_eq!(sim.under_way(), 20);
    assert!(
        grown < READERS * (512 << 10),
        "{grown} bytes for {READERS} readers"
    );
    drop(readers);
    sim.journal()
        .wait_for_no_connection(PATIENCE)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_goes_on_is_cut_off() {
    let routes = "deadline: { tiers: [[sim/m]], deadline: 1s }";
    for (route, limits, how, script) in [
        ("model", "client_write: 1s", STREAM, HUGE),
        (
            "model",
            "client_write: 1s",
            WHOLE,
            "tokens=384,token_bytes=64KiB",
        ),
        ("deadline", "", STREAM, HUGE),
    ] {
        let case = format!("{route} {limits} {how}");
        let world = world(routes, limits).await;
        world.script(script);
        let mut stream = connect(world.address).await;
        let begun = Instant::now();
        stream.write_all(&chat(route, how)).await.unwrap();
        let there = |all: &[Arc<Entry>]| !all.is_empty();
        world
            .sim
            .journal()
            .wait_for(there, PATIENCE)
            .await
            .expect(&case);
        until_idle(world.edge.admin_address().unwrap()).await;
        let took = begun.elapsed();
        println!("{case}: {took:?}");
        assert!((1..6).contains(&took.as_secs()), "{case}: {took:?}");
        world
            .sim
            .journal()
            .wait_for_no_request(PATIENCE)
            .await
            .expect(&case);
        let entry = world.sim.journal().entries().pop().unwrap();
        assert_eq!(is_closed(&entry), how == STREAM, "{case}: {entry:?}");
        let mut tail = Vec::new();
        let rest = read_rest(&mut stream, &mut tail);
        tokio::time::timeout(PATIENCE, rest).await.expect(&case);
        assert!(!tail.ends_with(b"0\r\n\r\n"), "{case}");
    }
}

fn is_closed(entry: &Arc<Entry>) -> bool {
    matches!(entry.end(), Some(End::ClientClosed { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_not_cut_off_while_it_reads() {
    let world = world("", "client_write: 1s").await;
    for how in [WHOLE, STREAM] {
        world.script("tokens=384,token_bytes=64KiB");
        let mut stream = connect(world.address).await;
        stream.write_all(&chat("model", how)).await.unwrap();
        let (mut read, begun) = (0, Instant::now());
        let mut buffer = vec![0; 1 << 20];
        loop {
            match tokio::time::timeout(PATIENCE, stream.read_exact(&mut buffer)).await {
                Ok(Ok(_)) => read += buffer.len(),
                Ok(Err(_)) | Err(_) => break,
            }
            if read >= 24 << 20 {
                break;
            }
            // The pace is what is tested: all of it takes longer than one wait may.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(
            read >= 24 << 20,
            "{how}: {read} bytes in {:?}",
            begun.elapsed()
        );
        assert!(begun.elapsed() > Duration::from_secs(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_no_stall_of_the_provider() {
    let routes = "hasty: { tiers: [[sim/m]], timeouts: { stall: 600ms } }";
    let world = world(routes, "").await;
    // The last token comes well within the bound, but not at once.
    world.script("tokens=1600,token_bytes=64KiB,stall@1599=300ms");
    let mut stream = connect(world.address).await;
    stream.write_all(&chat("hasty", STREAM)).await.unwrap();
    for _ in 0..3 {
        until_still(&world.sim).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut buffer = vec![0; 20 << 20];
        stream.read_exact(&mut buffer).await.unwrap();
    }
    let mut tail = Vec::new();
    let read = read_rest(&mut stream, &mut tail);
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    assert!(
        tail.ends_with(b"data: [DONE]\n\n\r\n0\r\n\r\n"),
        "{}",
        String::from_utf8_lossy(&tail)
    );
}

/// Reads to the end of an answer in chunks and keeps its last bytes.
async fn read_rest(stream: &mut TcpStream, tail: &mut Vec<u8>) {
    while !tail.ends_with(b"\r\n0\r\n\r\n") {
        let kept = tail.len().saturating_sub(600);
        tail.drain(..kept);
        if stream.read_buf(tail).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let kept = tail.len().saturating_sub(600);
    tail.drain(..kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_back_too_late_never_sees_a_whole_answer() {
    let world = world("", "client_write: 300ms").await;
    // Small frames: the cut meets the border of a chunk as well as its middle.
    for script in [
        "tokens=inf",
        "tokens=inf,token_bytes=20KiB",
        "tokens=inf,token_bytes=8KiB",
    ] {
        for _ in 0..2 {
            world.sim.journal().clear();
            world.script(script);
            let mut stream = connect(world.address).await;
            stream.write_all(&chat("model", STREAM)).await.unwrap();
            world
                .sim
                .journal()
                .wait_for(has_ended, PATIENCE)
                .await
                .unwrap();
            let mut tail = Vec::new();
            let read = read_rest(&mut stream, &mut tail);
            tokio::time::timeout(PATIENCE, read).await.unwrap();
            assert!(
                !tail.ends_with(b"\r\n0\r\n\r\n"),
                "{}",
                String::from_utf8_lossy(&tail)
            );
        }
    }
}

fn has_ended(entries: &[Arc<Entry>]) -> bool {
    entries.iter().any(|entry| entry.end().is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_too_a_reader_may_be_slow_but_not_still() {
    let (world, mut client, _folder) = world_h2("client_write: 1500ms").await;
    world.script("tokens=96,token_bytes=64KiB");
    let (response, _sending) = ask_h2(&mut client, "model", WHOLE);
    let mut response = response.await.unwrap();
    let (mut read, begun) = (0, Instant::now());
    while let Some(data) = response.body_mut().data().await {
        let length = data.unwrap().len();
        read += length;
        // The pace is what is tested.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let window = response.body_mut().flow_control();
        window.release_capacity(length).unwrap();
    }
    assert!(read > 96 << 16 && begun.elapsed() > Duration::from_millis(1900));
    world.script("tokens=inf");
    world.sim.journal().clear();
    let (response, _sending) = ask_h2(&mut client, "model", STREAM);
    let mut response = response.await.unwrap();
    world
        .sim
        .journal()
        .wait_for(has_ended, PATIENCE)
        .await
        .unwrap();
    let end = loop {
        match response.body_mut().data().await {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(end, Some(Err(error)) if error.is_reset()));
}
