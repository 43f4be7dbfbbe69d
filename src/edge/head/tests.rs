//! The table of heads, and the laws of reading them.

use proptest::prelude::*;

use super::Refusal::{Malformed, TooLarge, TooManyFields};
use super::{Framing, Head, HeadLimits, HeadScan, Refusal, Rule, check};

const LIMITS: HeadLimits = HeadLimits {
    bytes: 2_048,
    fields: 100,
};

fn read(bytes: &[u8]) -> Result<Option<Head>, Refusal> {
    check(bytes, LIMITS)
}

/// A request whose line is `line`.
fn with_line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

/// A good request with `field` behind its Host, given without its line end.
fn with_field(field: &[u8]) -> Vec<u8> {
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n",
        field,
        b"\r\n\r\n",
    ]
    .concat()
}

/// A good request but for its Host, which says `host`.
fn with_host(host: &[u8]) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: ", host, b"\r\n\r\n"].concat()
}

#[rustfmt::skip]
const GOOD: &[(&str, &[u8], Framing)] = &[
    ("least", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::Length(0)),
    ("1.0", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", Framing::Length(0)),
    ("host with port", b"GET / HTTP/1.1\r\nHost: api.example.com:8443\r\n\r\n", Framing::Length(0)),
    ("host ipv4", b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", Framing::Length(0)),
    ("host ipv6", b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", Framing::Length(0)),
    ("host ipv6 with port", b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:65535\r\n\r\n", Framing::Length(0)),
    ("host underscore", b"GET / HTTP/1.1\r\nHost: segue_1:80\r\n\r\n", Framing::Length(0)),
    ("host trailing dot", b"GET / HTTP/1.1\r\nHost: example.com.\r\n\r\n", Framing::Length(0)),
    ("no space before a value", b"GET / HTTP/1.1\r\nHost:a\r\n\r\n", Framing::Length(0)),
    ("tabs around a value", b"GET / HTTP/1.1\r\nHost: \ta\t \r\n\r\n", Framing::Length(0)),
    ("empty value", b"GET / HTTP/1.1\r\nHost: a\r\nAccept:\r\n\r\n", Framing::Length(0)),
    ("tab inside a value", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\tc\r\n\r\n", Framing::Length(0)),
    ("colons in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b:c::\r\n\r\n", Framing::Length(0)),
    ("any method", b"PURGE* / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::Length(0)),
    ("query", b"GET /v1/files?include[]=a&b=%20 HTTP/1.1\r\nHost: a\r\n\r\n", Framing::Length(0)),
    ("double slash", b"GET //a/../b;c=d HTTP/1.1\r\nHost: a\r\n\r\n", Framing::Length(0)),
    ("length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Framing::Length(5)),
    ("length zero", b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length:0\r\n\r\n", Framing::Length(0)),
    ("length with zeros", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n", Framing::Length(7)),
    ("longest length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", Framing::Length(9_999_999_999_999_999_999)),
    ("length in 1.0", b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Framing::Length(5)),
    ("length with get", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Framing::Length(5)),
    ("chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::Chunked),
    ("chunked any case", b"POST / HTTP/1.1\r\nHOST: a\r\ntransfer-ENCODING: CHUNKED\r\n\r\n", Framing::Chunked),
    ("close", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Framing::Length(0)),
    ("keep-alive", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", Framing::Length(0)),
    ("both", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", Framing::Length(0)),
    ("expect", b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", Framing::Length(0)),
    ("te", b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", Framing::Length(0)),
    ("key", b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a_b\r\nX-Api-Key: k\r\n\r\n", Framing::Length(0)),
    ("repeated cookies", b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a\r\nCookie: b\r\n\r\n", Framing::Length(0)),
];

#[test]
fn a_good_head_tells_its_length_and_framing() {
    assert!(GOOD.len() >= 20);
    for (name, bytes, framing) in GOOD {
        let head = Head {
            length: bytes.len(),
            framing: *framing,
        };
        assert_eq!(read(bytes), Ok(Some(head)), "{name}");
        let with_body = [bytes, &b"\x00\xff\r\n\r\nGET"[..]].concat();
        assert_eq!(read(&with_body), Ok(Some(head)), "{name}, and what follows");
    }
}

/// Request lines.
#[rustfmt::skip]
const LINES: &[(&str, &str, Rule)] = &[
    ("empty first line", "", Rule::RequestLine),
    ("two empty lines", "\r\n", Rule::RequestLine),
    ("0.9", "GET /", Rule::RequestLine),
    ("method alone", "GET", Rule::RequestLine),
    ("space before the method", " GET / HTTP/1.1", Rule::RequestLine),
    ("two spaces before the target", "GET  / HTTP/1.1", Rule::RequestLine),
    ("two spaces behind the target", "GET /  HTTP/1.1", Rule::RequestLine),
    ("space behind the version", "GET / HTTP/1.1 ", Rule::RequestLine),
    ("space in the target", "GET /a b HTTP/1.1", Rule::RequestLine),
    ("a second version", "GET / HTTP/1.1 HTTP/1.1", Rule::RequestLine),
    ("tab for a space", "GET\t/ HTTP/1.1", Rule::RequestLine),
    ("tab for the other space", "GET /\tHTTP/1.1", Rule::RequestLine),
    ("tab behind the version", "GET / HTTP/1.1\t", Rule::Version),
    ("ssh", "SSH-2.0-OpenSSH_9.6", Rule::RequestLine),
    ("http/2 preface", "PRI * HTTP/2.0", Rule::Version),
    ("2", "GET / HTTP/2", Rule::Version),
    ("2.0", "GET / HTTP/2.0", Rule::Version),
    ("3", "GET / HTTP/3", Rule::Version),
    ("0.9 named", "GET / HTTP/0.9", Rule::Version),
    ("1.2", "GET / HTTP/1.2", Rule::Version),
    ("1", "GET / HTTP/1", Rule::Version),
    ("1.", "GET / HTTP/1.", Rule::Version),
    ("1.10", "GET / HTTP/1.10", Rule::Version),
    ("01.1", "GET / HTTP/01.1", Rule::Version),
    ("1.01", "GET / HTTP/1.01", Rule::Version),
    ("1,1", "GET / HTTP/1,1", Rule::Version),
    ("+1.1", "GET / HTTP/+1.1", Rule::Version),
    ("lower case", "GET / http/1.1", Rule::Version),
    ("mixed case", "GET / Http/1.1", Rule::Version),
    ("another protocol", "GET / ICY/1.1", Rule::Version),
    ("no slash", "GET / HTTP1.1", Rule::Version),
    ("no version", "GET / ", Rule::Version),
    ("rtsp", "OPTIONS rtsp://a/ RTSP/1.0", Rule::Version),
    ("no method", " / HTTP/1.1", Rule::Method),
    ("colon in the method", "GE:T / HTTP/1.1", Rule::Method),
    ("slash in the method", "GET/ / HTTP/1.1", Rule::Method),
    ("comma in the method", "GET,POST / HTTP/1.1", Rule::Method),
    ("bracket in the method", "GET( / HTTP/1.1", Rule::Method),
    ("quote in the method", "\"GET\" / HTTP/1.1", Rule::Method),
    ("at in the method", "G@T / HTTP/1.1", Rule::Method),
    ("equals in the method", "GET= / HTTP/1.1", Rule::Method),
    ("brace in the method", "{GET / HTTP/1.1", Rule::Method),
    ("question in the method", "GET? / HTTP/1.1", Rule::Method),
    ("less-than in the method", "<GET / HTTP/1.1", Rule::Method),
    ("no target", "GET  HTTP/1.1", Rule::Target),
    ("absolute-form", "GET http://a/ HTTP/1.1", Rule::Target),
    ("absolute-form of another host", "GET http://b/ HTTP/1.1", Rule::Target),
    ("https", "GET https://a/ HTTP/1.1", Rule::Target),
    ("authority-form", "CONNECT a:443 HTTP/1.1", Rule::Target),
    ("asterisk-form", "OPTIONS * HTTP/1.1", Rule::Target),
    ("no leading slash", "GET v1/models HTTP/1.1", Rule::Target),
    ("query alone", "GET ?a HTTP/1.1", Rule::Target),
    ("dot", "GET ./a HTTP/1.1", Rule::Target),
    ("fragment", "GET /a#b HTTP/1.1", Rule::Target),
    ("backslash", "GET /a\\b HTTP/1.1", Rule::Target),
    ("leading backslash", "GET \\a HTTP/1.1", Rule::Target),
    ("double quote", "GET /\"a\" HTTP/1.1", Rule::Target),
    ("less-than", "GET /<a HTTP/1.1", Rule::Target),
    ("greater-than", "GET /a> HTTP/1.1", Rule::Target),
    ("caret", "GET /a^ HTTP/1.1", Rule::Target),
    ("backtick", "GET /`a HTTP/1.1", Rule::Target),
    ("opening brace", "GET /{a HTTP/1.1", Rule::Target),
    ("closing brace", "GET /a} HTTP/1.1", Rule::Target),
    ("bar", "GET /a|b HTTP/1.1", Rule::Target),
    ("tab in the target", "GET /a\tb HTTP/1.1", Rule::Target),
];

/// Fields of a request that is good otherwise.
#[rustfmt::skip]
const FIELDS: &[(&str, &[u8], Rule)] = &[
    ("space before the colon", b"X-A : b", Rule::FieldName),
    ("tab before the colon", b"X-A\t: b", Rule::FieldName),
    ("space before the colon of a length", b"Content-Length : 5", Rule::FieldName),
    ("space in a name", b"X A: b", Rule::FieldName),
    ("no colon", b"X-A", Rule::FieldName),
    ("no name", b": b", Rule::FieldName),
    ("only a colon", b":", Rule::FieldName),
    ("underscore", b"X_A: b", Rule::FieldName),
    ("underscore in a length", b"Content_Length: 5", Rule::FieldName),
    ("slash in a name", b"X/A: b", Rule::FieldName),
    ("brackets in a name", b"X[A]: b", Rule::FieldName),
    ("quotes in a name", b"\"X-A\": b", Rule::FieldName),
    ("at in a name", b"X@A: b", Rule::FieldName),
    ("equals in a name", b"X=A: b", Rule::FieldName),
    ("semicolon in a name", b"X;A: b", Rule::FieldName),
    ("comma in a name", b"X,A: b", Rule::FieldName),
    ("backslash in a name", b"X\\A: b", Rule::FieldName),
    ("parenthesis in a name", b"X(A: b", Rule::FieldName),
    ("question in a name", b"X?A: b", Rule::FieldName),
    ("a request line for a field", b"GET / HTTP/1.1", Rule::FieldName),
    ("fold by space", b"X-A: b\r\n c", Rule::Fold),
    ("fold by tab", b"X-A: b\r\n\tc", Rule::Fold),
    ("fold of nothing", b"X-A: b\r\n ", Rule::Fold),
    ("fold before a field", b"X-A: b\r\n Content-Length: 5", Rule::Fold),
    ("folded encoding", b"Transfer-Encoding:\r\n chunked", Rule::TransferEncoding),
    ("nul in a value", b"X-A: b\x00c", Rule::Character),
    ("nul in a name", b"X\x00A: b", Rule::Character),
    ("cr in a value", b"X-A: b\rc", Rule::LineEnd),
    ("cr before the end", b"X-A: b\r", Rule::LineEnd),
    ("cr in a name", b"X\rA: b", Rule::LineEnd),
    ("lf in a value", b"X-A: b\nX-B: c", Rule::LineEnd),
    ("bare lf before a length", b"X-A: b\nContent-Length: 5", Rule::LineEnd),
    ("escape in a value", b"X-A: \x1b[0m", Rule::Character),
    ("vertical tab", b"X-A: b\x0bc", Rule::Character),
    ("form feed", b"X-A: b\x0cc", Rule::Character),
    ("delete", b"X-A: b\x7f", Rule::Character),
    ("0x80 in a value", b"X-A: b\x80", Rule::Character),
    ("0x80 in a name", b"X\x80A: b", Rule::Character),
    ("0xff in a value", b"X-A: \xff", Rule::Character),
    ("utf-8 in a value", "X-A: ü".as_bytes(), Rule::Character),
    ("unit separator", b"X-A: b\x1fc", Rule::Character),
    ("length with plus", b"Content-Length: +5", Rule::ContentLength),
    ("length with minus", b"Content-Length: -1", Rule::ContentLength),
    ("length in hex", b"Content-Length: 0x5", Rule::ContentLength),
    ("no length", b"Content-Length:", Rule::ContentLength),
    ("blank length", b"Content-Length: \t ", Rule::ContentLength),
    ("length list", b"Content-Length: 5, 5", Rule::ContentLength),
    ("length list unequal", b"Content-Length: 5, 6", Rule::ContentLength),
    ("length list tight", b"Content-Length: 5,5", Rule::ContentLength),
    ("length with comma", b"Content-Length: 5,", Rule::ContentLength),
    ("length with comma first", b"Content-Length: ,5", Rule::ContentLength),
    ("two numbers", b"Content-Length: 5 5", Rule::ContentLength),
    ("length with underscore", b"Content-Length: 1_0", Rule::ContentLength),
    ("length with point", b"Content-Length: 5.0", Rule::ContentLength),
    ("length with exponent", b"Content-Length: 5e1", Rule::ContentLength),
    ("length with a letter", b"Content-Length: 5a", Rule::ContentLength),
    ("length in quotes", b"Content-Length: \"5\"", Rule::ContentLength),
    ("length with semicolon", b"Content-Length: 5;", Rule::ContentLength),
    ("20 digits", b"Content-Length: 18446744073709551616", Rule::ContentLength),
    ("20 digits with zeros", b"Content-Length: 00000000000000000005", Rule::ContentLength),
    ("two lengths", b"Content-Length: 5\r\nContent-Length: 5", Rule::Repeated),
    ("two unequal lengths", b"Content-Length: 5\r\ncontent-length: 6", Rule::Repeated),
    ("gzip", b"Transfer-Encoding: gzip", Rule::TransferEncoding),
    ("identity", b"Transfer-Encoding: identity", Rule::TransferEncoding),
    ("gzip, chunked", b"Transfer-Encoding: gzip, chunked", Rule::TransferEncoding),
    ("chunked, gzip", b"Transfer-Encoding: chunked, gzip", Rule::TransferEncoding),
    ("chunked twice", b"Transfer-Encoding: chunked, chunked", Rule::TransferEncoding),
    (",chunked", b"Transfer-Encoding: ,chunked", Rule::TransferEncoding),
    ("chunked,", b"Transfer-Encoding: chunked,", Rule::TransferEncoding),
    ("chunked;", b"Transfer-Encoding: chunked;a=b", Rule::TransferEncoding),
    ("xchunked", b"Transfer-Encoding: xchunked", Rule::TransferEncoding),
    ("chunkedx", b"Transfer-Encoding: chunkedx", Rule::TransferEncoding),
    ("chunk", b"Transfer-Encoding: chunk", Rule::TransferEncoding),
    ("chunked in quotes", b"Transfer-Encoding: \"chunked\"", Rule::TransferEncoding),
    ("no encoding", b"Transfer-Encoding:", Rule::TransferEncoding),
    ("vertical tab before chunked", b"Transfer-Encoding: \x0bchunked", Rule::Character),
    ("no-break space before chunked", b"Transfer-Encoding: \xa0chunked", Rule::Character),
    ("two encodings", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Rule::Repeated),
    ("two unequal encodings", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", Rule::Repeated),
    ("length and encoding", b"Content-Length: 5\r\nTransfer-Encoding: chunked", Rule::TwoFramings),
    ("encoding and length", b"Transfer-Encoding: chunked\r\nContent-Length: 0", Rule::TwoFramings),
    ("second host", b"Host: a", Rule::Repeated),
    ("second other host", b"hOST: b", Rule::Repeated),
    ("websocket", b"Upgrade: websocket\r\nConnection: Upgrade", Rule::Upgrade),
    ("h2c", b"Upgrade: h2c", Rule::Upgrade),
    ("unknown upgrade", b"Upgrade: foo", Rule::Upgrade),
    ("empty upgrade", b"Upgrade:", Rule::Upgrade),
    ("http2-settings", b"HTTP2-Settings: AAMAAABkAAQAAP__", Rule::Upgrade),
    ("connection upgrade", b"Connection: Upgrade", Rule::Connection),
    ("connection names a field", b"Connection: authorization", Rule::Connection),
    ("connection names another", b"Connection: close, x-api-key", Rule::Connection),
    ("connection te", b"Connection: TE, close", Rule::Connection),
    ("empty connection", b"Connection:", Rule::Connection),
    ("connection comma", b"Connection: close,", Rule::Connection),
    ("connection close twice", b"Connection: close, close", Rule::Connection),
    ("connection semicolon", b"Connection: close; a", Rule::Connection),
    ("two connections", b"Connection: close\r\nConnection: close", Rule::Repeated),
    ("two unequal connections", b"Connection: close\r\nConnection: keep-alive", Rule::Repeated),
    ("expect nothing", b"Expect:", Rule::Expect),
    ("expect something else", b"Expect: 200-ok", Rule::Expect),
    ("expect a list", b"Expect: 100-continue, 100-continue", Rule::Expect),
    ("expect twice", b"Expect: 100-continue\r\nExpect: 100-continue", Rule::Repeated),
    ("trailer", b"Trailer: x-a", Rule::Trailer),
    ("te gzip", b"TE: gzip", Rule::Te),
    ("te list", b"TE: trailers, deflate", Rule::Te),
    ("te empty", b"TE:", Rule::Te),
    ("te twice", b"TE: trailers\r\nTE: trailers", Rule::Repeated),
    ("two authorizations", b"Authorization: Bearer a\r\nAuthorization: Bearer b", Rule::Repeated),
    ("the same authorization twice", b"Authorization: a\r\nauthorization: a", Rule::Repeated),
    ("two keys", b"X-Api-Key: a\r\nx-api-key: b", Rule::Repeated),
];

/// Values of Host; all break `Rule::Host`.
#[rustfmt::skip]
const HOSTS: &[(&str, &[u8])] = &[
    ("empty host", b""),
    ("blank host", b"  "),
    ("host with space", b"a b"),
    ("host with user", b"user@a"),
    ("host with path", b"a/b"),
    ("host with query", b"a?b"),
    ("host with scheme", b"http://a"),
    ("host with fragment", b"a#b"),
    ("host with backslash", b"a\\b"),
    ("host with comma", b"a, b"),
    ("host with percent", b"a%2eb"),
    ("host with empty port", b"a:"),
    ("host with two ports", b"a:1:2"),
    ("host with a word for a port", b"a:http"),
    ("host with a signed port", b"a:+80"),
    ("host with a port beyond 65535", b"a:65536"),
    ("host of a port", b":80"),
    ("host ipv6 bare", b"::1"),
    ("host ipv6 open", b"[::1"),
    ("host ipv6 closed", b"::1]"),
    ("host ipv6 malformed", b"[::1::]"),
    ("host ipv6 empty", b"[]"),
    ("host ipv6 with zone", b"[fe80::1%25eth0]"),
    ("host ipv6 with tail", b"[::1]a"),
    ("host ipv6 with a word for a port", b"[::1]:x"),
    ("host ipv6 around a name", b"[a]"),
    ("host with star", b"*"),
    ("host with quotes", b"\"a\""),
];

/// Whole heads.
#[rustfmt::skip]
const WHOLE: &[(&str, &[u8], Rule)] = &[
    ("no host", b"GET / HTTP/1.1\r\n\r\n", Rule::HostMissing),
    ("no host in 1.0", b"GET / HTTP/1.0\r\n\r\n", Rule::HostMissing),
    ("no host among others", b"GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", Rule::HostMissing),
    ("lf request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", Rule::LineEnd),
    ("lf throughout", b"GET / HTTP/1.1\nHost: a\n\n", Rule::LineEnd),
    ("lf at the end", b"GET / HTTP/1.1\r\nHost: a\r\n\n", Rule::LineEnd),
    ("cr throughout", b"GET / HTTP/1.1\rHost: a\r\r", Rule::LineEnd),
    ("cr cr lf", b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", Rule::LineEnd),
    ("lf first", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Rule::LineEnd),
    ("fold behind the request line", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Rule::Fold),
    ("tab behind the request line", b"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", Rule::Fold),
    ("nul in the target", b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n", Rule::Character),
    ("0x80 in the target", b"GET /a\x80 HTTP/1.1\r\nHost: a\r\n\r\n", Rule::Character),
    ("delete in the target", b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", Rule::Character),
    ("nul in the method", b"GE\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", Rule::Character),
    ("byte order mark", b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n", Rule::Character),
    ("tls client hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Rule::Character),
    ("nothing but nul", b"\x00", Rule::Character),
    ("socks", b"\x05\x01\x00", Rule::Character),
    ("proxy protocol 1", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Rule::RequestLine),
    ("proxy protocol 2", b"\r\n\r\n\x00\r\nQUIT\n", Rule::RequestLine),
    ("encoding in 1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Rule::TransferEncoding),
];

/// Each with the rule it breaks.
fn malformed() -> Vec<(&'static str, Vec<u8>, Rule)> {
    let lines = LINES
        .iter()
        .map(|(name, line, rule)| (*name, with_line(line), *rule));
    let fields = FIELDS
        .iter()
        .map(|(name, field, rule)| (*name, with_field(field), *rule));
    let hosts = HOSTS
        .iter()
        .map(|(name, host)| (*name, with_host(host), Rule::Host));
    let whole = WHOLE
        .iter()
        .map(|(name, bytes, rule)| (*name, bytes.to_vec(), *rule));
    lines.chain(fields).chain(hosts).chain(whole).collect()
}

#[test]
fn a_malformed_head_is_refused_by_the_rule_it_breaks() {
    let cases = malformed();
    assert!(cases.len() >= 150, "{}", cases.len());
    for (name, bytes, rule) in cases {
        assert_eq!(read(&bytes), Err(Malformed(rule)), "{name}");
    }
}

#[test]
fn a_malformed_head_is_refused_however_it_is_cut() {
    for (name, bytes, rule) in malformed() {
        let mut scan = HeadScan::new(LIMITS);
        let refused = (0..=bytes.len()).find_map(|length| scan.scan(&bytes[..length]).err());
        assert_eq!(refused, Some(Malformed(rule)), "{name}");
    }
}

#[test]
fn no_part_of_a_good_head_is_refused() {
    let head = with_field(b"Content-Length: 5\r\nX-A: b\tc");
    for length in 0..head.len() {
        assert_eq!(read(&head[..length]), Ok(None), "{length}");
    }
}

#[test]
fn the_limit_on_bytes_is_exact() {
    let head = with_field(b"X-A: b");
    let read = |bytes: &[u8], most| {
        check(
            bytes,
            HeadLimits {
                bytes: most,
                fields: 100,
            },
        )
    };
    assert_eq!(
        read(&head, head.len()),
        Ok(Some(Head {
            length: head.len(),
            framing: Framing::Length(0)
        }))
    );
    assert_eq!(read(&head, head.len() - 1), Err(TooLarge));
    assert_eq!(read(&head[..head.len() - 1], head.len() - 1), Err(TooLarge));
    assert_eq!(read(&[b'G'; 10], 10), Err(TooLarge));
}

#[test]
fn the_limit_on_fields_is_exact() {
    let head = |fields: usize| {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
        (1..fields).for_each(|_| head.extend(b"X-A: b\r\n"));
        head.extend(b"\r\n");
        head
    };
    assert!(read(&head(100)).unwrap().is_some());
    assert_eq!(read(&head(101)), Err(TooManyFields));
}

#[test]
fn a_dripped_head_is_scanned_once() {
    // Each call looks only at what is new: a quadratic scan of this head would take minutes.
    let limits = HeadLimits {
        bytes: 1 << 20,
        fields: 100,
    };
    let head = with_field(&[b"X-A: ".as_slice(), &vec![b'b'; 1_000_000]].concat());
    let mut scan = HeadScan::new(limits);
    for length in 0..head.len() {
        assert_eq!(scan.scan(&head[..length]), Ok(None));
    }
    assert!(scan.scan(&head).unwrap().is_some());
}

/// Bytes that come near to a request.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(
            &[
                "GET ",
                "POST ",
                "/",
                "/v1/models",
                " HTTP/1.1",
                " HTTP/1.0",
                "\r\n",
                "\r",
                "\n",
                " ",
                "\t",
                ":",
                "Host: a",
                "Content-Length: ",
                "5",
                "Transfer-Encoding: ",
                "chunked",
                ",",
                "Connection: close",
                "X-A: b",
                "\0",
                "\u{80}",
                "_",
                "%20",
                "?a=b[]",
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Good heads, mostly.
fn good() -> impl Strategy<Value = Vec<u8>> {
    let field = "[a-zA-Z0-9!#$%&'*+.^`|~-]{1,12}:[ \t]{0,2}[!-~ \t]{0,20}[ \t]{0,2}\r\n";
    let line = "[A-Z!*]{1,8} /[a-zA-Z0-9/?=&%.;:@\\[\\]_~!$'()*+,-]{0,30} HTTP/1\\.[01]\r\n";
    (line, prop::collection::vec(field, 0..8))
        .prop_map(|(line, fields)| format!("{line}Host: a\r\n{}\r\n", fields.concat()).into_bytes())
}

proptest! {
    #[test]
    fn any_cut_reads_the_same(bytes in prop_oneof![nearly(), good()], cuts in prop::collection::vec(0usize..600, 0..6)) {
        let limits = HeadLimits { bytes: 200, fields: 5 };
        let whole = check(&bytes, limits);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut scan = HeadScan::new(limits);
        let mut last = Ok(None);
        for cut in cuts {
            last = scan.scan(&bytes[..cut]);
            if last != Ok(None) {
                break;
            }
        }
        prop_assert_eq!(last, whole);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn an_accepted_head_is_read_alike_by_httparse(bytes in prop_oneof![nearly(), good()]) {
        let Ok(Some(head)) = read(&bytes) else { return Ok(()) };
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut fields);
        prop_assert_eq!(request.parse(&bytes), Ok(httparse::Status::Complete(head.length)));
        let text = std::str::from_utf8(&bytes[..head.length]).unwrap();
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap();
        let version = request.version.map(|minor| format!("HTTP/1.{minor}")).unwrap();
        prop_assert_eq!(line, format!("{} {} {version}", request.method.unwrap(), request.path.unwrap()));
        let ours = lines.take_while(|line| !line.is_empty()).map(|line| {
            let (name, value) = super::field(line.as_bytes()).unwrap();
            (name.to_vec(), value.to_vec())
        });
        let theirs = request.headers.iter().map(|it| (it.name.as_bytes().to_vec(), it.value.to_vec()));
        prop_assert_eq!(ours.collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
    }

    #[test]
    fn good_heads_are_accepted(bytes in good()) {
        let known = ["host", "content-length", "transfer-encoding", "connection", "expect", "te", "upgrade", "trailer"];
        let lower = String::from_utf8(bytes.clone()).unwrap().to_lowercase();
        prop_assume!(!known.iter().any(|name| lower.matches(&format!("\n{name}:")).count() > usize::from(*name == "host")));
        prop_assert!(read(&bytes).unwrap().is_some());
    }
}
