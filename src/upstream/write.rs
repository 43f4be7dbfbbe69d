//! Sends an HTTP/1.1 request, head and body in as few writes as the socket takes, and watches
//! for an answer meanwhile: who refuses a body early may never read it.

use std::future::poll_fn;
use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_core::protocols::Stream;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::answered::Answered;
use super::error::{CallError, Phase, cut};
use super::message::Message;

/// Segments handed to the kernel in one write.
const SLICES: usize = 64;
/// The most of an early answer that is kept while the body still goes out.
const EARLY: usize = 64 << 10;

/// How sending ended.
pub(super) enum Sent {
    /// All of it went out.
    Whole(Stream),
    /// An answer began before that, and its bytes come first. The connection is good for this
    /// answer only.
    Answered(Stream),
}

/// Writes a request. `wait` bounds each wait for the peer to take more, in which it takes nothing.
///
/// # Errors
/// Only when no byte of an answer came.
///
/// # Cancel safety
/// None: dropped, it closes the connection.
pub(super) async fn h1(
    mut stream: Stream,
    message: &Message,
    wait: Duration,
) -> Result<Sent, CallError> {
    let mut sending = Sending::new(message);
    let error = loop {
        // Most requests go out at once, and need no clock.
        let polled = poll_fn(|cx| Poll::Ready(sending.poll(&mut stream, cx))).await;
        let progress = match polled {
            Poll::Ready(progress) => Ok(progress),
            Poll::Pending => timeout(wait, poll_fn(|cx| sending.poll(&mut stream, cx))).await,
        };
        match progress {
            Ok(Progress::Moved) => {}
            Ok(Progress::Done) => break None,
            Ok(Progress::Broken(error)) => break Some(error),
            Err(_) => break Some(CallError::WriteTimeout),
        }
    };
    match (sending.early.is_empty(), error) {
        (false, _) => Ok(Sent::Answered(Answered::stream(
            sending.early.freeze(),
            stream,
        ))),
        (true, None) => Ok(Sent::Whole(stream)),
        (true, Some(error)) => Err(error),
    }
}

/// What one poll did.
enum Progress {
    Moved,
    /// Nothing is left to send, or the peer wants no more of it.
    Done,
    Broken(CallError),
}

/// A request on its way.
struct Sending<'a> {
    message: &'a Message,
    /// The segment that comes next, zero being the head, and the bytes of it that are gone.
    segment: usize,
    offset: usize,
    early: BytesMut,
    watch: Watch,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    On,
    /// The peer has said its last word, or more than we keep.
    Off,
}

impl<'a> Sending<'a> {
    fn new(message: &'a Message) -> Self {
        Self {
            message,
            segment: 0,
            offset: 0,
            early: BytesMut::new(),
            watch: Watch::On,
        }
    }

    fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Progress> {
        match self.poll_write(stream, cx) {
            Poll::Ready(Ok(progress)) => Poll::Ready(progress),
            Poll::Ready(Err(error)) => {
                // Who closes without reading may have answered before: that is still to be read.
                while self.poll_early(stream, cx).is_ready() && self.watch == Watch::On {}
                Poll::Ready(Progress::Broken(broken(&error)))
            }
            // Only a write that waits is worth a read: small requests cost none.
            Poll::Pending => self.poll_early(stream, cx),
        }
    }

    fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Progress, Error>> {
        let slices = self.slices();
        if slices.is_empty() {
            return Pin::new(stream).poll_flush(cx).map_ok(|()| Progress::Done);
        }
        match Pin::new(stream).poll_write_vectored(cx, &slices) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(written)) => {
                self.advance(written);
                Poll::Ready(Ok(Progress::Moved))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn segments(&self) -> impl Iterator<Item = &'a Bytes> {
        std::iter::once(&self.message.head).chain(&self.message.body)
    }

    fn slices(&self) -> SmallVec<[IoSlice<'a>; 8]> {
        let mut offset = self.offset;
        self.segments()
            .skip(self.segment)
            .take(SLICES)
            .map(|segment| IoSlice::new(segment.get(std::mem::take(&mut offset)..).unwrap_or(&[])))
            .collect()
    }

    fn advance(&mut self, written: usize) {
        let mut left = self.offset.saturating_add(written);
        let mut passed = 0;
        for segment in self.segments().skip(self.segment) {
            if left < segment.len() {
                break;
            }
            left -= segment.len();
            passed += 1;
        }
        self.segment += passed;
        self.offset = left;
    }

    /// Reads what has come. Ready when that changes what there is to do.
    fn poll_early(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Progress> {
        while self.watch == Watch::On {
            let mut chunk = [0; 4096];
            let mut read = ReadBuf::new(&mut chunk);
            match Pin::new(&mut *stream).poll_read(cx, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    self.early.extend_from_slice(read.filled());
                    if self.early.len() >= EARLY {
                        self.watch = Watch::Off;
                    }
                    if refuses(&self.early) {
                        return Poll::Ready(Progress::Done);
                    }
                }
                Poll::Ready(end) => {
                    self.watch = Watch::Off;
                    let error = end.err().unwrap_or(ErrorKind::UnexpectedEof.into());
                    return Poll::Ready(Progress::Broken(cut(&error, Phase::BeforeHead)));
                }
            }
        }
        Poll::Pending
    }
}

fn broken(error: &Error) -> CallError {
    match error.kind() {
        ErrorKind::ConnectionReset => CallError::Reset(Phase::BeforeHead),
        ErrorKind::BrokenPipe => CallError::Closed(Phase::BeforeHead),
        _ => CallError::Write,
    }
}

/// Whether these bytes begin an answer after which the rest of the body need not be sent: a final
/// status of 300 or more, or no HTTP at all. A 2xx may be an answer to what it reads meanwhile.
fn refuses(early: &[u8]) -> bool {
    const VERSION: &[u8] = b"HTTP/1.";
    let mut rest = early;
    loop {
        let begin = rest
            .get(..VERSION.len().min(rest.len()))
            .unwrap_or_default();
        if !VERSION.starts_with(begin) {
            return true;
        }
        match rest.get(9..12) {
            None => return false,
            // Informational: another head follows it.
            Some([b'1', _, _]) => match memchr::memmem::find(rest, b"\r\n\r\n") {
                Some(end) => rest = rest.get(end + 4..).unwrap_or_default(),
                None => return false,
            },
            Some(status) => return !status.starts_with(b"2"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_final_head_that_is_no_success_stops_a_body() {
        let cases: [(&[u8], bool); 12] = [
            (b"", false),
            (b"HT", false),
            (b"HTTP/1.1 4", false),
            (b"HTTP/1.1 413 ", true),
            (b"HTTP/1.0 503 x\r\n", true),
            (b"HTTP/1.1 302 x\r\n", true),
            (b"HTTP/1.1 200 OK\r\n", false),
            (b"HTTP/1.1 100 Continue\r\n", false),
            (b"HTTP/1.1 100 Continue\r\n\r\n", false),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 ", true),
            (
                b"HTTP/1.1 103 x\r\na: b\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 200 ",
                false,
            ),
            (b"SSH-2.0", true),
        ];
        for (early, expected) in cases {
            assert_eq!(refuses(early), expected, "{}", early.escape_ascii());
        }
    }
}
