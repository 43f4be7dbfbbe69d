//! The clients of the bench: raw sockets, one task each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A kind of load.
#[derive(Clone, Copy)]
pub enum Work {
    /// Whole answers, one after the other on each connection; a unit is a request.
    Whole {
        body: usize,
        clients: usize,
        run: Duration,
    },
    /// Streams, one after the other on each connection; a unit is a chunk.
    Stream { clients: usize, run: Duration },
}

/// Puts the load on and returns the units of work done.
pub async fn run(proxy: SocketAddr, work: Work) -> u64 {
    let (clients, run) = match work {
        Work::Whole { clients, run, .. } | Work::Stream { clients, run } => (clients, run),
    };
    let until = Instant::now() + run;
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(async move {
            match work {
                Work::Whole { body, .. } => whole(proxy, body, until).await,
                Work::Stream { .. } => streams(proxy, until).await,
            }
        });
    }
    tasks.join_all().await.into_iter().sum()
}

/// The median time of one whole answer, one at a time, in microseconds.
pub async fn latency(proxy: SocketAddr, requests: usize) -> f64 {
    let request = request(1 << 10, "");
    let mut stream = connect(proxy).await;
    let mut buffer = Vec::new();
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        let start = Instant::now();
        stream.write_all(&request).await.unwrap();
        answer(&mut stream, &mut buffer).await;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Opens streams and waits until each has its first token.
pub async fn open_streams(proxy: SocketAddr, count: u16) -> Vec<TcpStream> {
    let request = request(1 << 10, "\"stream\":true,");
    let mut open = Vec::with_capacity(count.into());
    for _ in 0..count {
        let mut stream = connect(proxy).await;
        stream.write_all(&request).await.unwrap();
        open.push(stream);
    }
    let mut buffer = [0; 4096];
    for stream in &mut open {
        let mut seen = Vec::new();
        while memchr::memmem::find(&seen, b"word0").is_none() {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(
                read > 0,
                "a stream ended early: {}",
                String::from_utf8_lossy(&seen)
            );
            seen.extend_from_slice(&buffer[..read]);
        }
    }
    open
}

async fn connect(proxy: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(proxy).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn request(body: usize, extra: &str) -> Vec<u8> {
    let head =
        format!("{{{extra}\"model\":\"bench\",\"messages\":[{{\"role\":\"user\",\"content\":\"");
    let tail = "\"}]}";
    let fill: String = "The quick brown fox jumps over the lazy dog.\\n"
        .chars()
        .cycle()
        .take(body.saturating_sub(head.len() + tail.len()))
        .collect();
    let fill = fill.trim_end_matches('\\');
    let body = format!("{head}{fill}{tail}");
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn whole(proxy: SocketAddr, body: usize, until: Instant) -> u64 {
    let request = request(body, "");
    let mut stream = connect(proxy).await;
    let mut buffer = Vec::new();
    let mut done = 0;
    while Instant::now() < until {
        stream.write_all(&request).await.unwrap();
        answer(&mut stream, &mut buffer).await;
        done += 1;
    }
    done
}

/// Reads one answer with a content-length.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "closed early");
        let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end])
            .unwrap()
            .to_ascii_lowercase();
        assert!(
            head.starts_with("http/1.1 200"),
            "{}",
            String::from_utf8_lossy(buffer)
        );
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .expect("a length")
            .trim()
            .parse()
            .unwrap();
        while buffer.len() < end + 4 + length {
            assert!(stream.read_buf(buffer).await.unwrap() > 0, "closed early");
        }
        return;
    }
}

/// Reads streams to their ends; counts the tokens that came.
async fn streams(proxy: SocketAddr, until: Instant) -> u64 {
    let request = request(1 << 10, "\"stream\":true,");
    let mut stream = connect(proxy).await;
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut chunks = 0;
    while Instant::now() < until {
        stream.write_all(&request).await.unwrap();
        buffer.clear();
        while !buffer.ends_with(b"0\r\n\r\n") {
            assert!(
                stream.read_buf(&mut buffer).await.unwrap() > 0,
                "closed early"
            );
        }
        chunks += memchr::memmem::find_iter(&buffer, b"\"delta\":").count() as u64;
    }
    chunks
}
