//! Many streams on one HTTP/2 connection.

use h2::Reason;
use http::Request;
use segue::sim::{End, answer_text};

use super::Secure;
use crate::edge_stage::{Http2, read};
use crate::support::{PATIENCE, post};

async fn connect(secure: &Secure) -> Http2 {
    let caller = secure.authority.caller().alpn(&[b"h2"]);
    Http2::over(
        caller
            .call(secure.world.address, "localhost")
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_same_whole_and_streamed_as_over_http1() {
    let secure = Secure::new("").await;
    secure.world.script("tokens=30");
    let client = connect(&secure).await;
    let whole = client.chat("").await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("x-segue-target"), Some("sim/m"));
    assert_eq!(
        whole.json()["choices"][0]["message"]["content"],
        answer_text(30)
    );
    let stream = client.chat("\"stream\":true,").await;
    assert_eq!(stream.content(), answer_text(30));
    assert_eq!(stream.events().last().unwrap(), "[DONE]");
    for name in ["connection", "transfer-encoding", "keep-alive"] {
        assert_eq!(stream.header(name), None, "{name}");
    }
    let refused = client.chat("\"n\":0,").await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["param"], "n");
    assert_eq!(client.chat("").await.status, 200, "the connection lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_reaches_the_provider_and_no_other_stream() {
    let secure = Secure::new("").await;
    secure.world.script("tokens=inf,delay=2ms");
    let client = connect(&secure).await;
    let (answer, mut request) = client.ask("\"stream\":true,").await;
    let mut answer = answer.await.unwrap();
    assert!(answer.body_mut().data().await.unwrap().is_ok());
    secure.world.script("hang");
    let (silent, mut hanging) = client.ask("").await;
    let journal = secure.world.sim.journal();
    let both = |entries: &[_]| entries.len() == 2;
    journal.wait_for(both, PATIENCE).await.unwrap();
    secure.world.script("tokens=100,delay=1ms");
    let (sibling, _request) = client.ask("\"stream\":true,").await;

    request.send_reset(Reason::CANCEL);
    hanging.send_reset(Reason::CANCEL);
    drop(silent);
    let left = |entry: &std::sync::Arc<segue::sim::Entry>| {
        matches!(entry.end(), Some(End::ClientClosed { .. }))
    };
    journal
        .wait_for(|entries| entries[..2].iter().all(left), PATIENCE)
        .await
        .unwrap();
    let sibling = read(sibling).await.unwrap();
    assert_eq!(sibling.content(), answer_text(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_cancels_all_its_streams() {
    let secure = Secure::new("").await;
    secure.world.script("tokens=inf,delay=5ms");
    let client = connect(&secure).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        let (answer, _request) = client.ask("\"stream\":true,").await;
        answers.push(answer.await.unwrap());
    }
    client.driver.abort();
    drop(client);
    let journal = secure.world.sim.journal();
    journal.wait_for_no_request(PATIENCE).await.unwrap();
    for entry in journal.entries() {
        assert!(matches!(entry.end(), Some(End::ClientClosed { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_streams_run_side_by_side() {
    let secure = Secure::new("").await;
    secure.world.script("tokens=20,delay=5ms");
    let client = connect(&secure).await;
    let mut answers = Vec::new();
    for _ in 0..100 {
        let (answer, _request) = client.ask("\"stream\":true,").await;
        answers.push(read(answer));
    }
    for answer in futures_util::future::join_all(answers).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.content(), answer_text(20));
        assert_eq!(answer.events().last().unwrap(), "[DONE]");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_opens_no_window_is_waited_for_and_then_given_up() {
    let secure = Secure::with("", "limits: { client_write: 400ms }", |_, _| {}).await;
    secure.world.script("tokens=inf,token_bytes=4KiB");
    let client = connect(&secure).await;
    // Its body is never read, so its window of 64 KiB fills.
    let (answer, _request) = client.ask("\"stream\":true,").await;
    let answer = answer.await.unwrap();
    let journal = secure.world.sim.journal();
    journal.wait_for_no_request(PATIENCE).await.unwrap();
    let entry = journal.entries().remove(0);
    assert!(matches!(entry.end(), Some(End::ClientClosed { .. })));
    assert!(
        entry.bytes() < 16 << 20,
        "{} bytes were taken",
        entry.bytes()
    );
    drop(answer);
    secure.world.script("tokens=3");
    let http1 = secure.authority.caller();
    let mut stream = http1.call(secure.world.address, "localhost").await.unwrap();
    let ask = post("/v1/chat/completions", "Connection: close\r\n", BODY);
    let answer = crate::edge_stage::ask(&mut stream, &ask).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

const BODY: &str = r#"{"model":"model","messages":[{"role":"user","content":"hi"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_on_streams_and_requests_are_kept() {
    let limits = "limits: { h2_streams: 3, requests_per_connection: 5 }";
    let secure = Secure::with("", limits, |_, _| {}).await;
    let mut client = connect(&secure).await;
    assert_eq!(client.chat("").await.status, 200);
    assert_eq!(client.sender.current_max_send_streams(), 3);
    for _ in 1..5 {
        assert_eq!(client.chat("").await.status, 200);
    }
    // The server says GOAWAY and closes once nothing runs.
    drop(std::mem::replace(
        &mut client.sender,
        connect(&secure).await.sender,
    ));
    let end = tokio::time::timeout(PATIENCE, client.driver).await;
    // Whether its own last words found a listener is not asked.
    let _ = end.expect("a close in time").unwrap();
    let entries = secure.world.sim.journal().entries();
    assert_eq!(entries.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_comes_through_its_window() {
    let secure = Secure::new("").await;
    secure.world.script("tokens=3");
    let client = connect(&secure).await;
    let text = "x".repeat(300_000);
    let body = BODY.replace("hi", &text);
    let length = body.len();
    let request = Request::post("https://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let answer = read(client.send(request, Some(body.into())).await.0)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    let entry = secure.world.sim.journal().entries().remove(0);
    // The model's own name is shorter by four letters.
    assert_eq!(entry.body_bytes(), length as u64 - 4);
}
