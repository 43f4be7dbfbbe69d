//! The wire under HTTP/2: the protocol writes to it, and its end stays with the connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sim::wire::{Stream, Wire};

/// A wire that the protocol and the connection hold together; only one of them runs at a time.
#[derive(Clone)]
pub(super) struct Socket(Arc<Mutex<Inner>>);

struct Inner {
    stream: Stream,
    /// Read before the protocol began.
    inbox: BytesMut,
    /// The last write had to wait.
    blocked: bool,
}

impl Socket {
    pub(super) fn new(wire: Wire) -> Self {
        let (stream, inbox) = wire.into_parts();
        Self(Arc::new(Mutex::new(Inner {
            stream,
            inbox,
            blocked: false,
        })))
    }

    /// Forgets that a write had to wait.
    pub(super) fn begin(&self) {
        self.0.lock().blocked = false;
    }

    /// Whether a write had to wait since `begin`.
    pub(super) fn is_blocked(&self) -> bool {
        self.0.lock().blocked
    }

    /// The wire itself, once the protocol has let go.
    pub(super) fn into_wire(self) -> Option<Wire> {
        Arc::into_inner(self.0).map(|inner| Wire::new(inner.into_inner().stream))
    }

    fn write<T>(
        &self,
        act: impl FnOnce(Pin<&mut Stream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut inner = self.0.lock();
        let done = act(Pin::new(&mut inner.stream));
        inner.blocked = done.is_pending();
        done
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        if inner.inbox.is_empty() {
            return Pin::new(&mut inner.stream).poll_read(context, buffer);
        }
        let length = inner.inbox.len().min(buffer.remaining());
        buffer.put_slice(inner.inbox.get(..length).unwrap_or_default());
        inner.inbox.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|stream| stream.poll_shutdown(context))
    }
}
