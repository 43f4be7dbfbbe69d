//! Reads on after an answer over HTTP/2 that came before its request's body was complete.
//!
//! Over HTTP/1 the guard does so, as the connection closes.

use pingora_core::protocols::http::ServerSession;

use crate::edge::guard::{LINGER, LINGER_BYTES};

/// Reads what a client still sends after its answer and drops it, within the bounds of a farewell.
///
/// RFC 9113 section 8.1 would reset the stream with `NO_ERROR`. But there are clients that send
/// the whole body before they look at an answer (Python's `httpcore`): the reset takes the answer
/// from them, or with the window used up they wait for ever.
pub(super) async fn linger(session: &mut ServerSession) {
    if !session.is_http2() || session.is_body_done() {
        return;
    }
    let reading = async {
        let mut allowance = LINGER_BYTES;
        while let Ok(Some(bytes)) = session.read_request_body().await {
            allowance = allowance.saturating_sub(bytes.len());
            if allowance == 0 {
                return;
            }
        }
    };
    // Who has not sent it by then is reset.
    let _ = tokio::time::timeout(LINGER, reading).await;
}
