//! Heads: request lines, lines and their ends, names, hosts, sizes, wishes that are not granted.

use super::*;

/// Request lines that are none, or none for us.
const LINES: &[(&str, &[u8])] = &[
    ("no version", b"GET /v1/models"),
    ("HTTP/0.9", b"GET /v1/models HTTP/0.9"),
    ("HTTP/1.2", b"GET /v1/models HTTP/1.2"),
    ("HTTP/2.0", b"GET /v1/models HTTP/2.0"),
    ("HTTP/11", b"GET /v1/models HTTP/11"),
    ("HTTP/1.1.1", b"GET /v1/models HTTP/1.1.1"),
    ("version in lower case", b"GET /v1/models http/1.1"),
    ("version of another protocol", b"GET /v1/models ICAP/1.0"),
    ("two spaces first", b"GET  /v1/models HTTP/1.1"),
    ("two spaces last", b"GET /v1/models  HTTP/1.1"),
    ("space behind", b"GET /v1/models HTTP/1.1 "),
    ("space before", b" GET /v1/models HTTP/1.1"),
    ("tab between", b"GET\t/v1/models\tHTTP/1.1"),
    ("four words", b"GET /v1/models HTTP/1.1 HTTP/1.1"),
    ("space in the target", b"GET /v1/ models HTTP/1.1"),
    ("no method", b" /v1/models HTTP/1.1"),
    ("method with a bracket", b"GE(T /v1/models HTTP/1.1"),
    ("method with a colon", b"GET: /v1/models HTTP/1.1"),
    ("method of bytes", b"G\xc3\x8bT /v1/models HTTP/1.1"),
    (
        "target absolute",
        b"GET http://localhost/v1/models HTTP/1.1",
    ),
    (
        "target of another host",
        b"GET http://other.test/v1/models HTTP/1.1",
    ),
    ("target an authority", b"GET localhost:80 HTTP/1.1"),
    ("target a star", b"OPTIONS * HTTP/1.1"),
    ("target relative", b"GET v1/models HTTP/1.1"),
    ("target with fragment", b"GET /v1/models#x HTTP/1.1"),
    ("target with backslash", b"GET /v1\\models HTTP/1.1"),
    ("target with quote", b"GET /v1/models\" HTTP/1.1"),
    ("target with angle", b"GET /v1/<models> HTTP/1.1"),
    ("target with braces", b"GET /v1/{models} HTTP/1.1"),
    ("target with pipe", b"GET /v1|models HTTP/1.1"),
    ("target with NUL", b"GET /v1/models\x00 HTTP/1.1"),
    ("target with DEL", b"GET /v1/models\x7f HTTP/1.1"),
    ("target of bytes", b"GET /v1/mod\xc3\xa9ls HTTP/1.1"),
    ("a tunnel", b"CONNECT localhost:80 HTTP/1.1"),
    ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM"),
    (
        "a TLS hello",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ),
    ("an empty line first", b"\r\nGET /v1/models HTTP/1.1"),
    ("noise", b"\xff\xfe\xfd\xfc"),
];

/// Field lines that spoil an otherwise good head.
const FIELDS: &[(&str, &[u8])] = &[
    ("a bare LF", b"A: b\n"),
    ("a bare CR", b"A: b\rC: d\r\n"),
    ("CR CR LF", b"A: b\r\r\n"),
    ("a fold by space", b"A: b\r\n c\r\n"),
    ("a fold by tab", b"A: b\r\n\tc\r\n"),
    ("a fold of nothing", b"A: b\r\n \r\n"),
    ("NUL in a value", b"A: b\x00c\r\n"),
    ("NUL in a name", b"A\x00: b\r\n"),
    ("vertical tab in a value", b"A: b\x0bc\r\n"),
    ("escape in a value", b"A: \x1b[2J\r\n"),
    ("DEL in a value", b"A: b\x7f\r\n"),
    ("UTF-8 in a value", b"A: \xc3\xa9\r\n"),
    ("Latin-1 in a value", b"A: \xe9\r\n"),
    ("a name of bytes", b"\xc3\xa9: b\r\n"),
    ("no name", b": b\r\n"),
    ("no colon", b"abc\r\n"),
    ("space in a name", b"A b: c\r\n"),
    ("space before the colon", b"A : b\r\n"),
    ("bracket in a name", b"A(: b\r\n"),
    ("quote in a name", b"\"A\": b\r\n"),
    ("slash in a name", b"A/B: b\r\n"),
    ("underscore in a name", b"X_Api_Key: b\r\n"),
    ("a second host", b"Host: localhost\r\n"),
    ("a second host, other", b"Host: other.test\r\n"),
    ("a second credential", b"Authorization: Bearer x\r\n"),
    ("two API keys", b"X-Api-Key: a\r\nX-Api-Key: b\r\n"),
    (
        "a websocket",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ),
    ("upgrade alone", b"Upgrade: h2c\r\n"),
    (
        "HTTP/2 settings",
        b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    ),
    ("connection names a field", b"Connection: Authorization\r\n"),
    ("connection says it twice", b"Connection: close, close\r\n"),
    (
        "connection twice",
        b"Connection: close\r\nConnection: keep-alive\r\n",
    ),
    ("connection empty", b"Connection:\r\n"),
    ("expects something else", b"Expect: 200-ok\r\n"),
    ("expects two things", b"Expect: 100-continue, x\r\n"),
    (
        "expects twice",
        b"Expect: 100-continue\r\nExpect: 100-continue\r\n",
    ),
    ("expects nothing", b"Expect:\r\n"),
    ("te of gzip", b"TE: gzip\r\n"),
    ("te of two", b"TE: trailers, deflate\r\n"),
    ("te twice", b"TE: trailers\r\nTE: trailers\r\n"),
    ("a trailer field", b"Trailer: Expires\r\n"),
];

/// Values of the only host field.
const HOSTS: &[&str] = &[
    "",
    " ",
    "a b",
    "a,b",
    "a/b",
    "a?b",
    "a#b",
    "a@b",
    "user:pass@localhost",
    "localhost:",
    "localhost:port",
    "localhost:+80",
    "localhost:65536",
    "localhost:80:80",
    "http://localhost",
    "loc%61lhost",
    "::1",
    "[::1",
    "[::1]x",
    "[]",
    "[localhost]",
    "[::1%25lo]",
    "\"localhost\"",
    "<localhost>",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_doubtful_head_is_refused_and_closes() {
    let refused = |name: &str, bytes| Case::new(name, bytes, 400, Then::Closed);
    let tail = String::from_utf8(get("")).unwrap();
    let tail = tail.split_once("\r\n").unwrap().1;
    let lines = LINES.iter().map(|(name, line)| {
        let bytes = [*line, b"\r\n", tail.as_bytes()].concat();
        refused(name, bytes)
    });
    let fields = FIELDS.iter().map(|(name, lines)| {
        let mut bytes = get("");
        bytes.truncate(bytes.len() - 2);
        bytes.extend_from_slice(lines);
        bytes.extend_from_slice(b"\r\n");
        refused(name, bytes)
    });
    let hosts = HOSTS.iter().map(|host| {
        let bytes = format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n");
        refused(&format!("host {host:?}"), bytes.into_bytes())
    });
    let mut cases: Vec<_> = lines.chain(fields).chain(hosts).collect();
    for version in ["1.0", "1.1"] {
        let bytes = format!("GET /v1/models HTTP/{version}\r\nAccept: */*\r\n\r\n");
        cases.push(refused("no host", bytes.into_bytes()));
    }
    let bytes = tail.replace("\r\n", "\n");
    let bytes = format!("GET /v1/models HTTP/1.1\n{bytes}").into_bytes();
    cases.push(refused("LF alone everywhere", bytes));
    run(&world().await, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_past_its_limits_is_refused_and_closes() {
    let long = "a".repeat(9 << 10);
    let many = |fields: usize| get(&"A: b\r\n".repeat(fields));
    let large = |name: &str, bytes: Vec<u8>| Case::new(name, bytes, 431, Then::Closed);
    let unfinished = |bytes: Vec<u8>| bytes[..bytes.len() - 2].to_vec();
    let cases = vec![
        large("a long value", get(&format!("A: {long}\r\n"))),
        large("a long name", get(&format!("{long}: b\r\n"))),
        large(
            "a long target",
            request(&format!("GET /{long} HTTP/1.1"), ""),
        ),
        large("a long method", request(&format!("{long} / HTTP/1.1"), "")),
        large(
            "an endless value",
            unfinished(get(&format!("A: {long}\r\n"))),
        ),
        large("an endless target", format!("GET /{long}").into_bytes()),
        large("99 fields more", many(99)),
        large("1,000 fields", many(1_000)),
        large("endless fields", unfinished(many(1_000))),
    ];
    let world = world().await;
    run(&world, cases).await;
    let mut client = world.client().await;
    client.send(&many(98)).await;
    assert_eq!(client.answer().await.status, 200, "100 fields are enough");
}
