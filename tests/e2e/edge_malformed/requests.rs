//! Well-formed heads that ask for nothing we have, or without the right to.

use super::*;

const PATHS: &[&str] = &[
    "/",
    "/v1",
    "/v1/",
    "/v1/chat",
    "/v1/chat/completions/",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/./chat/completions",
    "/v1/chat/../chat/completions",
    "/v1/chat/completions/..",
    "/V1/chat/completions",
    "/v1/Chat/completions",
    "/v1/%63hat/completions",
    "/v1/chat%2fcompletions",
    "/v1/chat/completions%00",
    "/v1/chat/completions%20",
    "/v1/chat/completions;a=b",
    "/v1/chat/completions?",
    "/v1/chat/completions?key=value",
    "/v1/chat/completions?model=other",
    "/v1/models/",
    "/v1/models//model",
    "/v1/models/../models",
    "/v1/models?limit=1",
    "/v1/completions/",
    "/v1/responses",
    "/v1/messagesx",
    "/v1/embeddings/x",
    "/v1/files",
    "/v2/models",
    "/metrics",
    "/status",
    "/health/ready",
    "/.well-known/x",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_404_and_spares_the_connection() {
    let case = |path: &&str| {
        let bytes = request(&format!("GET {path} HTTP/1.1"), "");
        // What is known but has no GET says so before it looks at the query.
        let known = path.split('?').next() == Some("/v1/chat/completions");
        let status = if known { 405 } else { 404 };
        let case = Case::new(format!("GET {path}"), bytes, status, Then::Usable);
        if known { case.allow("POST") } else { case }
    };
    let mut cases: Vec<_> = PATHS.iter().map(case).collect();
    for path in PATHS {
        let head = format!("POST {path} HTTP/1.1");
        let fields = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            GOOD.len()
        );
        let mut bytes = request(&head, &fields);
        bytes.extend_from_slice(GOOD.as_bytes());
        let models = path.split('?').next() == Some("/v1/models");
        let status = if models { 405 } else { 404 };
        let case = Case::new(head, bytes, status, Then::Closed);
        cases.push(if models { case.allow("GET") } else { case });
    }
    let unknown = request("GET /v1/models/nothing HTTP/1.1", "");
    cases.push(Case::new("a model that is not there", unknown, 404, Then::Usable).param("model"));
    run(&world().await, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let mut cases = Vec::new();
    let methods = [
        "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "get", "BREW", "M-SEARCH",
    ];
    for (path, allow) in [
        ("/v1/chat/completions", "POST"),
        ("/v1/models", "GET"),
        ("/v1/models/model", "GET"),
    ] {
        for method in methods {
            let line = format!("{method} {path} HTTP/1.1");
            let bytes = request(&line, "");
            cases.push(Case::new(line, bytes, 405, Then::Usable).allow(allow));
        }
    }
    let tunnel = request("CONNECT /v1/models HTTP/1.1", "");
    cases.push(Case::new("a tunnel to a path", tunnel, 400, Then::Usable));
    run(&world().await, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_gets_a_head_alone() {
    let world = world().await;
    let mut client = world.client().await;
    client
        .send(&request(
            "HEAD /v1/models HTTP/1.1",
            "Connection: close\r\n",
        ))
        .await;
    let answer = client.rest().await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert_eq!(answer.find("\r\n\r\n"), Some(answer.len() - 4), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of like entries")]
async fn nobody_without_a_key_gets_anything() {
    let mut cases: Vec<_> = [
        ("none", String::new()),
        ("unknown", "Authorization: Bearer nobody\r\n".to_owned()),
        ("too long", format!("Authorization: Bearer {KEY}x\r\n")),
        (
            "too short",
            format!("Authorization: Bearer {}\r\n", &KEY[1..]),
        ),
        (
            "in upper case",
            format!("Authorization: Bearer {}\r\n", KEY.to_uppercase()),
        ),
        ("bare", format!("Authorization: {KEY}\r\n")),
        (
            "nothing behind the scheme",
            "Authorization: Bearer\r\n".to_owned(),
        ),
        ("empty", "Authorization:\r\n".to_owned()),
        ("another scheme", format!("Authorization: Basic {KEY}\r\n")),
        ("two spaces", format!("Authorization: Bearer  {KEY}\r\n")),
        (
            "a list",
            format!("Authorization: Bearer {KEY}, Bearer x\r\n"),
        ),
        ("unknown API key", "X-Api-Key: nobody\r\n".to_owned()),
        ("empty API key", "X-Api-Key:\r\n".to_owned()),
        (
            "API key with a scheme",
            format!("X-Api-Key: Bearer {KEY}\r\n"),
        ),
        (
            "two that differ",
            format!("Authorization: Bearer {KEY}\r\nX-Api-Key: other\r\n"),
        ),
        (
            "two that differ, turned",
            format!("Authorization: Bearer x\r\nX-Api-Key: {KEY}\r\n"),
        ),
        ("a cookie", format!("Cookie: key={KEY}\r\n")),
        (
            "for a proxy",
            format!("Proxy-Authorization: Bearer {KEY}\r\n"),
        ),
        ("in Api-Key", format!("Api-Key: {KEY}\r\n")),
        ("as another vendor's", format!("X-Goog-Api-Key: {KEY}\r\n")),
    ]
    .into_iter()
    .flat_map(|(name, fields)| {
        let host = "HTTP/1.1\r\nHost: localhost\r\n";
        let get = format!("GET /v1/models {host}{fields}\r\n");
        let length = GOOD.len();
        let post = format!(
            "POST /v1/chat/completions {host}{fields}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{GOOD}"
        );
        [
            Case::new(format!("GET, key {name}"), get, 401, Then::Usable),
            Case::new(format!("POST, key {name}"), post, 401, Then::Closed),
        ]
    })
    .collect();
    // After twenty failures in a minute a proxy says 429 to the address.
    while !cases.is_empty() {
        let rest = cases.split_off(cases.len().min(20));
        run(&world().await, std::mem::replace(&mut cases, rest)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_plain_json_in_utf8_is_415() {
    let length = format!("Content-Length: {}\r\n", GOOD.len());
    let mut cases = Vec::new();
    for kind in [
        "",
        "Content-Type:\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: text/json\r\n",
        "Content-Type: application/jsonx\r\n",
        "Content-Type: application/json-seq\r\n",
        "Content-Type: application/vnd.api+json\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/json; charset=latin1\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: br\r\n",
        "Content-Type: application/json\r\nContent-Encoding: deflate\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity, gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: cow\r\n",
    ] {
        let mut bytes = request(
            "POST /v1/chat/completions HTTP/1.1",
            &format!("{kind}{length}"),
        );
        bytes.extend_from_slice(GOOD.as_bytes());
        cases.push(Case::new(kind, bytes, 415, Then::Closed));
    }
    run(&world().await, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413_declared_or_not() {
    let large = "x".repeat((64 << 10) + 1);
    let chunked = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let small = "400\r\n".to_owned() + &"x".repeat(0x400) + "\r\n";
    let cases = vec![
        Case::new("declared", post(&large), 413, Then::Closed),
        Case::new(
            "declared, never sent",
            chat("Content-Length: 9999999999\r\n", b""),
            413,
            Then::Closed,
        ),
        Case::new(
            "in one chunk",
            chat("Transfer-Encoding: chunked\r\n", chunked.as_bytes()),
            413,
            Then::Closed,
        ),
        Case::new(
            "in small chunks",
            chat(
                "Transfer-Encoding: chunked\r\n",
                small.repeat(65).as_bytes(),
            ),
            413,
            Then::Closed,
        ),
    ];
    run(&world().await, cases).await;
}
