//! Guard, listener and TLS over real sockets, with Pingora's own sessions behind them.

mod http1;
mod lifecycle;
mod tls;
mod writes;

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora_core::protocols::SocketDigest;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_http::ResponseHeader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::settings::{Limits, ListenerSettings, ListenerTls};
use super::{Connections, Guard, Listener, Refusal, Tls};

/// What the app saw.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Request(String),
    BadBody,
    Gone,
}

/// Answers by path: `/echo`, `/late` (once released), `/stream`, `/early` (body unread).
struct App {
    seen: mpsc::Sender<Seen>,
    release: Notify,
}

/// A listener with its app, and all that a test looks at.
struct Server {
    address: SocketAddr,
    app: Arc<App>,
    seen: mpsc::Receiver<Seen>,
    connections: Arc<Connections>,
    limits: Arc<ArcSwap<Limits>>,
    stop: watch::Sender<bool>,
    tls: Option<Arc<Tls>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        Self::start_with(limits, None)
    }

    fn start_with(limits: Limits, tls: Option<ListenerTls>) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(&ListenerSettings { address, tls }).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::channel(64);
        let app = Arc::new(App {
            seen: sender,
            release: Notify::new(),
        });
        let connections = Connections::new();
        let limits = Arc::new(ArcSwap::from_pointee(limits));
        let (stop, stopped) = watch::channel(false);
        let tls = listener.tls();
        let serving = listener.serve(
            Arc::clone(&app),
            Arc::clone(&connections),
            Arc::clone(&limits),
            Arc::new(render),
            stopped.clone(),
            stopped,
        );
        let serving = tokio::spawn(serving);
        Self {
            address,
            app,
            seen,
            connections,
            limits,
            stop,
            tls,
            serving,
        }
    }

    async fn connect(&self) -> Client {
        Client(within(TcpStream::connect(self.address)).await.unwrap())
    }

    async fn saw(&mut self) -> Seen {
        within(self.seen.recv()).await.unwrap()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature of a `RefusalRenderer`"
)]
fn render(refusal: &Refusal) -> Bytes {
    let status = match refusal {
        Refusal::Malformed(_) => "400 Bad Request",
        Refusal::TooLarge | Refusal::TooManyFields => "431 Request Header Fields Too Large",
        Refusal::TimedOut => "408 Request Timeout",
    };
    let body = format!("{{\"error\":{{\"message\":\"{refusal}\"}}}}");
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Bytes::from(head + &body)
}

/// A raw client.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.unwrap();
    }

    /// Reads to the end of the connection.
    async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        within(self.0.read_to_end(&mut all)).await.unwrap();
        String::from_utf8(all).unwrap()
    }

    /// Reads until what has come ends with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        while !all.ends_with(end.as_bytes()) {
            assert!(
                within(self.0.read_buf(&mut all)).await.unwrap() > 0,
                "{all:?}"
            );
        }
        String::from_utf8(all).unwrap()
    }

    /// Segments with data that have come.
    fn segments(&self) -> u32 {
        SocketDigest::from_raw_fd(self.0.as_raw_fd())
            .tcp_info()
            .unwrap()
            .tcpi_data_segs_in
    }
}

/// No test waits for ever.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl App {
    async fn answer(&self, session: &mut ServerSession) -> Option<()> {
        let path = session.req_header().uri.path().to_owned();
        let mut body = Vec::new();
        if path != "/early" {
            loop {
                match session.read_request_body().await {
                    Ok(Some(part)) => body.extend_from_slice(&part),
                    Ok(None) => break,
                    Err(_) => return self.bad_body(session).await,
                }
            }
        }
        self.seen
            .send(Seen::Request(format!("{path} {}", body.len())))
            .await
            .ok()?;
        if path == "/late" {
            tokio::select! {
                _ = session.read_body_or_idle(true) => {
                    self.seen.send(Seen::Gone).await.ok()?;
                    return None;
                }
                () = self.release.notified() => {}
            }
        }
        if path == "/stream" {
            return self.stream(session).await;
        }
        let status = if path == "/early" { 413 } else { 200 };
        self.whole(session, status, body.into()).await
    }

    async fn whole(&self, session: &mut ServerSession, status: u16, body: Bytes) -> Option<()> {
        let mut head = ResponseHeader::build(status, None).ok()?;
        head.insert_header("content-length", body.len()).ok()?;
        session.write_response_header(Box::new(head)).await.ok()?;
        session.write_response_body(body, true).await.ok()
    }

    async fn bad_body(&self, session: &mut ServerSession) -> Option<()> {
        let guard = session.stream().and_then(Guard::of)?;
        let refusal = Refusal::Malformed(guard.body_refusal()?);
        self.seen.send(Seen::BadBody).await.ok()?;
        self.whole(session, 400, refusal.to_string().into()).await
    }

    /// Three frames; the head leaves with the first of them.
    async fn stream(&self, session: &mut ServerSession) -> Option<()> {
        let mut head = ResponseHeader::build(200, None).ok()?;
        head.insert_header("transfer-encoding", "chunked").ok()?;
        session.stream().and_then(Guard::of)?.cork();
        session.write_response_header(Box::new(head)).await.ok()?;
        session.stream().and_then(Guard::of)?.uncork();
        for frame in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            session
                .write_response_body(frame.into(), false)
                .await
                .ok()?;
            self.release.notified().await;
        }
        session.write_response_body(Bytes::new(), true).await.ok()
    }
}

#[async_trait]
impl HttpServerApp for App {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !session.read_request().await.ok()? {
            return None;
        }
        if *shutdown.borrow() {
            session.set_keepalive(None);
        }
        self.answer(&mut session).await?;
        if let Some(guard) = session.stream().and_then(Guard::of) {
            guard.next_request();
        }
        let settings = HttpPersistentSettings::for_session(&session);
        let reusable = session.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(reusable, settings))
    }
}
