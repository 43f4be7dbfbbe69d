//! A client over a raw socket: what it sends and gets is exact to the byte.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes longer unless something hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the edge.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
    /// Whether the framing came to its own end.
    pub complete: bool,
}

impl Answer {
    /// The field's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `data` of each event of a stream.
    pub fn events(&self) -> Vec<String> {
        let blocks = self.text().split("\n\n").filter(|block| !block.is_empty());
        blocks
            .filter_map(|block| block.strip_prefix("data: ").map(str::to_owned))
            .collect()
    }

    /// The content of a stream's deltas, joined.
    pub fn content(&self) -> String {
        let chunk = |data: &String| -> Option<String> {
            let chunk: serde_json::Value = serde_json::from_str(data).ok()?;
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        };
        self.events().iter().filter_map(chunk).collect()
    }
}

/// A chat request with a JSON body, as bytes.
pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Connects, or says why not.
    pub async fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// The same as `chat`, for where the connection may break.
    pub async fn try_chat(&mut self, extra: &str) -> io::Result<Answer> {
        let body = format!(
            "{{{extra}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
        );
        self.stream
            .write_all(&post("/v1/chat/completions", "", &body))
            .await?;
        // Without a head there is no answer: the connection ended under the request.
        while memchr::memmem::find(&self.buffer, b"\r\n\r\n").is_none() {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await??;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.answer().await)
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends a chat request for the route `model` and reads the answer.
    pub async fn chat(&mut self, extra: &str) -> Answer {
        self.ask(extra).await;
        self.answer().await
    }

    /// Sends a chat request for the route `model`; `extra` are further JSON members, each with a
    /// trailing comma.
    pub async fn ask(&mut self, extra: &str) {
        let body = format!(
            "{{{extra}\"model\":\"model\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
        );
        self.send(&post("/v1/chat/completions", "", &body)).await;
    }

    /// Reads one answer to its end, within `PATIENCE`.
    pub async fn answer(&mut self) -> Answer {
        timeout(PATIENCE, self.read_answer())
            .await
            .expect("an answer in time")
    }

    /// The same, within a time of the test's own.
    pub async fn whole(&mut self, patience: Duration) -> Answer {
        let answer = timeout(patience, self.read_answer()).await;
        answer.expect("an answer in time")
    }

    /// Reads until `needle` has come in the raw bytes of the answer; they stay unread.
    pub async fn until(&mut self, needle: &str) {
        let seen = async {
            while memchr::memmem::find(&self.buffer, needle.as_bytes()).is_none() {
                assert!(
                    self.fill().await,
                    "closed before {needle:?}: {:?}",
                    self.raw()
                );
            }
        };
        timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("{needle:?} in time"));
    }

    /// Reads until `needle` has come so often in the raw bytes, or all has come, and leaves.
    pub async fn leave_after(mut self, needle: &str, times: usize) {
        let seen = async {
            while memchr::memmem::find_iter(&self.buffer, needle.as_bytes()).count() < times
                && !self.buffer.ends_with(b"0\r\n\r\n")
                && self.fill().await
            {}
        };
        timeout(PATIENCE, seen).await.expect("an answer in time");
    }

    /// Reads until the edge closes, and returns all that came.
    pub async fn rest(&mut self) -> Vec<u8> {
        timeout(PATIENCE, async { while self.fill().await {} })
            .await
            .expect("an end in time");
        std::mem::take(&mut self.buffer)
    }

    /// What has come and was not taken yet.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads more; false at the end of the connection, however it ended.
    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(read) if read > 0)
    }

    async fn read_answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            assert!(self.fill().await, "no answer: {:?}", self.raw());
        };
        let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
            complete: true,
        };
        let length = answer
            .header("content-length")
            .map(|value| value.parse::<usize>().unwrap());
        if let Some(length) = length {
            answer.complete = self.take(length, &mut answer.body).await;
        } else if answer.header("transfer-encoding") == Some("chunked") {
            answer.complete = self.take_chunks(&mut answer.body).await;
        } else if status >= 200 {
            while self.fill().await {}
            answer.body = std::mem::take(&mut self.buffer);
        }
        answer
    }

    async fn take(&mut self, length: usize, into: &mut Vec<u8>) -> bool {
        while self.buffer.len() < length {
            if !self.fill().await {
                into.append(&mut self.buffer);
                return false;
            }
        }
        into.extend(self.buffer.drain(..length));
        true
    }

    async fn take_chunks(&mut self, into: &mut Vec<u8>) -> bool {
        loop {
            let end = loop {
                if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") {
                    break end;
                }
                if !self.fill().await {
                    return false;
                }
            };
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let size =
                usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
            if !self.take(size, into).await || !self.take(2, &mut Vec::new()).await {
                return false;
            }
            if size == 0 {
                return true;
            }
        }
    }
}
