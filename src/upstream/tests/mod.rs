//! The room over real sockets: scripted peers on 127.0.0.1, and the providers that call them.

mod bad_certificates;
mod bodies;
mod cancel;
mod connections;
mod ejection;
mod framing;
mod h2;
mod names;
mod pools;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

/// Nothing in a test waits longer: it fails instead.
const PATIENCE: Duration = Duration::from_secs(10);

const BOUNDS: CallBounds = CallBounds {
    connect: Duration::from_secs(5),
    write: Duration::from_secs(5),
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Waits for something that must happen.
async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it never happened")
}

/// A peer that runs its script once for each connection, with the connection's number from zero.
struct Script {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Script {
    async fn run<F>(script: impl Fn(TcpStream, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(script(stream, count.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self {
            address,
            accepted,
            task,
        }
    }

    /// One that answers each request of each connection with the same bytes.
    async fn answers(answer: &'static [u8]) -> Self {
        Self::run(move |mut stream, _| async move {
            while read_request(&mut stream).await.is_some() {
                stream.write_all(answer).await.unwrap();
            }
        })
        .await
    }

    /// One that answers once and leaves the connection open.
    async fn answers_once(answer: &'static [u8]) -> Self {
        Self::run(move |mut stream, _| async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(answer).await.unwrap();
            stays_open(stream).await;
        })
        .await
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Holds a connection until the other side closes it.
async fn stays_open(mut stream: impl AsyncRead + Unpin) {
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// Head and body of the next request; `None` when there is none.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end);
    while body.len() < length {
        stream
            .read_buf(&mut body)
            .await
            .ok()
            .filter(|read| *read > 0)?;
    }
    Some((head, body))
}

fn spec(peers: &[SocketAddr]) -> ProviderSpec {
    let mut key = HeaderValue::from_static("Bearer sk-canary");
    key.set_sensitive(true);
    ProviderSpec {
        name: Arc::from("sim"),
        base: BaseUrl {
            scheme: Scheme::Http,
            host: "sim.example".to_owned(),
            port: 80,
            prefix: "/v1".to_owned(),
        },
        credential: Some(Credential {
            header: header::AUTHORIZATION,
            value: key,
        }),
        pool: PoolSpec {
            peers: Peers::Static(peers.to_vec()),
            balance: Balance::RoundRobin,
            health: None,
            tls: None,
            private_peers: true,
        },
    }
}

/// All tests of a process share one, for it loads the trust store.
fn upstreams() -> &'static Arc<Upstreams> {
    static UPSTREAMS: LazyLock<Arc<Upstreams>> = LazyLock::new(Upstreams::new);
    &UPSTREAMS
}

fn raise(spec: &ProviderSpec) -> Arc<Provider> {
    upstreams().raise(std::slice::from_ref(spec)).remove(0)
}

fn provider(peers: &[SocketAddr]) -> Arc<Provider> {
    raise(&spec(peers))
}

fn outgoing(body: &[Bytes]) -> Outgoing<'_> {
    static HEADERS: [(HeaderName, HeaderValue); 1] = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    Outgoing {
        method: &Method::POST,
        path: "/chat",
        headers: &HEADERS,
        body,
        affinity: b"",
    }
}

async fn call(provider: &Provider) -> Result<Call, CallError> {
    let body = [Bytes::from_static(b"{\"a\":"), Bytes::from_static(b"1}")];
    soon(provider.call(outgoing(&body), BOUNDS)).await
}

async fn body(call: &mut Call) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = soon(call.chunk()).await? {
        assert!(!chunk.is_empty());
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A whole call: status, body, and the connection given back.
async fn ask(provider: &Provider) -> Result<(u16, Vec<u8>), CallError> {
    let mut call = call(provider).await?;
    let status = soon(call.head()).await?.status;
    let body = body(&mut call).await?;
    soon(call.release()).await;
    Ok((status, body))
}

fn in_flight(provider: &Provider) -> usize {
    provider
        .status()
        .peers
        .iter()
        .map(|peer| peer.in_flight)
        .sum()
}

/// An address that nobody listens on.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
