//! Heads of HTTP/2 from and to the form of HTTP/1, in which the rest of the simulator has them. Pure.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::sim::head::{self, BodyLength, Head, Persistence, Version};

/// A request's head; `:authority` becomes `host`.
pub(super) fn request(parts: &Parts, body: BodyLength) -> Head {
    let target = parts.uri.path_and_query();
    let target = target.map_or("*", http::uri::PathAndQuery::as_str);
    let mut raw = format!("{} {target} HTTP/2\r\n", parts.method).into_bytes();
    let mut push = |name: &str, value: &[u8]| {
        raw.extend_from_slice(name.as_bytes());
        raw.extend_from_slice(b": ");
        raw.extend_from_slice(value);
        raw.extend_from_slice(b"\r\n");
    };
    if let (Some(authority), false) = (parts.uri.authority(), parts.headers.contains_key(HOST)) {
        push("host", authority.as_str().as_bytes());
    }
    for (name, value) in &parts.headers {
        push(name.as_str(), value.as_bytes());
    }
    raw.extend_from_slice(b"\r\n");
    let told = parts.headers.get(CONTENT_LENGTH);
    let told = told.and_then(|length| length.to_str().ok()?.parse().ok());
    Head {
        raw: raw.into(),
        method: parts.method.as_str().to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        length: told.map_or(body, BodyLength::Known),
        persistence: Persistence::KeepAlive,
        version: Version::Http2,
        expects_continue: false,
    }
}

/// An answer's head; `None` if a header of it cannot be said in HTTP/2 (RFC 9113 section 8.2).
pub(super) fn response(raw: &[u8]) -> Option<Response<()>> {
    let status = raw.split(|byte| *byte == b' ').nth(1)?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_bytes(status).ok()?;
    for (name, value) in head::fields(raw) {
        let name = HeaderName::from_bytes(name).ok()?;
        if [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(&name)
            || matches!(name.as_str(), "keep-alive" | "proxy-connection")
        {
            return None;
        }
        let value = HeaderValue::from_bytes(value).ok()?;
        response.headers_mut().append(name, value);
    }
    Some(response)
}

/// What a head counts in the journal: its names and values.
pub(super) fn size(response: &Response<()>) -> u64 {
    let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    response.headers().iter().map(field).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_like_one_of_http_1() {
        let (parts, ()) = http::Request::post("https://sim:1/v1/x?a=b")
            .header("content-length", "12")
            .header("x-a", "b")
            .body(())
            .unwrap()
            .into_parts();
        let head = request(&parts, BodyLength::Chunked);
        assert_eq!(
            (head.method.as_str(), head.path.as_str()),
            ("POST", "/v1/x")
        );
        assert_eq!(head.length, BodyLength::Known(12));
        assert_eq!(
            String::from_utf8_lossy(&head.raw),
            "POST /v1/x?a=b HTTP/2\r\nhost: sim:1\r\ncontent-length: 12\r\nx-a: b\r\n\r\n"
        );
        let (parts, ()) = http::Request::get("/health").body(()).unwrap().into_parts();
        let head = request(&parts, BodyLength::Known(0));
        assert_eq!(head.length, BodyLength::Known(0));
        assert_eq!(head.field("host"), None);
    }

    #[test]
    fn a_response_has_the_headers_that_can_be_said() {
        let good = response(b"HTTP/1.1 429 Too Many\r\nX-A: b\r\nx-a: c\r\n\r\n").unwrap();
        assert_eq!(good.status(), 429);
        assert_eq!(good.headers().get_all("x-a").iter().count(), 2);
        assert_eq!(size(&good), 8);
        for bad in [
            "connection: close",
            "Transfer-Encoding: x",
            "keep-alive: 1",
            "a: \x01",
        ] {
            let raw = format!("HTTP/1.1 200 OK\r\n{bad}\r\n\r\n");
            assert!(response(raw.as_bytes()).is_none(), "{bad}");
        }
    }
}
