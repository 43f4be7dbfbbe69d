//! Clients that ask without a pause, over HTTP/1.1 and HTTP/2, and count what goes wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use segue::sim::answer_text;
use tokio::task::JoinHandle;

use crate::edge_stage::{Caller, Http2, finish};
use crate::support::{Answer, Client, PATIENCE};

/// What all clients together have seen.
#[derive(Default)]
pub struct Seen {
    pub answers: AtomicU64,
    pub failures: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Clients at work.
pub struct Load {
    pub seen: Arc<Seen>,
    clients: Vec<JoinHandle<()>>,
}

/// Who asks, and for what.
#[derive(Clone)]
pub struct Ask {
    pub address: SocketAddr,
    /// TLS with HTTP/2, or plain HTTP/1.1.
    pub caller: Option<Caller>,
    /// Tokens that the provider answers.
    pub tokens: u64,
    /// Between two requests on a connection that is kept.
    pub pause: Duration,
}

impl Load {
    pub fn start(asks: impl IntoIterator<Item = Ask>) -> Self {
        let seen = Arc::<Seen>::default();
        let clients = asks.into_iter().map(|ask| {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                match ask.caller.clone() {
                    Some(caller) => http2(&ask, &caller, &seen).await,
                    None => http1(&ask, &seen).await,
                }
            })
        });
        Self {
            clients: clients.collect(),
            seen,
        }
    }

    pub fn answers(&self) -> u64 {
        self.seen.answers.load(Ordering::Relaxed)
    }

    /// Waits for so many more answers.
    pub async fn more(&self, answers: u64) {
        let wanted = self.answers() + answers;
        let enough = async {
            while self.answers() < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let enough = tokio::time::timeout(PATIENCE, enough).await;
        assert!(enough.is_ok(), "{:#?}", self.seen.failures.lock());
    }

    /// Lets each client finish what it began; how many answers there were, if nothing went wrong.
    pub async fn stop(self) -> u64 {
        self.seen.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        let failures = self.seen.failures.lock();
        let answers = self.seen.answers.load(Ordering::Relaxed);
        assert!(
            failures.is_empty(),
            "{} of {answers}: {failures:#?}",
            failures.len()
        );
        answers
    }
}

impl Seen {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn note(&self, ask: &Ask, answer: Result<Answer, String>) {
        let wrong = match answer {
            Ok(answer) if answer.status != 200 => Some(format!("{answer:?}")),
            Ok(answer) if !answer.complete || answer.content() != answer_text(ask.tokens) => {
                Some(format!("truncated: {answer:?}"))
            }
            Ok(_) => None,
            Err(error) => Some(error),
        };
        match wrong {
            None => drop(self.answers.fetch_add(1, Ordering::Relaxed)),
            Some(wrong) => self.failures.lock().push(wrong),
        }
    }
}

async fn http1(ask: &Ask, seen: &Seen) {
    while seen.goes_on() {
        let mut client = match Client::try_connect(ask.address).await {
            Ok(client) => client,
            Err(error) => {
                seen.failures.lock().push(format!("connect: {error}"));
                continue;
            }
        };
        loop {
            let answer = client.try_chat("\"stream\":true,").await;
            let last = answer
                .as_ref()
                .map_or(true, |answer| answer.header("connection") == Some("close"));
            seen.note(ask, answer.map_err(|error| format!("HTTP/1.1: {error}")));
            if last || !seen.goes_on() {
                break;
            }
            tokio::time::sleep(ask.pause).await;
        }
    }
}

async fn http2(ask: &Ask, caller: &Caller, seen: &Seen) {
    while seen.goes_on() {
        let stream = match caller.call(ask.address, "localhost").await {
            Ok(stream) => stream,
            Err(error) => {
                seen.failures.lock().push(format!("handshake: {error}"));
                continue;
            }
        };
        let client = Http2::over(stream).await;
        while seen.goes_on() {
            // A connection that says GOAWAY takes no more, and says so before anything is sent.
            let Some(answer) = client.try_ask("\"stream\":true,").await else {
                break;
            };
            let head = tokio::time::timeout(PATIENCE, answer).await;
            // A request that was let go is served, whatever GOAWAY it crossed.
            let answer = match head.expect("a head in time") {
                Ok(head) => finish(head).await,
                Err(error) => Err(error),
            };
            seen.note(ask, answer.map_err(|error| format!("HTTP/2: {error}")));
            tokio::time::sleep(ask.pause).await;
        }
        // Its side of the connection ends when ours does.
        drop(client.sender);
        let _ = tokio::time::timeout(PATIENCE, client.driver).await;
    }
}
