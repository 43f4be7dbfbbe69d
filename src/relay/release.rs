//! Gives the connection of a finished call back.

use std::time::Duration;

use crate::upstream::Call;

/// How long a connection may take to end its framing after the answer is complete.
const TRAILING_WAIT: Duration = Duration::from_secs(1);

/// Gives the connection back. Framing that has not ended yet (the last chunk often comes in a
/// segment of its own) is waited for aside, so that the client's next request is not.
pub(super) async fn release(mut call: Call) {
    let at_once = tokio::select! {
        biased;
        rest = call.chunk() => Some(rest),
        () = std::future::ready(()) => None,
    };
    match at_once {
        Some(Ok(None)) => call.release().await,
        Some(_) => {}
        None => {
            tokio::spawn(async move {
                let rest = tokio::time::timeout(TRAILING_WAIT, call.chunk()).await;
                if matches!(rest, Ok(Ok(None))) {
                    call.release().await;
                }
            });
        }
    }
}
