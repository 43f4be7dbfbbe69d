//! Drives a connection: takes its streams in, writes what they hand over, ends it as they say.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::sim::head::BodyLength;
use crate::sim::http2::shared::{Finale, Shared};
use crate::sim::http2::socket::Socket;
use crate::sim::http2::stream::Stream;
use crate::sim::http2::words;
use crate::sim::outlet::FULL;
use crate::sim::serve;
use crate::sim::state::State;
use crate::sim::text::GARBAGE;
use crate::sim::wire::{Close, Wire};

/// How long the preface and the peer's settings may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Streams at once; with `FULL` it bounds what a connection may hold for a peer that does not read.
const MOST_STREAMS: u32 = 1024;

/// What of a request's body may come unasked, of one stream and of all.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// The largest request head, as of HTTP/1.
const LARGEST_HEAD: u32 = 64 << 10;

/// Serves a connection to its end.
pub(crate) async fn connection(state: Arc<State>, wire: Wire, number: u64) {
    let socket = Socket::new(wire);
    let handshake = Builder::new()
        .max_concurrent_streams(MOST_STREAMS)
        .max_send_buffer_size(FULL)
        .max_header_list_size(LARGEST_HEAD)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake::<_, Bytes>(socket.clone());
    let Ok(Ok(protocol)) = timeout(HANDSHAKE, handshake).await else {
        return;
    };
    let (written, seen) = watch::channel(0);
    let mut driver = Driver {
        shared: Arc::default(),
        protocol,
        socket,
        written,
        streams: JoinSet::new(),
    };
    while let Some((request, respond)) = poll_fn(|context| driver.poll_turn(context)).await {
        let stream = (driver.shared.clone(), seen.clone());
        driver.streams.spawn(serve_stream(
            state.clone(),
            stream,
            request,
            respond,
            number,
        ));
    }
    driver.close().await;
}

async fn serve_stream(
    state: Arc<State>,
    (shared, written): (Arc<Shared>, watch::Receiver<u64>),
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    connection: u64,
) {
    let (parts, body) = request.into_parts();
    let length = if body.is_end_stream() {
        BodyLength::Known(0)
    } else {
        BodyLength::Chunked
    };
    let head = words::request(&parts, length);
    let mut stream = Stream::new(shared, written, body, respond);
    let after = serve::request(&state, &mut stream, &head, connection).await;
    stream.end(after);
}

/// The connection's own task.
struct Driver {
    shared: Arc<Shared>,
    protocol: Connection<Socket, Bytes>,
    socket: Socket,
    /// The last turn that wrote all there was.
    written: watch::Sender<u64>,
    streams: JoinSet<()>,
}

impl Driver {
    /// One turn: reads, writes, and gives the next stream; `None` at the connection's end.
    fn poll_turn(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<(Request<RecvStream>, SendResponse<Bytes>)>> {
        let turn = self.shared.begin_turn(context.waker());
        if self.shared.is_finished() {
            return Poll::Ready(None);
        }
        if self.shared.takes_goaway() {
            self.protocol.graceful_shutdown();
        }
        while let Poll::Ready(Some(_)) = self.streams.poll_join_next(context) {}
        self.socket.begin();
        let next = self.protocol.poll_accept(context);
        if matches!(next, Poll::Pending | Poll::Ready(None)) && !self.socket.is_blocked() {
            self.written.send_replace(turn);
        }
        next.map(|next| next.and_then(Result::ok))
    }

    async fn close(self) {
        let Self {
            shared,
            protocol,
            socket,
            written,
            mut streams,
        } = self;
        // Without both, every stream's wait is over.
        drop(protocol);
        drop(written);
        while streams.join_next().await.is_some() {}
        let finale = shared.finale();
        let Some(mut wire) = socket.into_wire() else {
            return;
        };
        let close = match finale {
            None | Some(Finale::Orderly) => Close::Orderly,
            Some(Finale::Cut) => Close::Cut,
            Some(Finale::Garbage) => {
                // The peer may be gone; closing is all that is left either way.
                let _ = wire.send(GARBAGE, &AtomicU64::new(0)).await;
                Close::Cut
            }
        };
        wire.close(close).await;
    }
}
