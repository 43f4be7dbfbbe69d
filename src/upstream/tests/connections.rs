//! One connection after another: reuse, death while idle, early answers, the next address.

use super::*;

#[tokio::test]
async fn a_request_leaves_in_one_segment_with_everything_the_provider_needs() {
    let (sender, mut seen) = tokio::sync::mpsc::channel(1);
    let peer = Script::run(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            let mut first = vec![0; 64 << 10];
            let read = stream.read(&mut first).await.unwrap();
            first.truncate(read);
            sender.send(first).await.unwrap();
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let provider = provider(&[peer.address]);
    let parts = [Bytes::from(vec![b'x'; 500]), Bytes::from(vec![b'y'; 524])];
    let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
    let first = soon(seen.recv()).await.unwrap();
    let (head, body) = first.split_at(first.len() - 1024);
    assert_eq!(
        std::str::from_utf8(head).unwrap(),
        "POST /v1/chat HTTP/1.1\r\nhost: sim.example\r\naccept-encoding: identity\r\n\
         content-length: 1024\r\nauthorization: Bearer sk-canary\r\n\
         content-type: application/json\r\n\r\n"
    );
    assert_eq!(body, parts.concat());
    assert_eq!(soon(call.head()).await.unwrap().status, 200);
    assert_eq!(call.peer_address(), peer.address);
    assert_eq!((call.reused(), call.retries()), (false, 0));
    let timings = call.timings();
    assert!(timings.connected <= timings.written && Some(timings.written) <= timings.head);
}

#[tokio::test]
async fn a_connection_serves_again_after_a_whole_answer() {
    let peer = Script::answers(OK).await;
    let provider = provider(&[peer.address]);
    assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    let mut second = call(&provider).await.unwrap();
    assert!(second.reused());
    assert_eq!(body(&mut second).await, Ok(b"ok".to_vec()));
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_body_read_but_for_its_last_chunk_still_frees_the_connection() {
    let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let peer = Script::answers(answer).await;
    let provider = provider(&[peer.address]);
    for _ in 0..3 {
        let mut call = call(&provider).await.unwrap();
        assert_eq!(soon(call.chunk()).await.unwrap().unwrap(), "ok");
        call.release().await;
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn an_answer_not_read_to_its_end_closes_the_connection() {
    let peer = Script::answers(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let provider = provider(&[peer.address]);
    for calls in 1..=2 {
        let mut call = call(&provider).await.unwrap();
        assert_eq!(soon(call.chunk()).await.unwrap().unwrap(), "half");
        call.release().await;
        assert_eq!(peer.accepted(), calls);
    }
}

#[tokio::test]
async fn a_connection_is_closed_when_the_peer_says_so() {
    let peer = Script::answers_once(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    let provider = provider(&[peer.address]);
    for calls in 1..=2 {
        ask(&provider).await.unwrap();
        assert_eq!(peer.accepted(), calls);
    }
}

/// Connection 0 answers once, then takes a second request and closes. The others do as told.
async fn closes_when_reused(later: &'static [u8]) -> (Script, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let peer = Script::run(move |mut stream, number| {
        let count = Arc::clone(&count);
        async move {
            let answer = if number == 0 { OK } else { later };
            let (_, body) = read_request(&mut stream).await.unwrap();
            assert_eq!(body, b"{\"a\":1}");
            count.fetch_add(1, Ordering::SeqCst);
            stream.write_all(answer).await.unwrap();
            if number == 0 && read_request(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    (peer, requests)
}

#[tokio::test]
async fn a_pooled_connection_that_dies_without_a_byte_is_replaced_for_free() {
    let (peer, requests) = closes_when_reused(OK).await;
    let provider = provider(&[peer.address]);
    ask(&provider).await.unwrap();
    let mut second = call(&provider).await.unwrap();
    assert!(second.reused());
    assert_eq!(soon(second.head()).await.unwrap().status, 200);
    assert_eq!((second.reused(), second.retries()), (false, 1));
    assert_eq!(body(&mut second).await, Ok(b"ok".to_vec()));
    assert_eq!((peer.accepted(), requests.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test]
async fn a_replacement_that_dies_too_is_the_end() {
    let (peer, requests) = closes_when_reused(b"").await;
    let provider = provider(&[peer.address]);
    ask(&provider).await.unwrap();
    let mut second = call(&provider).await.unwrap();
    let error = soon(second.head()).await.unwrap_err();
    assert_eq!(error, CallError::Closed(Phase::BeforeHead));
    assert_eq!(soon(second.chunk()).await.unwrap_err(), error);
    assert_eq!(second.retries(), 1);
    assert_eq!((peer.accepted(), requests.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test]
async fn a_connection_that_dies_after_a_byte_or_was_new_is_not_replaced() {
    let peer = Script::run(|mut stream, _| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(OK).await.unwrap();
        read_request(&mut stream).await.unwrap();
        stream.write_all(b"H").await.unwrap();
    })
    .await;
    let one = provider(&[peer.address]);
    ask(&one).await.unwrap();
    let mut second = call(&one).await.unwrap();
    let error = soon(second.head()).await.unwrap_err();
    assert_eq!(error, CallError::Closed(Phase::BeforeHead));
    assert_eq!((second.retries(), peer.accepted()), (0, 1));

    let closes = Script::run(|mut stream, _| async move {
        read_request(&mut stream).await.unwrap();
    })
    .await;
    let two = provider(&[closes.address]);
    assert_eq!(ask(&two).await, Err(CallError::Closed(Phase::BeforeHead)));
    assert_eq!(closes.accepted(), 1);
    let status = two.status().peers[0].last_error.unwrap();
    assert_eq!(status.error, CallError::Closed(Phase::BeforeHead));
}

#[tokio::test]
async fn a_dropped_wait_for_a_replacement_goes_on_where_it_was() {
    let (peer, requests) = closes_when_reused(OK).await;
    let provider = provider(&[peer.address]);
    ask(&provider).await.unwrap();
    let mut second = call(&provider).await.unwrap();
    let status = soon(async {
        loop {
            tokio::select! {
                biased;
                head = second.head() => break head.unwrap().status,
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    assert_eq!(status, 200);
    assert_eq!(requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn unasked_bytes_on_an_idle_connection_are_never_an_answer() {
    let (sender, mut sent) = tokio::sync::mpsc::channel(1);
    let peer = Script::run(move |mut stream, number| {
        let sender = sender.clone();
        async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(OK).await.unwrap();
            if number == 0 {
                sender.send(stream).await.unwrap();
            }
        }
    })
    .await;
    let provider = provider(&[peer.address]);
    ask(&provider).await.unwrap();
    let mut idle = soon(sent.recv()).await.unwrap();
    idle.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        .await
        .unwrap();
    assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    assert_eq!(peer.accepted(), 2);
}

#[tokio::test]
async fn an_early_refusal_of_a_large_body_is_the_answer() {
    let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let peer = Script::run(move |mut stream, _| async move {
        let mut some = [0; 1024];
        stream.read_exact(&mut some).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .unwrap();
        stream.write_all(answer).await.unwrap();
        // Reads no more, and waits until the other side gives up.
        stream.writable().await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let provider = provider(&[peer.address]);
    for calls in 1..=2 {
        let parts = vec![Bytes::from(vec![b'x'; 1 << 20]); 32];
        let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
        assert_eq!(soon(call.head()).await.unwrap().status, 413);
        assert_eq!(body(&mut call).await, Ok(b"big".to_vec()));
        call.release().await;
        assert_eq!(peer.accepted(), calls);
    }
}

#[tokio::test]
async fn a_refusal_that_is_followed_by_a_reset_is_still_the_answer() {
    let peer = Script::run(|mut stream, _| async move {
        let mut some = [0; 1024];
        stream.read_exact(&mut some).await.unwrap();
        let answer = b"HTTP/1.1 429 Slow Down\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        // Closed with unread bytes: the kernel sends a reset.
    })
    .await;
    let provider = provider(&[peer.address]);
    let parts = vec![Bytes::from(vec![b'x'; 1 << 20]); 32];
    let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
    let head = soon(call.head()).await.unwrap();
    assert_eq!((head.status, head.get("retry-after")), (429, Some("7")));
}

#[tokio::test]
async fn a_large_body_in_many_segments_arrives_whole_at_a_slow_reader() {
    let (sender, mut seen) = tokio::sync::mpsc::channel(1);
    let peer = Script::run(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            stream
                .write_all(b"HTTP/1.1 102 Processing\r\n\r\n")
                .await
                .unwrap();
            let (_, body) = read_request(&mut stream).await.unwrap();
            sender.send(body).await.unwrap();
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let provider = provider(&[peer.address]);
    let parts: Vec<Bytes> = (0..3000)
        .zip((b'a'..=b'z').cycle())
        .map(|(length, letter)| Bytes::from(vec![letter; length]))
        .collect();
    let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
    assert_eq!(soon(seen.recv()).await.unwrap(), parts.concat());
    assert_eq!(body(&mut call).await, Ok(b"ok".to_vec()));
}

#[tokio::test]
async fn a_peer_that_takes_nothing_ends_in_a_write_timeout() {
    let peer = Script::run(|stream, _| async move {
        stream.writable().await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let provider = provider(&[peer.address]);
    let parts = vec![Bytes::from(vec![b'x'; 1 << 20]); 32];
    let bounds = CallBounds {
        write: Duration::from_millis(50),
        ..BOUNDS
    };
    let result = soon(provider.call(outgoing(&parts), bounds)).await;
    assert_eq!(result.err(), Some(CallError::WriteTimeout));
    assert_eq!(in_flight(&provider), 0);
}

#[tokio::test]
async fn the_next_address_serves_when_one_refuses() {
    let good = Script::answers(OK).await;
    let bad = nobody().await;
    let provider = provider(&[bad, good.address]);
    for _ in 0..4 {
        assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    }
    let status = provider.status();
    let bad = status
        .peers
        .iter()
        .find(|peer| peer.address == bad)
        .unwrap();
    let refused = CallError::Connect(ConnectFailure::Refused);
    assert_eq!(bad.last_error.map(|last| last.error), Some(refused));
    assert_eq!(bad.health, PeerHealth::Down);
}

#[tokio::test]
async fn when_nobody_is_there_the_cause_is_told_and_the_next_call_tries_again() {
    let provider = provider(&[nobody().await]);
    for _ in 0..3 {
        let refused = CallError::Connect(ConnectFailure::Refused);
        assert_eq!(ask(&provider).await, Err(refused));
    }
    assert_eq!(in_flight(&provider), 0);
}

#[tokio::test]
async fn an_empty_pool_says_so_at_once() {
    assert_eq!(ask(&provider(&[])).await, Err(CallError::NoPeer));
    assert_eq!(provider(&[]).peer(b"").err(), Some(CallError::NoPeer));
}

#[tokio::test]
async fn a_peer_for_the_passthrough_is_counted_until_its_lease_ends() {
    let provider = provider(&[nobody().await]);
    let (peer, lease) = provider.peer(b"").unwrap();
    assert_eq!(in_flight(&provider), 1);
    assert_eq!(peer._address.as_inet(), Some(&lease.address()));
    drop(lease);
    assert_eq!(in_flight(&provider), 0);
}
