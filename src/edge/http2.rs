//! A client's connection of HTTP/2, as Pingora drives it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp as _};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio::sync::watch;

use crate::edge::inbound;
use crate::edge::reception::Reception;
use crate::edge::serve::Edge;

/// Flow-control windows towards an HTTP/2 client, in bytes.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of one HTTP/2 stream that may wait for a slow client.
const SEND_BUFFER: usize = 256 << 10;

/// Streams of one connection that may be reset before it is closed.
const RESETS: usize = 200;

/// Serves a connection until it takes no more requests.
pub(super) async fn serve(reception: &Reception, stream: Stream, shutdown: &ShutdownWatch) {
    let (closing, closed) = watch::channel(false);
    let connection = Arc::new(Connection::new(reception, closing));
    let mut stop = shutdown.clone();
    let told = Arc::clone(&connection);
    let forward = async move {
        // A sender that is gone is a process that ends.
        let _ = stop.wait_for(|stop| *stop).await;
        told.closing.send_replace(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = forward => {}
        _ = connection.process_new(stream, &closed) => {}
    }
}

/// One connection.
struct Connection {
    edge: Edge,
    proxy: Arc<HttpProxy<Edge>>,
    options: HttpServerOptions,
    http2: H2Options,
    /// How many requests it may bring, and has brought.
    most: u32,
    brought: AtomicU32,
    /// Turns true when the connection takes no more requests.
    closing: watch::Sender<bool>,
}

impl Connection {
    fn new(reception: &Reception, closing: watch::Sender<bool>) -> Self {
        let limits = reception.limits.load();
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(limits.idle);
        let mut http2 = default_h2_options();
        http2.max_concurrent_streams(limits.h2_streams);
        http2.max_header_list_size(u32::try_from(limits.head.0).unwrap_or(u32::MAX));
        http2
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_local_error_reset_streams(Some(RESETS))
            .max_pending_accept_reset_streams(RESETS);
        Self {
            edge: reception.edge.clone(),
            proxy: Arc::clone(&reception.proxy),
            options,
            http2,
            most: limits.requests_per_connection,
            brought: AtomicU32::new(0),
            closing,
        }
    }
}

#[async_trait]
impl HttpServerApp for Connection {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        // Pingora knows no such limit there: the connection says GOAWAY as for a shutdown.
        let before = self.brought.fetch_add(1, Ordering::Relaxed);
        if before.saturating_add(1) >= self.most {
            self.closing.send_replace(true);
        }
        // Opened and taken back at once: many of these are an attack, and each would be an exchange.
        if let ServerSession::H2(stream) = &mut session
            && stream.idle().now_or_never().is_some()
        {
            return None;
        }
        if inbound::is_ours(session.req_header().uri.path()) {
            return self.edge.exchange(session).await;
        }
        self.proxy.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.http2.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}
