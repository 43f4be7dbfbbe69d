//! A call may be dropped at every await: the peer sees the close, and nothing is left behind.

use tokio::sync::mpsc;

use super::*;

/// Sends `before`, then waits for the close, and says that it came.
async fn waits_for_the_close(before: &'static [u8]) -> (Script, mpsc::Receiver<()>) {
    let (sender, closed) = mpsc::channel(1);
    let peer = Script::run(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(before).await.unwrap();
            stays_open(stream).await;
            sender.send(()).await.unwrap();
        }
    })
    .await;
    (peer, closed)
}

#[tokio::test]
async fn a_call_dropped_before_its_answer_closes_the_connection() {
    let (peer, mut closed) = waits_for_the_close(b"").await;
    let provider = provider(&[peer.address]);
    let mut call = call(&provider).await.unwrap();
    assert_eq!(in_flight(&provider), 1);
    assert!(
        timeout(Duration::from_millis(20), call.head())
            .await
            .is_err()
    );
    drop(call);
    assert_eq!(in_flight(&provider), 0);
    soon(closed.recv()).await.unwrap();
}

#[tokio::test]
async fn a_call_dropped_or_released_within_its_body_closes_the_connection() {
    let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n";
    let (peer, mut closed) = waits_for_the_close(answer).await;
    let provider = provider(&[peer.address]);
    for end in ["drop", "release"] {
        let mut call = call(&provider).await.unwrap();
        assert_eq!(soon(call.chunk()).await.unwrap().unwrap(), "some");
        assert!(
            timeout(Duration::from_millis(20), call.chunk())
                .await
                .is_err()
        );
        match end {
            "drop" => drop(call),
            _ => soon(call.release()).await,
        }
        assert_eq!(in_flight(&provider), 0);
        soon(closed.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_dropped_while_it_writes_closes_the_connection() {
    let (sender, mut closed) = mpsc::channel(1);
    let peer = Script::run(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            let mut some = [0; 1024];
            stream.read_exact(&mut some).await.unwrap();
            sender.send(()).await.unwrap();
            // Reads on only after the other side has gone: until then it is stuck in its write.
            sender.reserve().await.unwrap();
            stays_open(stream).await;
            sender.send(()).await.unwrap();
        }
    })
    .await;
    let provider = provider(&[peer.address]);
    let parts = vec![Bytes::from(vec![b'x'; 1 << 20]); 32];
    let writing = provider.call(outgoing(&parts), BOUNDS);
    tokio::select! {
        _ = writing => panic!("32 MiB fit into the socket"),
        () = async { while in_flight(&provider) == 0 || peer.accepted() == 0 { tokio::task::yield_now().await } } => {}
    }
    assert_eq!(in_flight(&provider), 0);
    soon(closed.recv()).await.unwrap();
    soon(closed.recv()).await.unwrap();
}

#[tokio::test]
async fn a_call_dropped_in_its_handshake_closes_the_connection() {
    let (sender, mut closed) = mpsc::channel(1);
    let peer = Script::run(move |stream, _| {
        let sender = sender.clone();
        async move {
            stays_open(stream).await;
            sender.send(()).await.unwrap();
        }
    })
    .await;
    let mut spec = spec(&[peer.address]);
    let name = "sim.example".to_owned();
    spec.pool.tls = Some(TlsSpec {
        name,
        ca: None,
        http2: false,
    });
    let provider = raise(&spec);
    let result = timeout(Duration::from_millis(50), call(&provider)).await;
    assert!(result.is_err());
    assert_eq!(in_flight(&provider), 0);
    soon(closed.recv()).await.unwrap();
}

#[tokio::test]
async fn a_thousand_dropped_calls_leave_no_lease() {
    let (peer, mut closed) = waits_for_the_close(b"").await;
    let drain = tokio::spawn(async move { while closed.recv().await.is_some() {} });
    let provider = provider(&[peer.address]);
    for round in 0..1000_u32 {
        let call = call(&provider);
        // Polled a different number of times, so that it ends at different awaits.
        let mut call = std::pin::pin!(call);
        for _ in 0..round % 7 {
            let waker = std::task::Waker::noop();
            if call
                .as_mut()
                .poll(&mut std::task::Context::from_waker(waker))
                .is_ready()
            {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(in_flight(&provider), 0);
    drain.abort();
}
