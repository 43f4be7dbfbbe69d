//! What goes on after a refusal, and beside it.

use super::*;
use segue::sim::answer_text;

#[tokio::test(flavor = "multi_thread")]
async fn two_pipelined_requests_are_answered_in_order() {
    let world = world().await;
    world.script("tokens=12");
    let mut client = world.client().await;
    client.send(&[get(""), post(GOOD)].concat()).await;
    assert_eq!(client.answer().await.json()["data"][0]["id"], "model");
    let second = client.answer().await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(
        second.json()["choices"][0]["message"]["content"],
        answer_text(12)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipelined_request_behind_a_slow_stream_is_answered_after_it() {
    let world = world().await;
    world.script("tokens=12,delay=5ms");
    let mut client = world.client().await;
    let stream = GOOD.replacen('{', "{\"stream\":true,", 1);
    client
        .send(&[post(stream), get("Connection: close\r\n")].concat())
        .await;
    let first = client.answer().await;
    assert_eq!(first.content(), answer_text(12));
    assert!(first.complete);
    let rest = client.rest().await;
    assert!(rest.starts_with(b"HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_outlives_a_row_of_recoverable_refusals() {
    let world = world().await;
    world.script("tokens=3");
    let mut client = world.client().await;
    for (bytes, status) in [
        (post("{"), 400),
        (request("GET /v1/nothing HTTP/1.1", ""), 404),
        (request("PUT /v1/models HTTP/1.1", ""), 405),
        (post(GOOD.replace("\"model\"", "\"nothing\"")), 400),
        (post(GOOD.replace(":\"model\"", ":\"nothing\"")), 404),
        (b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 401),
    ] {
        client.send(&bytes).await;
        assert_eq!(client.answer().await.status, status);
        client.send(&post(GOOD)).await;
        let good = client.answer().await;
        assert_eq!(good.status, 200, "after {status}: {good:?}");
        assert_eq!(
            good.json()["choices"][0]["message"]["content"],
            answer_text(3)
        );
    }
    assert_eq!(world.sim.journal().received(), 6, "the good ones alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_client_that_still_uploads() {
    let world = world().await;
    for fields in [
        "Content-Length: 8388608\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let mut client = world.client().await;
        client.send(&chat(fields, b"")).await;
        // All of it goes out before the client looks for an answer.
        let piece = if fields.starts_with("Content") {
            vec![b'x'; 1 << 20]
        } else {
            format!("FFFF8\r\n{}\r\n", "x".repeat(0xF_FFF8)).into_bytes()
        };
        for _ in 0..8 {
            client.send(&piece).await;
        }
        let answer = client.answer().await;
        assert_eq!(answer.status, 413, "{fields}");
        assert_refusal(fields, &answer);
        assert!(answer.complete, "{fields}");
    }
    assert_eq!(world.sim.journal().received(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn leave_to_send_a_body_is_given_only_to_who_may_send_it() {
    let world = world().await;
    world.script("tokens=3");
    let fields = |length: usize| format!("Content-Length: {length}\r\nExpect: 100-continue\r\n");
    let mut client = world.client().await;
    client.send(&chat(&fields(GOOD.len()), b"")).await;
    client.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send(GOOD.as_bytes()).await;
    assert_eq!(client.answer().await.status, 100);
    assert_eq!(client.answer().await.status, 200);
    for (bytes, status) in [
        (chat(&fields(1 << 20), b""), 413),
        (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\
              Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
                .to_vec(),
            401,
        ),
    ] {
        let mut client = world.client().await;
        client.send(&bytes).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status);
        assert_eq!(client.rest().await, b"");
    }
}
