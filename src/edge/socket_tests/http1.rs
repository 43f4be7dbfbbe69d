//! What passes the guard, and what it answers itself.

use super::*;

fn short() -> Limits {
    Limits {
        head_time: Duration::from_millis(500),
        ..Limits::default()
    }
}

fn patient() -> Limits {
    Limits {
        head_time: Duration::from_secs(30),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_dripped_head_is_answered_with_408_and_closed() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    for byte in b"GET / HT" {
        client.send(&[*byte]).await;
    }
    let answer = client.rest().await;
    assert_eq!(status(&answer), "408", "{answer}");
    assert_eq!(server.connections.snapshot().refused_timed_out, 1);
}

#[tokio::test]
async fn a_connection_that_never_speaks_is_closed_without_a_word() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    assert_eq!(client.rest().await, "");
    within(server.connections.drained()).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let server = Server::start(Limits {
        idle: Duration::from_millis(50),
        ..patient()
    });
    let mut client = server.connect().await;
    client.send(post("/echo", "one").as_bytes()).await;
    let answer = client.rest().await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.ends_with("one"), "{answer}");
    within(server.connections.drained()).await;
}

#[tokio::test]
async fn a_head_over_the_limit_is_answered_with_431() {
    let server = Server::start(patient());
    for length in [64 << 10, 1 << 20] {
        let mut client = server.connect().await;
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ").await;
        // The server may close before all is sent.
        let _ = within(client.0.write_all(&vec![b'a'; length])).await;
        let answer = client.rest().await;
        assert_eq!(status(&answer), "431", "{length}: {answer}");
    }
    assert_eq!(server.connections.snapshot().refused_too_large, 2);
}

#[tokio::test]
async fn a_malformed_head_never_reaches_the_app() {
    let mut server = Server::start(patient());
    for head in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nmore",
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let answer = client.rest().await;
        assert_eq!(status(&answer), "400", "{head:?}: {answer}");
    }
    within(server.connections.drained()).await;
    assert_eq!(server.connections.snapshot().refused_malformed, 5);
    assert!(server.seen.try_recv().is_err());
}

#[tokio::test]
async fn head_and_body_arrive_unchanged_however_they_are_cut() {
    let mut server = Server::start(patient());
    let request = post("/echo", &"0123456789".repeat(5));
    for cut in 1..request.len() {
        let mut client = server.connect().await;
        let (head, tail) = request.as_bytes().split_at(cut);
        client.send(head).await;
        tokio::task::yield_now().await;
        client.send(tail).await;
        let answer = client.until("0123456789").await;
        assert!(answer.ends_with(&"0123456789".repeat(5)), "{cut}: {answer}");
        assert_eq!(server.saw().await, Seen::Request("/echo 50".to_owned()));
    }
}

#[tokio::test]
async fn a_large_head_and_a_large_body_pass() {
    let mut server = Server::start(patient());
    let mut client = server.connect().await;
    let body = vec![b'x'; 3 << 20];
    let head = format!(
        "POST /late HTTP/1.1\r\nHost: a\r\nX-A: {}\r\nContent-Length: {}\r\n\r\n",
        "a".repeat(60_000),
        body.len()
    );
    client.send(head.as_bytes()).await;
    client.send(&body).await;
    assert_eq!(
        server.saw().await,
        Seen::Request(format!("/late {}", body.len()))
    );
    server.app.release.notify_one();
    client.until("xxxxxxxx").await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_never_mixed() {
    let mut server = Server::start(patient());
    let mut client = server.connect().await;
    let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\ntwo\r\n0\r\n\r\n";
    let all = [
        &post("/echo", "one"),
        chunked,
        &post("/echo", ""),
        &post("/echo", "four."),
    ];
    client.send(all.concat().as_bytes()).await;
    let answers = client.until("four.").await;
    let bodies: Vec<_> = answers
        .split("HTTP/1.1 200")
        .filter_map(|answer| answer.split_once("\r\n\r\n"))
        .map(|(_, body)| body)
        .collect();
    assert_eq!(bodies, ["one", "two", "", "four."]);
    for length in [3, 3, 0, 5] {
        assert_eq!(server.saw().await, Seen::Request(format!("/echo {length}")));
    }
}

#[tokio::test]
async fn a_request_sent_during_another_waits_for_its_turn() {
    let mut server = Server::start(patient());
    let mut client = server.connect().await;
    client.send(post("/late", "one").as_bytes()).await;
    assert_eq!(server.saw().await, Seen::Request("/late 3".to_owned()));
    client.send(post("/echo", "two").as_bytes()).await;
    tokio::task::yield_now().await;
    server.app.release.notify_one();
    let answers = client.until("two").await;
    assert!(answers.contains("\r\n\r\noneHTTP/1.1 200"), "{answers}");
}

#[tokio::test]
async fn a_malformed_request_behind_a_good_one_is_answered_after_it() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    client
        .send((post("/echo", "one") + "garbage\r\n\r\n").as_bytes())
        .await;
    let answers = client.rest().await;
    assert_eq!(status(&answers), "200", "{answers}");
    assert!(answers.contains("\r\n\r\noneHTTP/1.1 400"), "{answers}");
}

#[tokio::test]
async fn a_malformed_chunk_is_an_error_that_can_still_be_answered() {
    let mut server = Server::start(patient());
    for body in [
        "\r\n\r\n",
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n",
        "0\r\nx: y\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send([head, body].concat().as_bytes()).await;
        let answer = client.rest().await;
        assert_eq!(status(&answer), "400", "{body:?}: {answer}");
        assert_eq!(server.saw().await, Seen::BadBody);
    }
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    client
        .send(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
        .await;
    for _ in 0..400 {
        client.send(&[b'x'; 10_000]).await;
    }
    let answer = client.rest().await;
    assert_eq!(status(&answer), "413", "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_at_once() {
    let mut server = Server::start(patient());
    for reset in [false, true] {
        let mut client = server.connect().await;
        client.send(post("/late", "").as_bytes()).await;
        assert_eq!(server.saw().await, Seen::Request("/late 0".to_owned()));
        if reset {
            client.0.set_zero_linger().unwrap();
        }
        drop(client);
        assert_eq!(server.saw().await, Seen::Gone);
    }
    within(server.connections.drained()).await;
}

#[tokio::test]
async fn a_flood_behind_a_request_waits_in_the_kernel_and_nothing_is_lost() {
    let mut server = Server::start(patient());
    let mut client = server.connect().await;
    client.send(post("/late", "").as_bytes()).await;
    assert_eq!(server.saw().await, Seen::Request("/late 0".to_owned()));
    let (mut answers, mut requests) = client.0.into_split();
    let flood = (post("/echo", "ab").repeat(5_000) + &post("/echo", "end")).into_bytes();
    let sending = tokio::spawn(async move {
        requests.write_all(&flood).await.unwrap();
        requests
    });
    let seen = tokio::spawn(async move {
        server.app.release.notify_one();
        while server.saw().await != Seen::Request("/echo 3".to_owned()) {}
        server
    });
    let mut all = Vec::new();
    while !all.ends_with(b"end") {
        assert!(within(answers.read_buf(&mut all)).await.unwrap() > 0);
    }
    let all = String::from_utf8(all).unwrap();
    assert_eq!(all.matches("\r\n\r\nabHTTP/1.1 200").count(), 5_000);
    drop((within(sending).await.unwrap(), within(seen).await.unwrap()));
}

#[tokio::test]
async fn a_client_that_leaves_behind_a_pipelined_request_is_noticed() {
    let mut server = Server::start(patient());
    let mut client = server.connect().await;
    client
        .send((post("/late", "") + &post("/echo", "two")).as_bytes())
        .await;
    assert_eq!(server.saw().await, Seen::Request("/late 0".to_owned()));
    drop(client);
    assert_eq!(server.saw().await, Seen::Gone);
}
