//! The simulator through its sockets, by a client that sees every byte.

mod answers;
mod closing;
mod dialects;
mod faults;
mod formats;
mod http2;
mod outages;
mod serving;
mod strict;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::sim::{Options, Script, Sim};

/// Longer than anything takes that is not broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A simulator whose every model follows a script.
pub(super) async fn sim(script: &str) -> Sim {
    let scripts = vec![("*".to_owned(), vec![script.parse::<Script>().unwrap()])];
    Sim::start(Options {
        scripts,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// A connection on which nothing is interpreted that a test does not ask for.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) inbox: Vec<u8>,
}

/// An answer as its framing gives it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// The bodies of the HTTP chunks; one for other framings.
    pub(super) chunks: Vec<Vec<u8>>,
    /// Whether the body came to its end as framed.
    pub(super) complete: bool,
    /// The error that ended it, if one did.
    pub(super) error: Option<io::ErrorKind>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The data of the stream's events, in order.
    pub(super) fn events(&self) -> Vec<String> {
        let text = self.text();
        text.lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(str::to_owned)
            .collect()
    }

    /// The content of a stream's or a document's first choice, joined.
    pub(super) fn content(&self) -> String {
        let document = [self.text()];
        let events = if self.text().starts_with("data:") {
            &self.events()
        } else {
            &document[..]
        };
        events
            .iter()
            .filter_map(|event| serde_json::from_str::<serde_json::Value>(event).ok())
            .filter_map(|event| {
                let choice = &event["choices"][0];
                let content = choice["delta"]["content"].as_str();
                content
                    .or(choice["message"]["content"].as_str())
                    .map(str::to_owned)
            })
            .collect()
    }
}

impl Client {
    pub(super) async fn connect(sim: &Sim) -> Self {
        let stream = TcpStream::connect(sim.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            inbox: Vec::new(),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Asks for a chat completion. `more` is further JSON, such as `,"stream":true`.
    pub(super) async fn ask(&mut self, model: &str, more: &str) {
        let model = serde_json::to_string(model).unwrap();
        let body = format!("{{\"model\":{model},\"messages\":[]{more}}}");
        self.post("/v1/chat/completions", "", &body).await;
    }

    /// `headers` are whole lines.
    pub(super) async fn post(&mut self, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: sim\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        self.send(request.as_bytes()).await;
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: sim\r\n\r\n").as_bytes())
            .await;
        self.answer().await
    }

    /// Reads more; `Ok(0)` at the end.
    async fn more(&mut self) -> io::Result<usize> {
        let mut buffer = vec![0; 16 << 10];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer));
        let read = read
            .await
            .expect("the simulator sends nothing and does not close")?;
        self.inbox.extend_from_slice(&buffer[..read]);
        Ok(read)
    }

    /// Everything until the connection ends, and how it does.
    pub(super) async fn rest(&mut self) -> (Vec<u8>, Option<io::ErrorKind>) {
        let error = loop {
            match self.more().await {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error.kind()),
            }
        };
        (std::mem::take(&mut self.inbox), error)
    }

    /// Reads until so many bytes of `part` have come.
    pub(super) async fn read_until(&mut self, part: &str) {
        while memchr::memmem::find(&self.inbox, part.as_bytes()).is_none() {
            assert_ne!(self.more().await.unwrap(), 0, "ended before {part:?}");
        }
    }

    /// Reads one answer; a connection that ends within it leaves it incomplete.
    pub(super) async fn answer(&mut self) -> Answer {
        let mut error = None;
        let end = loop {
            if let Some(at) = memchr::memmem::find(&self.inbox, b"\r\n\r\n") {
                break at + 4;
            }
            match self.more().await {
                Ok(read) if read > 0 => {}
                ended => {
                    let head = String::from_utf8_lossy(&self.inbox).into_owned();
                    error = error.or(ended.err().map(|error| error.kind()));
                    let (body, chunks) = (Vec::new(), Vec::new());
                    return Answer {
                        status: 0,
                        head,
                        body,
                        chunks,
                        complete: false,
                        error,
                    };
                }
            }
        };
        let head: Vec<u8> = self.inbox.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
            chunks: Vec::new(),
            complete: false,
            error,
        };
        self.read_body(&mut answer).await;
        answer.body = answer.chunks.concat();
        answer
    }

    async fn read_body(&mut self, answer: &mut Answer) {
        let head = answer.head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: Option<usize> = length.map(|length| length.parse().unwrap());
        let chunked = head.contains("transfer-encoding: chunked");
        loop {
            if chunked {
                answer.complete = self.take_chunks(&mut answer.chunks);
            } else if length.is_some_and(|length| self.inbox.len() >= length) {
                answer.chunks = vec![self.inbox.drain(..length.unwrap()).collect()];
                answer.complete = true;
            }
            if answer.complete {
                return;
            }
            let ended = match self.more().await {
                Ok(0) => None,
                Ok(_) => continue,
                Err(error) => Some(error.kind()),
            };
            answer.error = ended;
            if !chunked {
                answer.chunks = vec![std::mem::take(&mut self.inbox)];
                answer.complete = length.is_none() && ended.is_none();
            }
            return;
        }
    }

    /// Takes the whole HTTP chunks; tells whether the last one was among them.
    fn take_chunks(&mut self, chunks: &mut Vec<Vec<u8>>) -> bool {
        loop {
            let Some(end) = memchr::memmem::find(&self.inbox, b"\r\n") else {
                return false;
            };
            let size = std::str::from_utf8(&self.inbox[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).expect(size);
            let (start, stop) = (end + 2, end + 2 + size);
            if self.inbox.len() < stop + 2 {
                return false;
            }
            assert_eq!(&self.inbox[stop..stop + 2], b"\r\n");
            let chunk = self.inbox[start..stop].to_vec();
            self.inbox.drain(..stop + 2);
            if size == 0 {
                return true;
            }
            chunks.push(chunk);
        }
    }
}

/// One answer of a fresh simulator with one script.
pub(super) async fn answer_to(script: &str, more: &str) -> Answer {
    let sim = sim(script).await;
    let mut client = Client::connect(&sim).await;
    client.ask("m", more).await;
    client.answer().await
}

/// One streamed answer of a fresh simulator with one script.
pub(super) async fn stream(script: &str) -> Answer {
    answer_to(script, ",\"stream\":true").await
}
