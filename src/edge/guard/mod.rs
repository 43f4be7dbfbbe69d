//! The guard: stands between a client's connection and Pingora, and lets through whole requests.
//!
//! Reading, it collects a head under the limits and judges it (`head`), then passes it on, and
//! behind it exactly the bytes of its body. What comes after them stays here and is the next head.
//! A refused request is answered here and never seen by Pingora. Writing, it gathers (`outbox`).
//!
//! ```text
//! Head ──judged──▶ Request ──body passed, next_request──▶ Head
//!   │                 │
//!   ├─refused─────────┴─shutdown with bytes unread──▶ Farewell ──▶ Ended
//!   └─idle too long, client gone, stop──────────────────────────────▲
//! ```
//!
//! HTTP/2 has framing and limits of its own: there the guard checks that it begins, that it is no
//! flood (`frames`), and that its end crosses no request (`pong`).

mod body;
mod deadline;
mod farewell;
mod frames;
mod gather;
mod http2;
mod outbox;
mod own;
mod pong;
mod request;
mod stream;

use std::future::Future;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use arc_swap::ArcSwap;
use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{SocketDigest, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::caps::{Connections, Permit};
use super::connection::Connection;
use super::head::{HeadLimits, HeadScan, Refusal, Rule};
use super::settings::Limits;
use body::Body;
use deadline::Deadline;
use frames::Frames;
use outbox::Outbox;
use own::Own;

pub(super) use farewell::{LINGER, LINGER_BYTES};
#[cfg(test)]
pub(super) use own::ENDPOINTS;
pub(super) use own::Gathered;

/// Renders the whole answer to a refused request: status line, fields and body, to be sent as it
/// is before the connection closes.
pub type RefusalRenderer = Arc<dyn Fn(&Refusal) -> Bytes + Send + Sync>;

/// What the guards of a listener share.
pub(super) struct Door {
    pub(super) connections: Arc<Connections>,
    pub(super) limits: Arc<ArcSwap<Limits>>,
    pub(super) refuse: RefusalRenderer,
    /// Turns true when the next request of a connection is its last. Never marked as seen, so that
    /// its clones see it.
    pub(super) closing: watch::Receiver<bool>,
    /// Turns true when connections that wait for a request are to end.
    pub(super) hang_up: watch::Receiver<bool>,
}

/// A client's connection under guard; Pingora's stream.
pub struct Guard {
    connection: Connection,
    peer: SocketAddr,
    socket: Arc<SocketDigest>,
    tls: Option<Arc<SslDigest>>,
    door: Arc<Door>,
    phase: Phase,
    /// Bytes that have come and that Pingora has not been given.
    inbox: BytesMut,
    outbox: Outbox,
    corked: AtomicBool,
    abandoned: AtomicBool,
    next: AtomicBool,
    body_refusal: Option<Rule>,
    /// A body that Pingora does not see, until it is taken.
    own: Mutex<Option<Own>>,
    /// What an HTTP/2 client has sent.
    frames: Frames,
    /// For the head, for idling, and for the farewell; over HTTP/2 for the answer to a PING.
    patience: Deadline,
    /// For a client that takes no byte of what we send.
    stalled: Deadline,
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    _permit: Permit,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Collecting a head, or waiting for its first byte.
    Head(HeadScan),
    /// Passing a request on: the rest of its head, then its body.
    Request { head: usize, body: Body },
    /// Sending what is left to send, then reading until the client has it.
    Farewell { closed: bool, allowance: usize },
    /// No more bytes for Pingora.
    Ended,
    /// Passing everything.
    Http2,
}

/// Fields of a head.
const FIELDS: usize = 100;

/// Bytes read at a time while no request is being passed on.
const READ: usize = 4 << 10;

/// The length of Pingora's reads that only ask whether the client is still there.
const PROBE: usize = 1;

impl Guard {
    pub(super) fn new(
        connection: Connection,
        peer: SocketAddr,
        door: Arc<Door>,
        permit: Permit,
    ) -> Self {
        let limits = door.limits.load();
        let mut patience = Deadline::default();
        patience.set(limits.head_time);
        let socket = SocketDigest::from_raw_fd(connection.as_raw_fd());
        // Known since `accept`: Pingora need not ask the kernel again.
        drop(socket.peer_addr.set(Some(PeerAddress::Inet(peer))));
        Self {
            socket: Arc::new(socket),
            tls: connection.tls_digest().map(Arc::new),
            connection,
            peer,
            phase: Phase::Head(scan(&limits)),
            inbox: BytesMut::new(),
            outbox: Outbox::default(),
            corked: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            next: AtomicBool::new(false),
            body_refusal: None,
            own: Mutex::default(),
            frames: Frames::default(),
            patience,
            stalled: Deadline::default(),
            stop: None,
            _permit: permit,
            door,
        }
    }

    /// The guard of a downstream session's stream.
    pub fn of(stream: &Stream) -> Option<&Self> {
        stream.as_ref().as_any().downcast_ref()
    }

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Says that the exchange has ended: what comes behind its body is the next request's head.
    pub fn next_request(&self) {
        self.next.store(true, Ordering::Relaxed);
    }

    /// Holds flushes back, so that what is written next leaves together with what was written
    /// before. At most 16 KiB wait; closing sends them all the same.
    pub fn cork(&self) {
        self.corked.store(true, Ordering::Relaxed);
    }

    /// Ends `cork`. What waits leaves with the next flush.
    pub fn uncork(&self) {
        self.corked.store(false, Ordering::Relaxed);
    }

    /// Whether this request is the connection's last: the process drains.
    pub fn is_closing(&self) -> bool {
        *self.door.closing.borrow()
    }

    /// Lets no more bytes out, those that wait included: the connection ends where it is.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// The rule that this request's chunked body broke. Reading it failed with `InvalidData`; the
    /// request deserves an answer all the same, then the connection closes.
    pub fn body_refusal(&self) -> Option<Rule> {
        self.body_refusal
    }

    /// Reads some bytes into the inbox; 0 at the end.
    fn poll_inbox(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // On the stack: a connection that waits costs no buffer.
        let mut space = [MaybeUninit::uninit(); READ];
        let mut buf = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.connection).poll_read(cx, &mut buf))?;
        self.inbox.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Sends what was gathered.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx, |outbox, connection, cx| {
            outbox.poll_flush(connection, cx)
        })
    }

    /// Sends what was gathered and closes our side.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.poll_out(cx, |_, connection, cx| {
            Pin::new(connection).poll_shutdown(cx)
        })
    }

    /// Writes, and fails when the client has taken nothing for too long, or has left meanwhile.
    fn poll_out<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut Outbox, &mut Connection, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let before = self.outbox.unsent();
        let polled = write(&mut self.outbox, &mut self.connection, cx);
        if polled.is_ready() || self.outbox.unsent() != before {
            self.stalled.clear();
        }
        if polled.is_pending() {
            self.stalled.start(self.door.limits.load().client_write);
            if self.poll_left(cx).is_pending() {
                ready!(self.stalled.poll_passed(cx));
            }
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    /// Ready when a client that has nothing more to say has closed its side.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.phase {
            Phase::Request { head: 0, body } if body.is_done() && self.own.get_mut().is_none() => {
                self.poll_probe(cx).map(|_| ())
            }
            _ => Poll::Pending,
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.phase {
                Phase::Head(scan) => ready!(this.poll_head(cx, scan)),
                Phase::Request {
                    head: head @ 1..,
                    body,
                } => {
                    let poured = pour(&mut this.inbox, buf, head);
                    this.phase = Phase::Request {
                        head: head.saturating_sub(poured),
                        body,
                    };
                    return Poll::Ready(Ok(()));
                }
                Phase::Request { head: 0, body } if !body.is_done() => {
                    return this.poll_body(cx, buf, body);
                }
                Phase::Request { .. } => {
                    // A read with room for more than a probe is a new request's, even if nobody
                    // said so: nothing else is left to read.
                    if !*this.next.get_mut() && buf.remaining() <= PROBE {
                        return match this.own.get_mut() {
                            Some(_) => this.poll_gather(cx),
                            None => this.poll_probe(cx),
                        };
                    }
                    this.turn();
                }
                Phase::Farewell { .. } => ready!(this.poll_farewell(cx)),
                Phase::Ended => return Poll::Ready(Ok(())),
                Phase::Http2 => return this.poll_frames(cx, buf),
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_out(cx, |outbox, connection, cx| {
            outbox.poll_write(connection, cx, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.corked.load(Ordering::Relaxed) && !this.outbox.is_full() {
            return Poll::Ready(Ok(()));
        }
        this.poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_close(cx)
    }
}

fn scan(limits: &Limits) -> HeadScan {
    HeadScan::new(HeadLimits {
        bytes: limits.head.as_len(),
        fields: FIELDS,
    })
}

/// Moves what fits, at most `most`; returns how much that was.
fn pour(from: &mut BytesMut, to: &mut ReadBuf<'_>, most: usize) -> usize {
    let fits = from.len().min(to.remaining()).min(most);
    to.put_slice(from.get(..fits).unwrap_or_default());
    from.advance(fits);
    fits
}
