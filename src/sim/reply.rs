//! The head of an answer, in the form of HTTP/1, and how its body's end is told. Pure.

use crate::sim::head::{Head, Persistence, Version};
use crate::sim::outlet::BodyFraming;
use crate::sim::script::{FaultKind, Framing, Script};
use crate::sim::spoken;
use crate::sim::voice::Voice;

/// What a head follows from.
pub(crate) struct Facts<'a> {
    pub(crate) script: &'a Script,
    pub(crate) request: &'a Head,
    /// In whose words: some have headers of their own.
    pub(crate) voice: Voice,
    /// The request's number, for its id.
    pub(crate) number: u64,
    pub(crate) status: u16,
    /// Unless the script has one.
    pub(crate) content_type: &'a str,
    pub(crate) size: BodySize,
    pub(crate) persistence: Persistence,
}

/// What is known of a body's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    /// In bytes.
    Known(u64),
    /// Nothing.
    Unknown,
}

/// A head and what follows from it.
pub(crate) struct Reply {
    pub(crate) head: Vec<u8>,
    pub(crate) framing: BodyFraming,
    pub(crate) persistence: Persistence,
}

impl Reply {
    /// Writes the head.
    pub(crate) fn new(facts: &Facts<'_>) -> Self {
        let script = facts.script;
        let mut head = Vec::with_capacity(512);
        push(
            &mut head,
            &[
                "HTTP/1.1 ",
                &facts.status.to_string(),
                " ",
                reason(facts.status),
            ],
        );
        let content_type = script.content_type.as_deref().unwrap_or(facts.content_type);
        push(&mut head, &["content-type: ", content_type]);
        for line in spoken::headers(facts.voice, facts.number) {
            push(&mut head, &[&line]);
        }
        if let Some(text) = &script.retry_after
            && facts.voice.tells_delay_in_header(text)
        {
            push(&mut head, &["retry-after: ", text]);
        }
        if let Some(encoding) = script.encoding {
            push(&mut head, &["content-encoding: ", encoding.name()]);
        }
        for (name, value) in &script.headers {
            push(&mut head, &[name, ": ", value]);
        }
        let (framing, persistence) = framing(facts, &mut head);
        // A script that closes unannounced says nothing here.
        if facts.request.version == Version::Http2 {
            // The protocol has words of its own for it.
        } else if persistence == Persistence::Close {
            push(&mut head, &["connection: close"]);
        } else if facts.request.version == Version::Http10 {
            push(&mut head, &["connection: keep-alive"]);
        }
        head.extend_from_slice(b"\r\n");
        Self {
            head,
            framing,
            persistence,
        }
    }
}

fn framing(facts: &Facts<'_>, head: &mut Vec<u8>) -> (BodyFraming, Persistence) {
    let persistence = if facts.script.has(FaultKind::Goaway) {
        Persistence::Close
    } else {
        facts.persistence
    };
    let bodiless = matches!(facts.status, 100..=199 | 204 | 304);
    if bodiless {
        return (BodyFraming::None, persistence);
    }
    let to_head = facts.request.method == "HEAD";
    let body = |framing| if to_head { BodyFraming::None } else { framing };
    match (facts.script.framing, facts.size, facts.request.version) {
        (Framing::UntilClose, _, Version::Http2) | (_, BodySize::Unknown, Version::Http2) => {
            (body(BodyFraming::Plain), persistence)
        }
        (Framing::UntilClose, _, _) | (_, BodySize::Unknown, Version::Http10) => {
            (body(BodyFraming::Plain), Persistence::Close)
        }
        (_, BodySize::Known(length), _) => {
            push(head, &["content-length: ", &length.to_string()]);
            (body(BodyFraming::Plain), persistence)
        }
        (_, BodySize::Unknown, Version::Http11) => {
            push(head, &["transfer-encoding: chunked"]);
            (body(BodyFraming::Chunked), persistence)
        }
    }
}

fn push(head: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        head.extend_from_slice(part.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
}

/// The reason phrase of a status, empty for one without a name.
pub(crate) fn reason(status: u16) -> &'static str {
    let known = http::StatusCode::from_u16(status).ok();
    known
        .and_then(|status| status.canonical_reason())
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(script: &str, request: &str, status: u16, size: BodySize) -> (String, Reply) {
        let script: Script = script.parse().unwrap();
        let request = Head::parse(request.as_bytes()).unwrap();
        let reply = Reply::new(&Facts {
            script: &script,
            request: &request,
            voice: Voice::OpenAi,
            number: 7,
            status,
            content_type: "text/plain",
            size,
            persistence: request.persistence,
        });
        (String::from_utf8(reply.head.clone()).unwrap(), reply)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn a_head_says_how_its_body_ends() {
        let new = "GET / HTTP/1.1\r\n\r\n";
        let old = "GET / HTTP/1.0\r\n\r\n";
        let (close, keep) = (Persistence::Close, Persistence::KeepAlive);
        let cases = [
            (
                "",
                new,
                200,
                BodySize::Known(3),
                "content-length: 3\r\n\r\n",
                BodyFraming::Plain,
                keep,
            ),
            (
                "",
                new,
                200,
                BodySize::Unknown,
                "transfer-encoding: chunked\r\n\r\n",
                BodyFraming::Chunked,
                keep,
            ),
            (
                "",
                old,
                200,
                BodySize::Unknown,
                "connection: close\r\n\r\n",
                BodyFraming::Plain,
                close,
            ),
            (
                "until_close",
                new,
                200,
                BodySize::Known(3),
                "connection: close\r\n\r\n",
                BodyFraming::Plain,
                close,
            ),
            (
                "",
                new,
                204,
                BodySize::Known(3),
                "x-request-id: req-sim-7\r\n\r\n",
                BodyFraming::None,
                keep,
            ),
            (
                "",
                "HEAD / HTTP/1.1\r\n\r\n",
                200,
                BodySize::Known(3),
                "content-length: 3\r\n\r\n",
                BodyFraming::None,
                keep,
            ),
        ];
        for (script, request, status, size, tail, framing, persistence) in cases {
            let (head, reply) = reply(script, request, status, size);
            assert!(head.ends_with(tail), "{script} {request}: {head}");
            assert_eq!(
                (reply.framing, reply.persistence),
                (framing, persistence),
                "{head}"
            );
        }
    }

    #[test]
    fn a_script_has_its_headers_sent_as_they_are() {
        let script =
            "retry_after=\"Wed, 21 Oct 2026 07:28:00 GMT\",type=text/html,header=X-A:b,encoding=br";
        let (head, _) = reply(script, "GET / HTTP/1.1\r\n\r\n", 429, BodySize::Unknown);
        assert_eq!(
            head,
            "HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/html\r\nx-request-id: req-sim-7\r\n\
             retry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\ncontent-encoding: br\r\nX-A: b\r\n\
             transfer-encoding: chunked\r\n\r\n"
        );
    }
}
