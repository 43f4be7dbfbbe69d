//! Answers that cannot be believed, and bodies that break off.

use tokio::net::TcpSocket;

use super::*;

/// What an answer leads to, and how many connections two calls need: a connection that carried a
/// malformed answer is never used again.
async fn twice(answer: &'static [u8]) -> (Result<(u16, Vec<u8>), CallError>, usize) {
    let peer = Script::answers_once(answer).await;
    let provider = provider(&[peer.address]);
    let first = ask(&provider).await;
    assert_eq!(in_flight(&provider), 0);
    let second = ask(&provider).await;
    assert_eq!(first, second);
    (first, peer.accepted())
}

#[tokio::test]
async fn a_malformed_answer_is_an_error_and_its_connection_is_not_reused() {
    let cases: [(&[u8], Flaw); 16] = [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Flaw::Framing),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", Flaw::Framing),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Flaw::Framing),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Flaw::Framing),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n", Flaw::Framing),
        (b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Flaw::Framing),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0x5\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: a\0b\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: a\r\n b\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nno colon\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n", Flaw::Head),
        (b"garbage that is no http at all\r\n\r\n", Flaw::Head),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", Flaw::SwitchingProtocols),
    ];
    for (answer, flaw) in cases {
        let (result, connections) = twice(answer).await;
        assert_eq!(
            result,
            Err(CallError::BadAnswer(flaw)),
            "{}",
            answer.escape_ascii()
        );
        assert_eq!(connections, 2, "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn a_head_of_too_many_fields_or_bytes_is_refused() {
    let mut fields = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n".to_vec();
    for n in 0..300 {
        fields.extend(format!("x-{n}: y\r\n").bytes());
    }
    let mut long = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: ".to_vec();
    long.extend(vec![b'x'; 2 << 20]);
    for mut answer in [fields, long] {
        answer.extend(b"\r\n\r\n");
        let (result, connections) = twice(answer.leak()).await;
        assert_eq!(result, Err(CallError::BadAnswer(Flaw::Head)));
        assert_eq!(connections, 2);
    }
}

#[tokio::test]
async fn informational_heads_are_skipped_up_to_a_bound() {
    let mut answer = Vec::new();
    for status in [
        "100 Continue",
        "102 Processing",
        "103 Early Hints\r\nlink: x",
        "199 x",
    ] {
        answer.extend(format!("HTTP/1.1 {status}\r\n\r\n").bytes());
    }
    answer.extend(OK);
    let peer = Script::answers(answer.leak()).await;
    let provider = provider(&[peer.address]);
    for _ in 0..2 {
        assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
        assert_eq!(peer.accepted(), 1);
    }

    let mut endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20);
    endless.extend(OK);
    let (result, connections) = twice(endless.leak()).await;
    assert_eq!(result, Err(CallError::BadAnswer(Flaw::Informational)));
    assert_eq!(connections, 2);
}

#[tokio::test]
async fn every_status_is_an_answer_and_no_redirect_is_followed() {
    for status in [201, 204, 301, 302, 307, 400, 404, 429, 500, 503, 599, 999] {
        let answer = format!(
            "HTTP/1.1 {status} x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
        );
        let peer = Script::answers(answer.leak().as_bytes()).await;
        let provider = provider(&[peer.address]);
        assert_eq!(ask(&provider).await, Ok((status, Vec::new())));
        assert_eq!(peer.accepted(), 1);
    }
}

#[tokio::test]
async fn a_head_tells_what_the_caller_asks_for() {
    let peer = Script::answers(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
          X-Odd: \xff\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let provider = provider(&[peer.address]);
    let mut call = call(&provider).await.unwrap();
    let head = soon(call.head()).await.unwrap();
    assert_eq!(
        head.content_type(),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!((head.get("x-odd"), head.get("x-none")), (None, None));
    assert_eq!(head.headers()["x-odd"].as_bytes(), b"\xff");
}

/// Sends an answer and closes, by a reset if asked.
async fn sends_and(answer: &'static [u8], how: Close) -> Script {
    Script::run(move |mut stream, _| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(answer).await.unwrap();
        if how == Close::Reset {
            // Wait until it has been read: a reset discards what is on its way.
            let mut taken = [0; 1];
            let _ = timeout(Duration::from_millis(50), stream.read(&mut taken)).await;
            let stream = stream.into_std().unwrap();
            TcpSocket::from_std_stream(stream)
                .set_zero_linger()
                .unwrap();
        }
    })
    .await
}

#[derive(Clone, Copy, PartialEq)]
enum Close {
    Orderly,
    Reset,
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_never_an_end() {
    let closed = CallError::Closed(Phase::AfterHead);
    let reset = CallError::Reset(Phase::AfterHead);
    let framing = CallError::BadAnswer(Flaw::Framing);
    let cases: [(&[u8], Close, CallError); 11] = [
        (b"content-length: 10\r\n\r\nhalf", Close::Orderly, closed),
        (b"content-length: 10\r\n\r\n", Close::Orderly, closed),
        (b"content-length: 10\r\n\r\nhalf", Close::Reset, reset),
        (b"\r\nhalf", Close::Reset, reset),
        (
            b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            Close::Orderly,
            closed,
        ),
        (
            b"transfer-encoding: chunked\r\n\r\n4\r\nha",
            Close::Orderly,
            closed,
        ),
        (
            b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
            Close::Orderly,
            closed,
        ),
        (
            b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nx: y\r\n",
            Close::Orderly,
            closed,
        ),
        (
            b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n2",
            Close::Reset,
            reset,
        ),
        (
            b"transfer-encoding: chunked\r\n\r\nzz\r\nhalf\r\n",
            Close::Orderly,
            framing,
        ),
        (
            b"transfer-encoding: chunked\r\n\r\n4\r\nhalfXX0\r\n\r\n",
            Close::Orderly,
            framing,
        ),
    ];
    for (rest, how, expected) in cases {
        let answer = [b"HTTP/1.1 200 OK\r\n", rest].concat().leak();
        let peer = sends_and(answer, how).await;
        let provider = provider(&[peer.address]);
        let mut call = call(&provider).await.unwrap();
        assert_eq!(soon(call.head()).await.unwrap().status, 200);
        let result = body(&mut call).await;
        assert_eq!(result, Err(expected), "{}", answer.escape_ascii());
        assert_eq!(body(&mut call).await, Err(expected), "asked again");
    }
}

#[tokio::test]
async fn a_reset_before_the_head_is_told_apart() {
    let peer = sends_and(b"", Close::Reset).await;
    let provider = provider(&[peer.address]);
    assert_eq!(
        ask(&provider).await,
        Err(CallError::Reset(Phase::BeforeHead))
    );
}

#[tokio::test]
async fn a_head_cut_short_is_no_answer() {
    let peer = sends_and(b"HTTP/1.1 200 OK\r\ncontent-le", Close::Orderly).await;
    let provider = provider(&[peer.address]);
    assert_eq!(
        ask(&provider).await,
        Err(CallError::Closed(Phase::BeforeHead))
    );
}

#[tokio::test]
async fn bytes_behind_an_answer_spoil_the_connection_but_not_the_answer() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nevil";
    let (result, connections) = twice(answer).await;
    assert_eq!((result, connections), (Ok((200, b"ok".to_vec())), 2));
}
