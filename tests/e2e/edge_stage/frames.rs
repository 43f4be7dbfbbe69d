//! HTTP/2 by the frame, for what a proper client cannot say (RFC 9113 section 4, RFC 7541).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::support::PATIENCE;

/// A frame that came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const CONTINUATION: u8 = 9;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;

    /// The status in a head, if it is one that HPACK's static table has.
    pub fn status(&self) -> Option<u16> {
        assert_eq!(self.kind, Self::HEADERS);
        match self.payload.first()? {
            0x88 => Some(200),
            0x8c => Some(400),
            0x8d => Some(404),
            _ => None,
        }
    }

    pub fn ends(&self) -> bool {
        self.flags & Self::END_STREAM != 0
    }
}

/// One connection.
pub struct Frames(TlsStream<TcpStream>);

impl Frames {
    /// Sends the preface and empty settings.
    pub async fn over(mut stream: TlsStream<TcpStream>) -> Self {
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut frames = Self(stream);
        frames.send(Frame::SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Sends a frame; whether it arrives is not asked.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        let _ = self.0.write_all(&frame).await;
        let _ = self.0.flush().await;
    }

    /// Sends a head of literal fields.
    pub async fn head(&mut self, stream: u32, fields: &[(&str, &str)], end: u8) {
        let block = block(fields);
        let mut pieces = block.chunks(16_000).peekable();
        let mut kind = Frame::HEADERS;
        let mut flags = end;
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                flags |= Frame::END_HEADERS;
            }
            self.send(kind, flags, stream, piece).await;
            (kind, flags) = (Frame::CONTINUATION, 0);
        }
    }

    /// The next frame; `None` when the connection is over.
    pub async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame {
                kind: head[3],
                flags: head[4],
                stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
                payload,
            })
        };
        timeout(PATIENCE, read).await.expect("a frame in time")
    }

    /// The next frame of a stream that is a head, data or a reset; others are put into `others`.
    pub async fn of(&mut self, stream: u32, others: &mut Vec<Frame>) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            let wanted = [Frame::DATA, Frame::HEADERS, Frame::RST_STREAM].contains(&frame.kind);
            if frame.stream == stream && wanted {
                return Some(frame);
            }
            others.push(frame);
        }
    }
}

/// Fields as literals that nobody remembers and nothing compresses.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return block.push(u8::try_from(length).unwrap());
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}
