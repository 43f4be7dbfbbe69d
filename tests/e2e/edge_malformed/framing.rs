//! Where a request ends: every way to say it twice, or otherwise than plainly.

use super::*;

/// Field lines that must not stand in a request with a body of five bytes.
const FIELDS: &[(&str, &[u8])] = &[
    ("length empty", b"Content-Length:\r\n"),
    ("length with plus", b"Content-Length: +5\r\n"),
    ("length negative", b"Content-Length: -5\r\n"),
    ("length list of equals", b"Content-Length: 5, 5\r\n"),
    ("length list tight", b"Content-Length: 5,5\r\n"),
    ("length list of others", b"Content-Length: 5, 6\r\n"),
    ("length two words", b"Content-Length: 5 5\r\n"),
    ("length hexadecimal", b"Content-Length: 0x5\r\n"),
    ("length decimal point", b"Content-Length: 5.0\r\n"),
    ("length exponent", b"Content-Length: 5e0\r\n"),
    ("length quoted", b"Content-Length: \"5\"\r\n"),
    ("length with parameter", b"Content-Length: 5;a=b\r\n"),
    ("length word", b"Content-Length: five\r\n"),
    ("length underscore", b"Content-Length: 0_5\r\n"),
    (
        "length beyond 64 bits",
        b"Content-Length: 18446744073709551621\r\n",
    ),
    (
        "length of 20 digits",
        b"Content-Length: 00000000000000000005\r\n",
    ),
    ("length vertical tab", b"Content-Length: \x0b5\r\n"),
    ("length form feed", b"Content-Length: \x0c5\r\n"),
    ("length no-break space", b"Content-Length: \xa05\r\n"),
    (
        "length full-width digit",
        b"Content-Length: \xef\xbc\x95\r\n",
    ),
    ("length NUL behind", b"Content-Length: 5\x00\r\n"),
    (
        "length twice, equal",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
    ),
    (
        "length twice, different",
        b"Content-Length: 5\r\nContent-Length: 0\r\n",
    ),
    ("length, space before colon", b"Content-Length : 5\r\n"),
    ("length, tab before colon", b"Content-Length\t: 5\r\n"),
    ("length by underscore", b"Content_Length: 5\r\n"),
    ("length folded", b"Content-Length:\r\n 5\r\n"),
    ("length behind a bare CR", b"A: b\rContent-Length: 5\r\n"),
    ("length behind a bare LF", b"A: b\nContent-Length: 5\r\n"),
    ("coding empty", b"Transfer-Encoding:\r\n"),
    ("coding identity", b"Transfer-Encoding: identity\r\n"),
    ("coding unknown", b"Transfer-Encoding: cow\r\n"),
    ("coding gzip", b"Transfer-Encoding: gzip\r\n"),
    (
        "coding chunked twice",
        b"Transfer-Encoding: chunked, chunked\r\n",
    ),
    (
        "coding behind gzip",
        b"Transfer-Encoding: gzip, chunked\r\n",
    ),
    (
        "coding before identity",
        b"Transfer-Encoding: chunked, identity\r\n",
    ),
    (
        "coding with leading comma",
        b"Transfer-Encoding: , chunked\r\n",
    ),
    (
        "coding with trailing comma",
        b"Transfer-Encoding: chunked,\r\n",
    ),
    (
        "coding with parameter",
        b"Transfer-Encoding: chunked;q=1\r\n",
    ),
    ("coding quoted", b"Transfer-Encoding: \"chunked\"\r\n"),
    ("coding prefixed", b"Transfer-Encoding: xchunked\r\n"),
    ("coding suffixed", b"Transfer-Encoding: chunkedx\r\n"),
    ("coding vertical tab", b"Transfer-Encoding: \x0bchunked\r\n"),
    ("coding form feed", b"Transfer-Encoding: chunked\x0c\r\n"),
    ("coding NUL", b"Transfer-Encoding: chunked\x00\r\n"),
    ("coding NEL", b"Transfer-Encoding: chunked\x85\r\n"),
    (
        "coding in two fields",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "coding in two equal fields",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "coding, space before colon",
        b"Transfer-Encoding : chunked\r\n",
    ),
    ("coding by underscore", b"Transfer_Encoding: chunked\r\n"),
    ("coding folded", b"Transfer-Encoding:\r\n chunked\r\n"),
    (
        "coding folded with tab",
        b"Transfer-Encoding: chunked\r\n\tidentity\r\n",
    ),
    (
        "coding behind a bare LF",
        b"A: b\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "length, then coding",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "coding, then length",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ),
    (
        "length of nothing and coding",
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "trailers announced",
        b"Transfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n",
    ),
];

/// Chunked bodies that break a rule.
const CHUNKS: &[(&str, &[u8])] = &[
    ("size empty", b"\r\n\r\n"),
    ("size with plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("size negative", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("size with prefix", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("size behind a space", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("size before a space", b"5 \r\nhello\r\n0\r\n\r\n"),
    ("size before a tab", b"5\t\r\nhello\r\n0\r\n\r\n"),
    ("size no number", b"g\r\nhello\r\n0\r\n\r\n"),
    ("size underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
    ("size of nine digits", b"000000005\r\nhello\r\n0\r\n\r\n"),
    (
        "size beyond 64 bits",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    ("size with extension", b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    ("size with empty extension", b"5;\r\nhello\r\n0\r\n\r\n"),
    (
        "size with quoted extension",
        b"5;a=\"\r\nhello\r\n0\r\n\r\n",
    ),
    ("size ended by LF", b"5\nhello\r\n0\r\n\r\n"),
    ("size ended by CR", b"5\rhello\r\n0\r\n\r\n"),
    ("size with NUL", b"5\x00\r\nhello\r\n0\r\n\r\n"),
    ("size superscript", b"\xb2\r\nhello\r\n0\r\n\r\n"),
    ("data longer than its size", b"5\r\nhello!\r\n0\r\n\r\n"),
    ("data shorter than its size", b"6\r\nhello\r\n0\r\n\r\n"),
    ("data ended by LF", b"5\r\nhello\n0\r\n\r\n"),
    ("data ended by nothing", b"5\r\nhello0\r\n\r\n"),
    ("last chunk ended by LF", b"5\r\nhello\r\n0\n\r\n"),
    ("end by LF", b"5\r\nhello\r\n0\r\n\n"),
    ("a trailer", b"5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n"),
    (
        "a trailer that looks like framing",
        b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    ),
    ("last chunk with extension", b"5\r\nhello\r\n0;a\r\n\r\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_doubtful_framing_is_refused_and_closes() {
    let fields = FIELDS.iter().map(|(name, lines)| {
        let mut bytes = chat("", b"");
        bytes.truncate(bytes.len() - 2);
        bytes.extend_from_slice(lines);
        bytes.extend_from_slice(b"\r\nhello");
        Case::new(*name, bytes, 400, Then::Closed)
    });
    let chunks = CHUNKS.iter().map(|(name, body)| {
        let bytes = chat("Transfer-Encoding: chunked\r\n", body);
        Case::new(*name, bytes, 400, Then::Closed)
    });
    let mut cases: Vec<_> = fields.chain(chunks).collect();
    let old = String::from_utf8(chat("Transfer-Encoding: chunked\r\n", b"0\r\n\r\n")).unwrap();
    let old = old.replacen("HTTP/1.1", "HTTP/1.0", 1);
    cases.push(Case::new("coding in HTTP/1.0", old, 400, Then::Closed));
    run(&world().await, cases).await;
}
