//! Requests that never come to their end.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::*;

/// A proxy that has no patience.
async fn hasty() -> World {
    World::new(&format!(
        "allow_literal_secrets: true\nkeys: [{{ name: table, secret: {KEY} }}]\n\
         limits: {{ head_time: 700ms, body_time: 700ms, idle: 700ms }}"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_is_408_and_closes() {
    let head = get("");
    let mut cases = Vec::new();
    for cut in [1, 4, 20, head.len() / 2, head.len() - 2, head.len() - 1] {
        let name = format!("{cut} bytes of a head");
        cases.push(Case::new(name, &head[..cut], 408, Then::Closed));
    }
    for (name, fields, body) in [
        ("none of a body", "Content-Length: 60\r\n", &b""[..]),
        ("half of a body", "Content-Length: 60\r\n", b"{\"model\":"),
        ("no chunk", "Transfer-Encoding: chunked\r\n", b""),
        (
            "half a chunk",
            "Transfer-Encoding: chunked\r\n",
            b"5\r\n{\"m",
        ),
        (
            "no last chunk",
            "Transfer-Encoding: chunked\r\n",
            b"1\r\n{\r\n",
        ),
        (
            "no end",
            "Transfer-Encoding: chunked\r\n",
            b"1\r\n{\r\n0\r\n",
        ),
    ] {
        cases.push(Case::new(name, chat(fields, body), 408, Then::Closed));
    }
    let world = hasty().await;
    futures_util::future::join_all(cases.iter().map(|case| check(&world, case))).await;
    assert_eq!(world.sim.journal().received(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_is_408_however_busy_it_is() {
    let world = hasty().await;
    let mut client = world.client().await;
    client
        .send(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n")
        .await;
    let (mut read, mut write) = client.stream.split();
    let drip = async {
        loop {
            // Each byte is progress, and none of them buys more time.
            if write.write_all(b"a").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = [0; 12];
    let refused = tokio::select! {
        () = drip => false,
        read = read.read_exact(&mut answer) => read.is_ok(),
    };
    assert!(refused, "closed without an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let world = hasty().await;
    let mut silent = world.client().await;
    assert_eq!(silent.rest().await, b"");
    let mut idle = world.client().await;
    assert_serves("nothing", &mut idle).await;
    assert_eq!(idle.rest().await, b"");
}
