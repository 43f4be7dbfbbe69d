//! Bodies: the framings, the trailers, the content codings, and none at all.

use std::io::Write;

use super::*;

#[tokio::test]
async fn a_body_arrives_whole_in_every_framing() {
    let cases: [&[u8]; 6] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome text",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n5\r\n text\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n9;x=y\r\nsome text\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nsome text\r\n0\r\na: b\r\nc: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nsome text",
        b"HTTP/1.0 200 OK\r\n\r\nsome text",
    ];
    for answer in cases {
        for step in [1, 7, answer.len()] {
            let peer = Script::run(move |mut stream, _| async move {
                stream.set_nodelay(true).unwrap();
                read_request(&mut stream).await.unwrap();
                for part in answer.chunks(step) {
                    stream.write_all(part).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let result = ask(&provider(&[peer.address])).await;
            assert_eq!(
                result,
                Ok((200, b"some text".to_vec())),
                "{}",
                answer.escape_ascii()
            );
        }
    }
}

#[tokio::test]
async fn trailers_are_dropped_and_endless_ones_refused() {
    let mut answer =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n".to_vec();
    for n in 0..20_000 {
        answer.extend(format!("x-{n}: yyyyyyyy\r\n").bytes());
    }
    answer.extend(b"\r\n");
    let peer = Script::answers_once(answer.leak()).await;
    let provider = provider(&[peer.address]);
    let mut call = call(&provider).await.unwrap();
    assert_eq!(soon(call.chunk()).await.unwrap().unwrap(), "ok");
    assert_eq!(
        body(&mut call).await,
        Err(CallError::BadAnswer(Flaw::Framing))
    );
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_whatever_it_says() {
    let peer = Script::answers_once(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n").await;
    let provider = provider(&[peer.address]);
    for calls in 1..=2 {
        let request = Outgoing {
            method: &Method::HEAD,
            ..outgoing(&[])
        };
        let mut call = soon(provider.call(request, BOUNDS)).await.unwrap();
        assert_eq!(
            soon(call.head()).await.unwrap().get("content-length"),
            Some("99")
        );
        assert_eq!(soon(call.chunk()).await, Ok(None));
        call.release().await;
        assert_eq!(peer.accepted(), calls);
    }
}

#[tokio::test]
async fn a_compressed_stream_is_text_event_by_event() {
    let (sender, mut go_on) = tokio::sync::mpsc::channel::<()>(1);
    let mut parts = Vec::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        gzip.write_all(event.as_bytes()).unwrap();
        gzip.flush().unwrap();
        parts.push(std::mem::take(gzip.get_mut()));
    }
    parts.push(gzip.finish().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (head, _) = read_request(&mut stream).await.unwrap();
        assert!(head.contains("accept-encoding: identity\r\n"));
        let answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        for part in parts {
            stream.write_all(&part).await.unwrap();
            // The next event is sent only when this one has been seen.
            let _ = go_on.recv().await;
        }
    });
    let provider = provider(&[address]);
    let mut call = call(&provider).await.unwrap();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        assert_eq!(soon(call.chunk()).await.unwrap().unwrap(), event);
        sender.send(()).await.unwrap();
    }
    drop(sender);
    assert_eq!(soon(call.chunk()).await, Ok(None));
    soon(server).await.unwrap();
}

#[tokio::test]
async fn a_coding_that_is_unknown_broken_or_a_bomb_is_an_error() {
    let zeros = vec![0_u8; 16 << 20];
    let bomb = zstd::stream::encode_all(&zeros[..], 1).unwrap();
    let cut = zstd::stream::encode_all(&b"some text"[..], 1).unwrap();
    let cut = cut[..cut.len() - 1].to_vec();
    let cases = [
        (
            "compress",
            b"x".to_vec(),
            CallError::BadAnswer(Flaw::Coding),
        ),
        (
            "gzip, br",
            b"x".to_vec(),
            CallError::BadAnswer(Flaw::Coding),
        ),
        (
            "gzip",
            b"not gzip at all".to_vec(),
            CallError::Inflate(InflateError::Corrupt),
        ),
        ("zstd", cut, CallError::Inflate(InflateError::Corrupt)),
        ("zstd", bomb, CallError::Inflate(InflateError::TooLarge)),
    ];
    for (coding, payload, expected) in cases {
        let length = payload.len();
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {length}\r\n\r\n"
        )
        .into_bytes();
        answer.extend(payload);
        let peer = Script::answers_once(answer.leak()).await;
        assert_eq!(
            ask(&provider(&[peer.address])).await,
            Err(expected),
            "{coding}"
        );
    }
}
