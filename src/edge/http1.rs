//! A client's connection of HTTP/1.1, request by request.
//!
//! A request that segue answers itself goes past the phases of Pingora's proxy, whose state of 13 KB
//! would be laid out and copied for each.

use pingora_core::apps::{HttpPersistentSettings, HttpServerApp};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;

use crate::edge::guard::Guard;
use crate::edge::reception::Reception;

/// Serves a connection until it takes no more requests, or as many as the limit allows have come.
pub(super) async fn serve(reception: &Reception, stream: Stream, shutdown: &ShutdownWatch) {
    let most = reception.limits.load().requests_per_connection;
    let (mut stream, mut kept) = (stream, None);
    while let Some(mut guard) = as_guard(stream) {
        guard.next_head().await;
        let is_ours = guard.own_body().is_some();
        let mut session = ServerSession::new_http1(guard);
        bound(&mut session, kept, most);
        let left = if is_ours {
            reception.edge.exchange(session).await
        } else {
            reception.proxy.process_new_http(session, shutdown).await
        };
        let Some(left) = left else {
            return;
        };
        (stream, kept) = left.consume();
    }
}

/// The guard that a stream is.
fn as_guard(stream: Stream) -> Option<Box<Guard>> {
    stream.into_any().downcast().ok()
}

/// How long the connection may be used, by what the request before it left.
fn bound(session: &mut ServerSession, kept: Option<HttpPersistentSettings>, most: u32) {
    match kept {
        Some(kept) => kept.apply_to_session(session),
        // Pingora counts the requests after the first.
        None => session.set_keepalive_reuses_remaining(Some(most.saturating_sub(1))),
    }
    // The guard's clocks are the ones in the config; Pingora's own minute would cut them short.
    session.set_keepalive(Some(0));
}
