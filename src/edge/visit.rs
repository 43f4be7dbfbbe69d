//! Receives each connection, and serves it in its own protocol.

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;

use crate::edge::reception::Reception;
use crate::edge::{http1, http2};

#[async_trait]
impl ServerApp for Reception {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        if stream.selected_alpn_proto() == Some(ALPN::H2) {
            http2::serve(self, stream, shutdown).await;
        } else {
            http1::serve(self, stream, shutdown).await;
        }
        None
    }
}
