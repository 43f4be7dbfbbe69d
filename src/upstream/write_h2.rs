//! Sends an HTTP/2 request, segment by segment as the peer's windows allow, and watches for its
//! answer meanwhile.

use std::pin::pin;
use std::time::Duration;

use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_core::protocols::http::v2::write_body;
use pingora_error::{Error, ErrorType};
use tokio::time::timeout;

use super::error::CallError;
use super::failure::{Failure, Origin, h2_failure};
use super::message::Message;

/// Whether the answer's head has been read while the body still went out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Early {
    No,
    Head,
}

/// Why a request could not be sent.
pub(super) enum Unsent {
    Stream(Box<Error>),
    Stalled,
    Unbuilt,
}

impl Unsent {
    pub(super) fn into_failure(self, origin: Origin) -> Failure {
        match self {
            Self::Stream(error) => h2_failure(&error, origin),
            Self::Stalled => CallError::WriteTimeout.into(),
            Self::Unbuilt => CallError::BadRequest.into(),
        }
    }
}

impl From<Box<Error>> for Unsent {
    fn from(error: Box<Error>) -> Self {
        match error.etype() {
            ErrorType::WriteTimedout => Self::Stalled,
            ErrorType::InvalidHTTPHeader => Self::Unbuilt,
            _ => Self::Stream(error),
        }
    }
}

/// Sends head and body; `wait` bounds each wait for the peer's windows.
pub(super) async fn send(
    session: &mut Http2Session,
    message: &Message,
    wait: Duration,
) -> Result<Early, Unsent> {
    let header = message.header.clone().ok_or(Unsent::Unbuilt)?;
    session.write_request_header(header, message.body.is_empty())?;
    let Some((last, parts)) = message.body.split_last() else {
        return Ok(Early::No);
    };
    let mut writer = session.take_request_body_writer().ok_or(Unsent::Unbuilt)?;
    let sending = async {
        for part in parts {
            write_body(&mut writer, part.clone(), false, Some(wait)).await?;
        }
        write_body(&mut writer, last.clone(), true, Some(wait)).await
    };
    let mut sending = pin!(sending);
    let sent = tokio::select! {
        biased;
        sent = &mut sending => sent,
        head = session.read_response_header() => {
            head?;
            // A success may depend on the rest; a refusal does not want it.
            if session.response_header().is_some_and(|header| header.status.is_success()) {
                let _ = sending.await;
            }
            return Ok(Early::Head);
        }
    };
    let Err(error) = sent else {
        return Ok(Early::No);
    };
    if *error.etype() == ErrorType::WriteTimedout {
        return Err(Unsent::Stalled);
    }
    // The stream is closed to us, perhaps behind an answer that is still to be read.
    match timeout(wait, session.read_response_header()).await {
        Ok(head) => head.map(|()| Early::Head).map_err(Unsent::from),
        Err(_) => Err(Unsent::Stream(error)),
    }
}
