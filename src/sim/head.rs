//! The head of a request, in the form of HTTP/1: read as far as serving needs, kept as it came. Pure.
//!
//! Lenient on purpose: what a proxy sends is to be recorded, not judged.

use std::borrow::Cow;

/// The largest head; a larger one is refused.
pub(crate) const LARGEST: usize = 64 << 10;

/// A request head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// As it came, with the blank line.
    pub(crate) raw: Box<[u8]>,
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) length: BodyLength,
    pub(crate) persistence: Persistence,
    pub(crate) version: Version,
    /// The peer waits for `100 Continue`.
    pub(crate) expects_continue: bool,
}

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// `content-length`, or none.
    Known(u64),
    /// Not told: `transfer-encoding: chunked`, or a stream of HTTP/2.
    Chunked,
}

/// Whether another request may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It may.
    KeepAlive,
    /// The connection is closed after the answer.
    Close,
}

/// The protocol of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunks.
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// The word in the journal's JSON: the name in ALPN (RFC 7301 section 6).
    pub fn name(self) -> &'static str {
        match self {
            Self::Http10 => "http/1.0",
            Self::Http11 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

impl Head {
    /// Reads a head that ends with its blank line; `None` if it is not HTTP/1.
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        let line = raw.split(|byte| *byte == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let version = match version {
            "HTTP/1.1" => Version::Http11,
            "HTTP/1.0" => Version::Http10,
            _ => return None,
        };
        let mut head = Self {
            raw: raw.into(),
            method: method.to_owned(),
            path: target.split('?').next()?.to_owned(),
            length: BodyLength::Known(0),
            persistence: match version {
                Version::Http10 => Persistence::Close,
                Version::Http11 | Version::Http2 => Persistence::KeepAlive,
            },
            version,
            expects_continue: false,
        };
        for (name, value) in fields(raw) {
            head.read_field(name, value)?;
        }
        Some(head)
    }

    fn read_field(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok()?.parse().ok()?;
            if self.length != BodyLength::Chunked {
                self.length = BodyLength::Known(length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.length = BodyLength::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") {
            if value.eq_ignore_ascii_case(b"close") {
                self.persistence = Persistence::Close;
            } else if value.eq_ignore_ascii_case(b"keep-alive") {
                self.persistence = Persistence::KeepAlive;
            }
        } else if name.eq_ignore_ascii_case(b"expect") {
            self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
        }
        Some(())
    }

    /// A value of the query, as it is written.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let line = self.raw.split(|byte| *byte == b'\n').next()?;
        let target = std::str::from_utf8(line)
            .ok()?
            .split_ascii_whitespace()
            .nth(1)?;
        let mut pairs = target.split_once('?')?.1.split('&');
        pairs.find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| value.to_owned())
        })
    }

    /// The first header of that name.
    pub(crate) fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        field(&self.raw, name)
    }
}

/// The headers in order, without white space around their values.
pub(crate) fn fields(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    raw.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((name, value.get(1..)?.trim_ascii()))
    })
}

/// The first header of that name.
pub(crate) fn field<'a>(raw: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    fields(raw)
        .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| String::from_utf8_lossy(value))
}

/// Where a head ends, its blank line included; `None` while it is incomplete.
pub(crate) fn end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at.saturating_add(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serving_needs_is_read() {
        let raw = b"POST /v1/x?a=b HTTP/1.1\r\nHost: sim\r\nContent-Length: 12\r\nX-A:  b c \r\nExpect: 100-continue\r\n\r\n";
        let head = Head::parse(raw).unwrap();
        assert_eq!(
            (head.method.as_str(), head.path.as_str()),
            ("POST", "/v1/x")
        );
        assert_eq!(head.length, BodyLength::Known(12));
        assert_eq!(head.persistence, Persistence::KeepAlive);
        assert_eq!(head.field("x-a").unwrap(), "b c");
        assert!(head.expects_continue);
        assert_eq!(head.query("a").as_deref(), Some("b"));
        assert_eq!(head.query("b"), None);
        assert_eq!(end(raw), Some(raw.len()));
    }

    #[test]
    fn the_connection_persists_as_its_version_and_header_say() {
        let cases = [
            ("HTTP/1.1\r\n\r\n", Persistence::KeepAlive),
            ("HTTP/1.1\r\nConnection: Close\r\n\r\n", Persistence::Close),
            ("HTTP/1.0\r\n\r\n", Persistence::Close),
            (
                "HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
                Persistence::KeepAlive,
            ),
        ];
        for (tail, expected) in cases {
            let head = Head::parse(format!("GET / {tail}").as_bytes()).unwrap();
            assert_eq!(head.persistence, expected, "{tail}");
        }
    }

    #[test]
    fn what_is_not_http_1_is_refused() {
        for raw in [
            "",
            "\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        ] {
            assert!(Head::parse(raw.as_bytes()).is_none(), "{raw}");
        }
    }
}
