//! A request as it goes to the wire: built from nothing, and kept until the answer begins, so
//! that a connection that died while idle costs nobody anything.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use pingora_http::RequestHeader;
use smallvec::SmallVec;

use super::error::CallError;
use super::spec::Credential;

/// What a caller wants sent. The provider's host, framing and credential are not the caller's
/// business: such headers are left out.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The method.
    pub method: &'a Method,
    /// Appended to the path prefix of the base URL; begins with a slash, may have a query.
    pub path: &'a str,
    /// Headers by allow-list of the caller.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The body in segments, sent as one with its length.
    pub body: &'a [Bytes],
    /// What `Balance::Consistent` hashes: equal bytes meet the same peer, and so do all empty ones.
    pub affinity: &'a [u8],
}

impl fmt::Debug for Outgoing<'_> {
    /// Sizes only: prompts and a client's own credential are nobody's to print.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Outgoing")
            .field("method", self.method)
            .field("headers", &self.headers.len())
            .field("body", &self.body.iter().map(Bytes::len).sum::<usize>())
            .finish_non_exhaustive()
    }
}

/// Who is asked: the same for each request of a provider.
pub(super) struct Recipient<'a> {
    /// The `Host` header.
    pub(super) authority: &'a HeaderValue,
    /// The path before the request's own.
    pub(super) prefix: &'a str,
    /// What proves who we are.
    pub(super) credential: Option<&'a Credential>,
}

/// The protocols that a connection may turn out to speak.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP/1.1 only.
    H1,
    /// HTTP/1.1 or HTTP/2, which TLS decides.
    Either,
}

/// A request in the forms that the wire needs. Clones share their bytes.
pub(super) struct Message {
    /// The HTTP/1.1 head, the blank line included.
    pub(super) head: Bytes,
    /// The same for HTTP/2, where it is offered.
    pub(super) header: Option<Box<RequestHeader>>,
    /// The body.
    pub(super) body: SmallVec<[Bytes; 4]>,
    /// Whether an answer to it has a body.
    pub(super) expects: Expects,
}

/// Whether an answer can have a body (RFC 9110, section 9.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expects {
    /// Every method but HEAD.
    Body,
    /// HEAD.
    HeadOnly,
}

impl Message {
    pub(super) fn build(
        to: &Recipient<'_>,
        request: &Outgoing<'_>,
        speaks: Speaks,
    ) -> Result<Self, CallError> {
        let path = [to.prefix, request.path].concat();
        if !is_target(&path) {
            return Err(CallError::BadRequest);
        }
        let length: usize = request.body.iter().map(Bytes::len).sum();
        let length = match *request.method {
            Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS if length == 0 => None,
            _ => Some(HeaderValue::from(length)),
        };
        let fields = Fields {
            to,
            request,
            length: length.as_ref(),
        };
        let header = match speaks {
            Speaks::H1 => None,
            Speaks::Either => Some(fields.header(&path)?),
        };
        Ok(Self {
            head: fields.head(&path)?,
            header,
            body: request
                .body
                .iter()
                .filter(|part| !part.is_empty())
                .cloned()
                .collect(),
            expects: match *request.method {
                Method::HEAD => Expects::HeadOnly,
                _ => Expects::Body,
            },
        })
    }
}

/// The fields of a request, in the order in which they go out.
struct Fields<'a> {
    to: &'a Recipient<'a>,
    request: &'a Outgoing<'a>,
    length: Option<&'a HeaderValue>,
}

/// Asked for of everyone: whatever is compressed must be inflated here anyway.
static IDENTITY: HeaderValue = HeaderValue::from_static("identity");

impl<'a> Fields<'a> {
    fn iter(&self) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        let credential = self.to.credential;
        let given = self.request.headers.iter().filter(move |(name, _)| {
            !is_ours(name) && credential.is_none_or(|credential| credential.header != *name)
        });
        [
            (&header::HOST, self.to.authority),
            (&header::ACCEPT_ENCODING, &IDENTITY),
        ]
        .into_iter()
        .chain(self.length.map(|length| (&header::CONTENT_LENGTH, length)))
        .chain(credential.map(|credential| (&credential.header, &credential.value)))
        .chain(given.map(|(name, value)| (name, value)))
    }

    fn head(&self, path: &str) -> Result<Bytes, CallError> {
        let mut head = Vec::with_capacity(512 + path.len());
        for part in [self.request.method.as_str(), " ", path, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        for (name, value) in self.iter() {
            if memchr::memchr3(b'\r', b'\n', 0, value.as_bytes()).is_some() {
                return Err(CallError::BadRequest);
            }
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok(Bytes::from(head))
    }

    fn header(&self, path: &str) -> Result<Box<RequestHeader>, CallError> {
        let method = self.request.method.clone();
        let mut header = RequestHeader::build(method, path.as_bytes(), None)
            .map_err(|_| CallError::BadRequest)?;
        for (name, value) in self.iter() {
            header
                .append_header(name.clone(), value.clone())
                .map_err(|_| CallError::BadRequest)?;
        }
        Ok(Box::new(header))
    }
}

/// Fields that only this room may set: framing, connection and recipient.
fn is_ours(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "content-length"
            | "transfer-encoding"
            | "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "upgrade"
            | "expect"
            | "accept-encoding"
            | "proxy-connection"
            | "http2-settings"
    )
}

/// A request target in origin form (RFC 9112, section 3.2.1): no space, control byte or fragment.
fn is_target(path: &str) -> bool {
    path.starts_with('/')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(request: &Outgoing<'_>, speaks: Speaks) -> Result<Message, CallError> {
        let authority = HeaderValue::from_static("api.example.com");
        let mut value = HeaderValue::from_static("Bearer sk-1");
        value.set_sensitive(true);
        let credential = Credential {
            header: header::AUTHORIZATION,
            value,
        };
        let to = Recipient {
            authority: &authority,
            prefix: "/v1",
            credential: Some(&credential),
        };
        Message::build(&to, request, speaks)
    }

    fn post<'a>(
        path: &'a str,
        headers: &'a [(HeaderName, HeaderValue)],
        body: &'a [Bytes],
    ) -> Outgoing<'a> {
        Outgoing {
            method: &Method::POST,
            path,
            headers,
            body,
            affinity: b"",
        }
    }

    #[test]
    fn a_head_is_built_from_nothing_and_says_each_thing_once() {
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            (
                header::AUTHORIZATION,
                HeaderValue::from_static("Bearer client"),
            ),
            (header::HOST, HeaderValue::from_static("evil.example")),
            (
                header::TRANSFER_ENCODING,
                HeaderValue::from_static("chunked"),
            ),
            (
                header::CONNECTION,
                HeaderValue::from_static("authorization"),
            ),
            (header::ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
        ];
        let body = [
            Bytes::from_static(b"{\"a\":"),
            Bytes::new(),
            Bytes::from_static(b"1}"),
        ];
        let message = message(&post("/chat/completions", &headers, &body), Speaks::Either).unwrap();
        assert_eq!(
            std::str::from_utf8(&message.head).unwrap(),
            "POST /v1/chat/completions HTTP/1.1\r\n\
             host: api.example.com\r\n\
             accept-encoding: identity\r\n\
             content-length: 7\r\n\
             authorization: Bearer sk-1\r\n\
             content-type: application/json\r\n\r\n"
        );
        assert_eq!(message.body.concat(), b"{\"a\":1}");
        let header = message.header.unwrap();
        assert_eq!(header.headers.len(), 5);
        assert!(header.headers[header::AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn a_target_that_could_smuggle_is_refused() {
        for path in ["", "x", "/a b", "/a\r\nb", "/a\0", "/ä", "/a#b", "/a\u{7f}"] {
            let request = Outgoing {
                method: &Method::GET,
                ..post(path, &[], &[])
            };
            let authority = HeaderValue::from_static("h");
            let to = Recipient {
                authority: &authority,
                prefix: "",
                credential: None,
            };
            let result = Message::build(&to, &request, Speaks::Either);
            assert_eq!(result.err(), Some(CallError::BadRequest), "{path:?}");
        }
    }

    #[test]
    fn only_a_method_with_a_body_states_an_empty_one() {
        for (method, stated) in [
            (Method::GET, false),
            (Method::HEAD, false),
            (Method::POST, true),
        ] {
            let request = Outgoing {
                method: &method,
                ..post("/x", &[], &[])
            };
            let head = message(&request, Speaks::H1).unwrap().head;
            let text = std::str::from_utf8(&head).unwrap();
            assert_eq!(text.contains("content-length: 0\r\n"), stated, "{method}");
        }
    }
}
