//! The client of `segue demo` and `segue drill`: HTTP/1.1 over a socket of its own, so that it sees what
//! a client sees.
//!
//! Everything is bounded; deadlines are the caller's.

use std::net::SocketAddr;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The most that is held of an answer, in bytes: many times what is asked for.
const MOST: usize = 1 << 20;

/// What the client cannot make sense of.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the connection ended in mid-answer")]
    Ended,
    #[error("the answer is larger than {MOST} bytes")]
    TooLarge,
    #[error("the answer is not HTTP/1.1: {0}")]
    Malformed(&'static str),
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Framing,
    stream: TcpStream,
    /// Received and not yet looked at.
    buffer: Vec<u8>,
    /// The body so far, without its framing.
    decoded: Vec<u8>,
    /// How much of it has been given out as events.
    heard: usize,
}

/// How the rest of the body is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    Over,
}

/// Posts a chat request and reads the head of its answer.
pub(super) async fn post(address: SocketAddr, body: &str) -> Result<Answer, ClientError> {
    post_as(address, "", body).await
}

/// The same with header lines of its own, each with its line end.
pub(super) async fn post_as(
    address: SocketAddr,
    headers: &str,
    body: &str,
) -> Result<Answer, ClientError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\n{headers}\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Answer {
        status: 0,
        headers: Vec::new(),
        body: Framing::Over,
        stream,
        buffer: Vec::new(),
        decoded: Vec::new(),
        heard: 0,
    };
    answer.read_head().await?;
    Ok(answer)
}

impl Answer {
    /// The field's first value; the name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let (_, value) = fields.find(|(known, _)| known == name)?;
        Some(value)
    }

    /// The body, to its end.
    pub(super) async fn whole(&mut self) -> Result<&[u8], ClientError> {
        while self.more().await? {}
        Ok(&self.decoded)
    }

    /// The body as far as it has come.
    pub(super) fn body(&self) -> &[u8] {
        &self.decoded
    }

    /// The data of a stream's next event as soon as it is there; `None` once the body has come to
    /// its proper end.
    pub(super) async fn event(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            let rest = self.decoded.get(self.heard..).unwrap_or_default();
            if let Some(end) = memmem::find(rest, b"\n\n") {
                let event = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
                let data = event.strip_prefix("data: ").map(str::to_owned);
                self.heard = self.heard.saturating_add(end).saturating_add(2);
                if data.is_some() {
                    return Ok(data);
                }
            } else if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn read_head(&mut self) -> Result<(), ClientError> {
        let status = self.line().await?;
        self.status = status
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .ok_or(ClientError::Malformed("its status line"))?;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            let field = line.split_once(':');
            let (name, value) = field.ok_or(ClientError::Malformed("a header"))?;
            self.headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        self.body = match (
            self.header("transfer-encoding"),
            self.header("content-length"),
        ) {
            (Some("chunked"), None) => Framing::Chunked,
            (None, Some(length)) => length
                .parse()
                .map(Framing::Length)
                .map_err(|_| ClientError::Malformed("its length"))?,
            _ => return Err(ClientError::Malformed("its framing")),
        };
        Ok(())
    }

    /// Decodes more of the body, or says with `false` that it is over.
    async fn more(&mut self) -> Result<bool, ClientError> {
        let size = match self.body {
            Framing::Over => return Ok(false),
            Framing::Length(length) => length,
            Framing::Chunked => {
                let size = self.line().await?;
                usize::from_str_radix(&size, 16)
                    .map_err(|_| ClientError::Malformed("a chunk's size"))?
            }
        };
        if self.decoded.len().saturating_add(size) > MOST {
            return Err(ClientError::TooLarge);
        }
        while self.buffer.len() < size {
            self.fill().await?;
        }
        self.decoded.extend(self.buffer.drain(..size));
        if self.body == Framing::Chunked && !self.line().await?.is_empty() {
            return Err(ClientError::Malformed("a chunk's end"));
        }
        if self.body != Framing::Chunked || size == 0 {
            self.body = Framing::Over;
        }
        Ok(true)
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<String, ClientError> {
        let end = loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let line: Vec<u8> = self.buffer.drain(..end.saturating_add(2)).collect();
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    async fn fill(&mut self) -> Result<(), ClientError> {
        if self.buffer.len() > MOST {
            return Err(ClientError::TooLarge);
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(ClientError::Ended),
            _ => Ok(()),
        }
    }
}
