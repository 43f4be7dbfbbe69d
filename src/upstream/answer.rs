//! The head of an answer, and whether it may be believed.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Version, header};
use pingora_http::ResponseHeader;

use super::error::Flaw;
use super::template::IDLE;

/// The longest head that is taken.
const HEAD: usize = 64 << 10;

/// Status and headers of an answer.
#[derive(Clone)]
pub struct AnswerHead {
    /// The status, 200 to 999: an informational one is never shown.
    pub status: u16,
    headers: HeaderMap,
}

impl fmt::Debug for AnswerHead {
    /// Without the headers: a provider may echo what must not be printed.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AnswerHead")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl AnswerHead {
    /// The first header of that name, when it is printable ASCII.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type with its parameters, as sent.
    pub fn content_type(&self) -> Option<&str> {
        self.get("content-type")
    }

    /// All headers as they came. Which of them go on is for the caller's allow-list.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body's coding; several headers are joined, so that none is overlooked.
    pub(super) fn coding(&self) -> Result<String, Flaw> {
        let values = self.headers.get_all(header::CONTENT_ENCODING).iter();
        let texts: Result<Vec<&str>, _> = values.map(HeaderValue::to_str).collect();
        Ok(texts.map_err(|_| Flaw::Coding)?.join(","))
    }

    /// How long the connection may wait for its next use: a second less than the peer says.
    pub(super) fn idle(&self) -> Duration {
        let timeout = self.get("keep-alive").and_then(|value| {
            value.split(',').find_map(|part| {
                let (name, seconds) = part.split_once('=')?;
                let seconds = name
                    .trim()
                    .eq_ignore_ascii_case("timeout")
                    .then_some(seconds)?;
                seconds.trim().parse::<u64>().ok()
            })
        });
        match timeout {
            Some(seconds) => IDLE.min(Duration::from_secs(seconds.saturating_sub(1).max(1))),
            None => IDLE,
        }
    }
}

/// Takes a parsed head over, with the bytes it was parsed from where they are known.
///
/// Stricter than Pingora, which folds lines, and lets `Transfer-Encoding` win over a
/// `Content-Length` (RFC 9112, section 6.3: it "ought to be handled as an error").
pub(super) fn inspect(header: &ResponseHeader, raw: &[u8]) -> Result<AnswerHead, Flaw> {
    let size: usize = header
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size.max(raw.len()) > HEAD || is_folded(raw) {
        return Err(Flaw::Head);
    }
    let mut codings = header.headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        let is_plain = codings.next().is_none() && header.version == Version::HTTP_11;
        if !is_chunked || !is_plain || states_length(raw) {
            return Err(Flaw::Framing);
        }
    }
    Ok(AnswerHead {
        status: header.status.as_u16(),
        headers: header.headers.clone(),
    })
}

fn is_folded(raw: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', raw).any(|at| matches!(raw.get(at + 1), Some(b' ' | b'\t')))
}

/// Pingora removes the length when there is a coding too: only the raw head still shows it.
fn states_length(raw: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length";
    raw.split(|&byte| byte == b'\n')
        .filter_map(|line| line.get(..NAME.len()))
        .any(|name| name.eq_ignore_ascii_case(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&'static str, &'static str)], raw: &[u8]) -> Result<AnswerHead, Flaw> {
        let mut header = ResponseHeader::build(200, None).unwrap();
        for (name, value) in fields {
            header.append_header(*name, *value).unwrap();
        }
        inspect(&header, raw)
    }

    #[test]
    fn only_one_plain_chunked_frames_a_body() {
        let chunked = ("transfer-encoding", "chunked");
        assert!(head(&[chunked], b"").is_ok());
        assert!(head(&[("transfer-encoding", "Chunked")], b"").is_ok());
        let both = head(&[chunked], b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(both.unwrap_err(), Flaw::Framing);
        assert_eq!(head(&[chunked, chunked], b"").unwrap_err(), Flaw::Framing);
        for value in [
            "gzip, chunked",
            "chunked, chunked",
            ",chunked",
            "xchunked",
            "identity",
            "",
        ] {
            let result = head(&[("transfer-encoding", value)], b"");
            assert_eq!(result.unwrap_err(), Flaw::Framing, "{value}");
        }
    }

    #[test]
    fn a_folded_or_oversized_head_is_refused() {
        let folded = head(&[], b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n");
        assert_eq!(folded.unwrap_err(), Flaw::Head);
        assert_eq!(head(&[], &vec![b'x'; HEAD + 1]).unwrap_err(), Flaw::Head);
    }

    #[test]
    fn an_idle_connection_is_given_up_before_the_peer_does() {
        let cases = [
            ("", IDLE),
            ("timeout=5", Duration::from_secs(4)),
            ("max=10, timeout=20", Duration::from_secs(19)),
            ("timeout=0", Duration::from_secs(1)),
            ("timeout=99999999999999999999", IDLE),
            ("timeout=600", IDLE),
        ];
        for (value, expected) in cases {
            let head = head(&[("keep-alive", value)], b"").unwrap();
            assert_eq!(head.idle(), expected, "{value}");
        }
    }
}
