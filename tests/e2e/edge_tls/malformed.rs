//! HTTP/2 requests that break a rule: answered or reset, and no harm to the stream beside them.

use segue::sim::answer_text;

use super::Secure;
use crate::edge_stage::{Frame, Frames};

/// What must come of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// A head with a 4xx status, or a reset: the client knows that it was not served.
    Refused,
    /// The connection ends with GOAWAY: to the frame parser, bytes that no field may have are a
    /// fault of the whole header compression.
    HungUp,
    /// Status 200.
    Served,
}

/// A name, the head's fields, and what must come of it.
type Case<'a> = (&'static str, Vec<(&'a str, &'a str)>, Then);

const CHAT: &str = "/v1/chat/completions";
const BODY: &[u8] = br#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#;

/// A good head, to be changed.
fn head<'a>(path: &'a str, authority: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/json"),
    ]
}

/// The good head without the field of this name, and with others instead.
fn instead<'a>(name: &str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = head(CHAT, "localhost");
    fields.retain(|(known, _)| *known != name);
    // Pseudo-fields stand before all others (RFC 9113 section 8.3).
    let (pseudo, plain): (Vec<_>, Vec<_>) =
        others.iter().partition(|(name, _)| name.starts_with(':'));
    [pseudo, fields, plain].concat()
}

fn with<'a>(fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [head(CHAT, "localhost"), fields.to_vec()].concat()
}

#[expect(clippy::too_many_lines, reason = "a table of like entries")]
fn cases(long: &str) -> Vec<Case<'_>> {
    use Then::{HungUp, Refused, Served};
    let path = |path| instead(":path", &[(":path", path)]);
    let authority = |name| instead(":authority", &[(":authority", name)]);
    vec![
        ("a good one", head(CHAT, "localhost"), Served),
        (
            "host instead of authority",
            instead(":authority", &[("host", "localhost")]),
            Served,
        ),
        (
            "host beside an equal authority",
            with(&[("host", "localhost")]),
            Served,
        ),
        (
            "an authority with a port",
            authority("localhost:8443"),
            Served,
        ),
        (
            "no authority and no host",
            instead(":authority", &[]),
            Refused,
        ),
        (
            "an authority and another host",
            with(&[("host", "other.test")]),
            Refused,
        ),
        (
            "two hosts",
            with(&[("host", "localhost"), ("host", "localhost")]),
            Refused,
        ),
        (
            "an authority with a user",
            authority("user@localhost"),
            Refused,
        ),
        ("an empty authority", authority(""), Refused),
        (
            "two authorities",
            with(&[(":authority", "localhost")]),
            Refused,
        ),
        ("no path", instead(":path", &[]), Refused),
        ("an empty path", path(""), Refused),
        (
            "a path without a slash",
            path("v1/chat/completions"),
            Refused,
        ),
        (
            "a path with a space",
            path("/v1/chat/ completions"),
            Refused,
        ),
        (
            "a path with a line end",
            path("/v1/chat/completions\r\nx: y"),
            Refused,
        ),
        ("a path with NUL", path("/v1/chat/completions\0"), Refused),
        (
            "a path of bytes",
            path("/v1/chat/completi\u{f6}ns"),
            Refused,
        ),
        // Dropped by the frame parser, for all who come after it.
        (
            "a path with a fragment",
            path("/v1/chat/completions#x"),
            Served,
        ),
        (
            "an absolute path",
            path("https://localhost/v1/chat/completions"),
            Refused,
        ),
        ("another path", path("/v1/chat/completions/"), Refused),
        ("an escaped path", path("/v1/%63hat/completions"), Refused),
        ("a query", path("/v1/chat/completions?x=1"), Refused),
        ("a star", path("*"), Refused),
        ("two paths", with(&[(":path", CHAT)]), Refused),
        ("no method", instead(":method", &[]), Refused),
        (
            "an empty method",
            instead(":method", &[(":method", "")]),
            HungUp,
        ),
        (
            "a method with a space",
            instead(":method", &[(":method", "PO ST")]),
            HungUp,
        ),
        (
            "a wrong method",
            instead(":method", &[(":method", "PUT")]),
            Refused,
        ),
        (
            "a tunnel",
            vec![(":method", "CONNECT"), (":authority", "localhost:80")],
            Refused,
        ),
        ("no scheme", instead(":scheme", &[]), Refused),
        (
            "an unknown pseudo-field",
            instead(":x", &[(":x", "y")]),
            HungUp,
        ),
        (
            "a response's pseudo-field",
            instead(":status", &[(":status", "200")]),
            Refused,
        ),
        (
            "a pseudo-field behind a field",
            with(&[(":method", "GET")]),
            Refused,
        ),
        ("a name in upper case", with(&[("X-Custom", "y")]), HungUp),
        (
            "a name partly in upper case",
            with(&[("x-cusTom", "y")]),
            HungUp,
        ),
        ("an empty name", with(&[("", "y")]), HungUp),
        ("a name with a space", with(&[("x y", "z")]), HungUp),
        ("a name with a colon", with(&[("x:y", "z")]), HungUp),
        ("a name with an underscore", with(&[("x_y", "z")]), Refused),
        (
            "a value with a line end",
            with(&[("x", "y\r\nz: w")]),
            HungUp,
        ),
        ("a value with LF", with(&[("x", "y\nz")]), HungUp),
        ("a value with NUL", with(&[("x", "y\0")]), HungUp),
        ("connection", with(&[("connection", "close")]), Refused),
        ("keep-alive", with(&[("keep-alive", "timeout=5")]), Refused),
        (
            "proxy-connection",
            with(&[("proxy-connection", "close")]),
            Refused,
        ),
        ("upgrade", with(&[("upgrade", "websocket")]), Refused),
        (
            "transfer-encoding",
            with(&[("transfer-encoding", "chunked")]),
            Refused,
        ),
        ("te of gzip", with(&[("te", "gzip")]), Refused),
        (
            "a length too great",
            with(&[("content-length", "62")]),
            Refused,
        ),
        (
            "a length too small",
            with(&[("content-length", "60")]),
            Refused,
        ),
        (
            "a length that is none",
            with(&[("content-length", "x")]),
            Refused,
        ),
        (
            "a length with plus",
            with(&[("content-length", "+61")]),
            Refused,
        ),
        (
            "two lengths",
            with(&[("content-length", "61"), ("content-length", "60")]),
            Refused,
        ),
        (
            "two credentials",
            with(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
            Refused,
        ),
        ("a field past the limit", with(&[("x-long", long)]), Refused),
        (
            "a length that fits",
            with(&[("content-length", "61")]),
            Served,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_is_refused_and_its_sibling_unharmed() {
    let long = "x".repeat(70 << 10);
    let secure = Secure::new("").await;
    let mut served = 0;
    for (name, fields, then) in cases(&long) {
        secure.world.script("tokens=20,stall@10=30ms");
        let caller = secure.authority.caller().alpn(&[b"h2"]);
        let stream = caller
            .call(secure.world.address, "localhost")
            .await
            .unwrap();
        let mut frames = Frames::over(stream).await;
        let mut others = Vec::new();
        // The sibling is under way, its head and some words delivered.
        frames.head(1, &head(CHAT, "localhost"), 0).await;
        let body = BODY.strip_prefix(b"{").unwrap();
        let body = [b"{\"stream\":true,", body].concat();
        frames.send(Frame::DATA, Frame::END_STREAM, 1, &body).await;
        let first = frames.of(1, &mut others).await.expect(name);
        assert_eq!(first.status(), Some(200), "{name}: {first:?}");

        frames.head(3, &fields, 0).await;
        frames.send(Frame::DATA, Frame::END_STREAM, 3, BODY).await;
        served += 1 + u64::from(then == Then::Served);
        let answer = frames.of(3, &mut others).await;
        let Some(answer) = answer else {
            assert_eq!(then, Then::HungUp, "{name}");
            assert_eq!(others.pop().unwrap().kind, Frame::GOAWAY, "{name}");
            continue;
        };
        let status = (answer.kind == Frame::HEADERS).then(|| answer.status());
        let is_served = status == Some(Some(200));
        let expected = if is_served {
            Then::Served
        } else {
            Then::Refused
        };
        assert_eq!(then, expected, "{name}: {answer:?}");

        let mut text: Vec<u8> = pieces(&others);
        while !others.iter().any(|frame| frame.stream == 1 && frame.ends()) {
            let frame = frames.of(1, &mut Vec::new()).await.expect(name);
            assert_eq!(frame.kind, Frame::DATA, "{name}: {frame:?}");
            text.extend_from_slice(&frame.payload);
            if frame.ends() {
                break;
            }
        }
        assert_sibling(name, &text);
    }
    assert_eq!(secure.world.sim.journal().received(), served);
}

/// What came of the sibling's body while the other stream was looked at.
fn pieces(others: &[Frame]) -> Vec<u8> {
    let own = others
        .iter()
        .filter(|frame| frame.stream == 1 && frame.kind == Frame::DATA);
    own.flat_map(|frame| frame.payload.clone()).collect()
}

fn assert_sibling(name: &str, text: &[u8]) {
    let text = std::str::from_utf8(text).expect(name);
    let content: String = text
        .split("\n\n")
        .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
        .filter_map(|chunk: serde_json::Value| {
            let content = &chunk["choices"][0]["delta"]["content"];
            content.as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(content, answer_text(20), "{name}: {text}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_by_one_client_leaves_the_others_served() {
    let secure = Secure::new("").await;
    let caller = secure.authority.caller().alpn(&[b"h2"]);
    for flood in ["resets", "pings", "settings", "continuations", "malformed"] {
        let stream = caller
            .call(secure.world.address, "localhost")
            .await
            .unwrap();
        let mut frames = Frames::over(stream).await;
        for number in 0..5_000_u32 {
            let stream = number * 2 + 1;
            match flood {
                "resets" => {
                    frames.head(stream, &head(CHAT, "localhost"), 0).await;
                    frames
                        .send(Frame::RST_STREAM, 0, stream, &[0, 0, 0, 8])
                        .await;
                }
                "pings" => {
                    frames.send(Frame::PING, 0, 0, &[0; 8]).await;
                }
                "settings" => {
                    frames.send(Frame::SETTINGS, 0, 0, &[]).await;
                }
                "continuations" if number == 0 => {
                    frames.send(Frame::HEADERS, 0, 1, &[]).await;
                }
                "continuations" => {
                    frames
                        .send(Frame::CONTINUATION, 0, 1, b"\0\x01a\x01b")
                        .await;
                }
                _ => {
                    frames
                        .head(stream, &instead(":path", &[]), Frame::END_STREAM)
                        .await;
                }
            }
        }
        let stream = caller
            .call(secure.world.address, "localhost")
            .await
            .unwrap();
        let other = crate::edge_stage::Http2::over(stream).await;
        assert_eq!(other.chat("").await.status, 200, "{flood}");
        drop(frames);
    }
    // One after each flood, and none of the floods' own: those had no body.
    assert_eq!(secure.world.sim.journal().received(), 5);
}
