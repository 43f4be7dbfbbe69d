//! Hands each connection to Pingora's proxy with the limits that hold when it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures_util::FutureExt as _;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio::sync::watch;

use crate::edge::proxy::Edge;
use crate::edge::settings::Limits;

/// Flow-control windows towards an HTTP/2 client, in bytes.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of one HTTP/2 stream that may wait for a slow client.
const SEND_BUFFER: usize = 256 << 10;

/// Streams of one connection that may be reset before it is closed.
const RESETS: usize = 200;

/// The proxy, and the limits as they are now.
pub(super) struct Reception {
    pub(super) proxy: Arc<HttpProxy<Edge>>,
    pub(super) limits: Arc<ArcSwap<Limits>>,
}

#[async_trait]
impl ServerApp for Reception {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let (closing, closed) = watch::channel(false);
        let is_http2 = stream.selected_alpn_proto() == Some(ALPN::H2);
        let visit = Arc::new(Visit::new(
            Arc::clone(&self.proxy),
            &self.limits.load(),
            closing,
        ));
        // The guard of HTTP/1 watches for itself: nothing more is asked at each of its wakes.
        if !is_http2 {
            return visit.process_new(stream, shutdown).await;
        }
        let mut stop = shutdown.clone();
        let told = Arc::clone(&visit);
        let forward = async move {
            // A sender that is gone is a process that ends.
            let _ = stop.wait_for(|stop| *stop).await;
            told.closing.send_replace(true);
            std::future::pending().await
        };
        tokio::select! {
            biased;
            kept = forward => kept,
            kept = visit.process_new(stream, &closed) => kept,
        }
    }
}

/// One connection.
struct Visit {
    proxy: Arc<HttpProxy<Edge>>,
    options: HttpServerOptions,
    http2: H2Options,
    /// How many requests it may bring, and has brought by HTTP/2.
    most: u32,
    brought: AtomicU32,
    /// Turns true when the connection takes no more requests.
    closing: watch::Sender<bool>,
}

impl Visit {
    fn new(proxy: Arc<HttpProxy<Edge>>, limits: &Limits, closing: watch::Sender<bool>) -> Self {
        let most = limits.requests_per_connection;
        let mut options = HttpServerOptions::default();
        // Pingora counts the requests after the first.
        options.keepalive_request_limit = Some(most.saturating_sub(1));
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
            proxy,
            options,
            http2,
            most,
            brought: AtomicU32::new(0),
            closing,
        }
    }
}

#[async_trait]
impl HttpServerApp for Visit {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if let ServerSession::H2(stream) = &mut session {
            // Pingora knows no such limit there: the connection says GOAWAY as for a shutdown.
            let before = self.brought.fetch_add(1, Ordering::Relaxed);
            if before.saturating_add(1) >= self.most {
                self.closing.send_replace(true);
            }
            // Opened and taken back at once: many of these are an attack, and each would be an exchange.
            if stream.idle().now_or_never().is_some() {
                return None;
            }
        } else if session.get_keepalive().is_some() {
            // The guard's clocks are the ones in the config; Pingora's own minute would cut them short.
            session.set_keepalive(Some(0));
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
