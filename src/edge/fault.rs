//! Faults to HTTP: the one place that chooses a status for a client.

use bytes::Bytes;

use crate::dialect;
use crate::edge::head::Refusal;
use crate::exchange::{Dialect, Fault, FaultKind};

/// The status for a cause, as the client's format knows it.
pub(super) fn status(client: Dialect, kind: FaultKind) -> u16 {
    match (client, kind) {
        // The statuses of its own that Anthropic documents ("Errors").
        (Dialect::Anthropic, FaultKind::Overloaded) => 529,
        (Dialect::Anthropic, FaultKind::ProviderFailed) => 500,
        _ => plain_status(kind),
    }
}

fn plain_status(kind: FaultKind) -> u16 {
    match kind {
        FaultKind::BadRequest | FaultKind::ContextLength | FaultKind::ContentPolicy => 400,
        FaultKind::Unauthorized => 401,
        FaultKind::NotFound | FaultKind::UnknownModel => 404,
        FaultKind::MethodNotAllowed => 405,
        FaultKind::RequestTimeout => 408,
        FaultKind::BodyTooLarge => 413,
        FaultKind::UnsupportedMediaType => 415,
        FaultKind::RateLimited | FaultKind::OverLimit | FaultKind::OverBudget => 429,
        FaultKind::HeadTooLarge => 431,
        FaultKind::Internal => 500,
        FaultKind::ProviderFailed => 502,
        FaultKind::Overloaded => 503,
        FaultKind::ProviderTimeout => 504,
    }
}

/// The reason phrase that goes with a status of ours on HTTP/1.1.
fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}

/// A whole HTTP/1.1 answer to a request that never reached Pingora; the connection closes.
pub(super) fn refused_head(refusal: Refusal) -> Bytes {
    let kind = match refusal {
        Refusal::Malformed(_) => FaultKind::BadRequest,
        Refusal::TooLarge | Refusal::TooManyFields => FaultKind::HeadTooLarge,
        Refusal::TimedOut => FaultKind::RequestTimeout,
    };
    let fault = Fault::new(kind, refusal.to_string());
    let status = plain_status(kind);
    let reason = reason(status);
    let body = dialect::fault(Dialect::OpenAi, &fault);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), &body].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_whole_answer_that_closes() {
        let bytes = refused_head(Refusal::TooLarge);
        let text = std::str::from_utf8(&bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(head.ends_with("connection: close"), "{head}");
        assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["error"].is_object());
    }
}
