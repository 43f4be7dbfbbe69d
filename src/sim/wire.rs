//! A connection: bytes in, bytes out, and the peer's leaving noticed in every wait.
//!
//! A peer that closes its sending side counts as gone, even if it could still read.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// Room for a head, and for what comes while an answer is on its way.
pub(crate) const SMALL_READ: usize = 8 << 10;

/// Read at a time of a body. Also the most that is taken in while an answer is on its way.
pub(crate) const READ: usize = 64 << 10;

/// How often a full inbox is looked past.
const LOOK: Duration = Duration::from_millis(20);

/// How long a closing connection takes in what the peer still sends, lest an RST overtake the answer.
const LINGER: Duration = Duration::from_secs(2);

/// A time after another; a span that no clock can hold is a year.
pub(crate) fn later(time: tokio::time::Instant, span: Duration) -> tokio::time::Instant {
    const YEAR: Duration = Duration::from_hours(365 * 24);
    time.checked_add(span.min(YEAR)).unwrap_or(time)
}

/// The peer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// When that was seen.
    pub(crate) at: Instant,
}

/// The transport under a connection.
pub(crate) enum Stream {
    /// TCP
    Plain(TcpStream),
    /// TLS over TCP
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_mut().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// How a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// In good order; under TLS with `close_notify`.
    Orderly,
    /// With a bare FIN; under TLS without `close_notify`.
    Cut,
    /// With an RST.
    Reset,
}

/// A connection and what has been read from it but not yet used.
pub(crate) struct Wire {
    stream: Stream,
    /// Bytes that came and are not used yet.
    pub(crate) inbox: BytesMut,
    gone: Option<Gone>,
}

impl Wire {
    /// Takes a connection over.
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            inbox: BytesMut::new(),
            gone: None,
        }
    }

    /// Gives the connection up: what carries it, and what has been read and not used.
    pub(crate) fn into_parts(self) -> (Stream, BytesMut) {
        (self.stream, self.inbox)
    }

    /// Reads more into the inbox, about `room` bytes at once. The caller bounds how often.
    pub(crate) async fn fill(&mut self, room: usize) -> Result<(), Gone> {
        if let Some(gone) = self.gone {
            return Err(gone);
        }
        if self.inbox.capacity().saturating_sub(self.inbox.len()) < room / 4 {
            self.inbox.reserve(room);
        }
        match self.stream.read_buf(&mut self.inbox).await {
            Ok(0) | Err(_) => Err(self.note_gone()),
            Ok(_) => Ok(()),
        }
    }

    fn note_gone(&mut self) -> Gone {
        *self.gone.get_or_insert_with(|| Gone { at: Instant::now() })
    }

    /// Ready when the peer has left. Takes in what it sends before, up to the bound.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Gone> {
        if let Some(gone) = self.gone {
            return Poll::Ready(gone);
        }
        while self.inbox.len() < READ {
            if self.inbox.capacity() == self.inbox.len() {
                self.inbox.reserve(SMALL_READ);
            }
            match ready!(pin!(self.stream.read_buf(&mut self.inbox)).poll(context)) {
                Ok(0) | Err(_) => return Poll::Ready(self.note_gone()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    /// Sends all bytes, however long the peer takes; counts what the socket accepts.
    pub(crate) async fn send(&mut self, bytes: &[u8], accepted: &AtomicU64) -> Result<(), Gone> {
        let mut rest = bytes;
        std::future::poll_fn(|context| {
            if let Poll::Ready(gone) = self.poll_gone(context) {
                return Poll::Ready(Err(gone));
            }
            while !rest.is_empty() {
                match ready!(Pin::new(&mut self.stream).poll_write(context, rest)) {
                    Ok(sent) if sent > 0 => {
                        accepted.fetch_add(sent as u64, Ordering::Relaxed);
                        rest = rest.get(sent..).unwrap_or_default();
                    }
                    Ok(_) | Err(_) => return Poll::Ready(Err(self.note_gone())),
                }
            }
            match ready!(Pin::new(&mut self.stream).poll_flush(context)) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(_) => Poll::Ready(Err(self.note_gone())),
            }
        })
        .await
    }

    /// Sends nothing until the peer leaves.
    pub(crate) async fn silence(&mut self) -> Gone {
        let full = std::future::poll_fn(|context| match self.poll_gone(context) {
            Poll::Ready(gone) => Poll::Ready(Some(gone)),
            Poll::Pending if self.inbox.len() >= READ => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        if let Some(gone) = full.await {
            return gone;
        }
        // Nothing more is taken in, so no read can tell. The socket knows, but wakes nobody.
        loop {
            let ready = self.stream.tcp().ready(Interest::READABLE).await;
            if ready.is_ok_and(|ready| !ready.is_read_closed()) {
                tokio::time::sleep(LOOK).await;
            } else {
                return self.note_gone();
            }
        }
    }

    /// Closes the connection. What the peer is still sending is read for a while, since closing
    /// with unread bytes would send an RST in place of the FIN.
    pub(crate) async fn close(mut self, close: Close) {
        let shut = match close {
            Close::Reset => {
                // Without the option an ordinary close follows; there is nobody to tell.
                let _ = self.stream.tcp().set_zero_linger();
                return;
            }
            Close::Orderly => timeout(LINGER, self.stream.shutdown()).await,
            Close::Cut => timeout(LINGER, self.stream.tcp().shutdown()).await,
        };
        if !matches!(shut, Ok(Ok(()))) {
            return;
        }
        let drain = async {
            let mut sink = vec![0; READ / 4];
            while matches!(self.stream.tcp().read(&mut sink).await, Ok(read) if read > 0) {}
        };
        // The bound is the point: a peer that never closes is left after it.
        let _ = timeout(LINGER, drain).await;
    }
}
