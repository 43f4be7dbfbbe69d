//! HTTP/2: the same calls over streams of one connection.

use ::h2::server::{Connection, SendResponse, handshake};
use ::h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

use super::tls::{Authority, NAME, named, secure, tls_peer};
use super::*;

type Arrival = (Request<RecvStream>, SendResponse<Bytes>);

/// A peer that speaks HTTP/2 only and runs its script for each stream, with its number from zero
/// in its connection.
async fn h2_peer<F>(
    authority: &Authority,
    script: impl Fn(Arrival, usize) -> F + Clone + Send + Sync + 'static,
) -> Script
where
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = authority.server(&named(NAME), &[b"h2", b"http/1.1"]);
    tls_peer(acceptor, move |stream| {
        let script = script.clone();
        async move {
            let mut connection = handshake(stream).await.unwrap();
            let mut number = 0;
            while let Some(Ok(arrival)) = connection.accept().await {
                tokio::spawn(script(arrival, number));
                number += 1;
            }
        }
    })
    .await
}

fn offering_h2(peers: &[SocketAddr], authority: &Authority) -> ProviderSpec {
    let mut spec = secure(peers, authority);
    if let Some(tls) = &mut spec.pool.tls {
        tls.http2 = true;
    }
    spec
}

async fn read_all(body: &mut RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = body.data().await {
        body.flow_control().release_capacity(chunk.len()).unwrap();
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

fn answer(status: u16) -> Response<()> {
    Response::builder()
        .status(status)
        .header("content-type", "text/plain")
        .body(())
        .unwrap()
}

async fn echoes((request, mut respond): Arrival, _: usize) {
    let (head, mut body) = request.into_parts();
    assert_eq!(head.uri.authority().unwrap(), "sim.example");
    assert_eq!(head.uri.path(), "/v1/chat");
    assert_eq!(head.headers[header::AUTHORIZATION], "Bearer sk-canary");
    let bytes = read_all(&mut body).await;
    let mut stream = respond.send_response(answer(200), false).unwrap();
    stream.send_data(Bytes::from(bytes), true).unwrap();
}

#[tokio::test]
async fn calls_share_one_connection_and_give_their_slots_back() {
    let authority = Authority::new();
    let peer = h2_peer(&authority, echoes).await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    for round in 0..3 {
        let mut first = call(&provider).await.unwrap();
        let mut second = call(&provider).await.unwrap();
        assert!(second.reused(), "{round}");
        for call in [&mut first, &mut second] {
            let head = soon(call.head()).await.unwrap();
            assert_eq!(
                (head.status, head.content_type()),
                (200, Some("text/plain"))
            );
            assert_eq!(body(call).await, Ok(b"{\"a\":1}".to_vec()));
        }
        first.release().await;
        drop(second);
        assert_eq!(in_flight(&provider), 0);
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_large_body_goes_out_as_the_windows_allow() {
    let authority = Authority::new();
    let peer = h2_peer(&authority, echoes_length).await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    let parts: Vec<Bytes> = (0..20)
        .map(|n| Bytes::from(vec![b'x'; n * 20_000]))
        .collect();
    let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
    assert_eq!(body(&mut call).await, Ok(b"3800000".to_vec()));
}

async fn echoes_length((request, mut respond): Arrival, _: usize) {
    let length = read_all(&mut request.into_body()).await.len().to_string();
    let mut stream = respond.send_response(answer(200), false).unwrap();
    stream.send_data(Bytes::from(length), true).unwrap();
}

#[tokio::test]
async fn a_dropped_call_resets_its_stream_and_frees_its_slot() {
    let authority = Authority::new();
    let (sender, mut resets) = mpsc::channel(1);
    let peer = h2_peer(
        &authority,
        move |(request, mut respond): Arrival, number| {
            let sender = sender.clone();
            async move {
                read_all(&mut request.into_body()).await;
                let reason = if number % 2 == 0 {
                    std::future::poll_fn(|cx| respond.poll_reset(cx)).await
                } else {
                    let mut stream = respond.send_response(answer(200), false).unwrap();
                    stream
                        .send_data(Bytes::from_static(b"some"), false)
                        .unwrap();
                    std::future::poll_fn(|cx| stream.poll_reset(cx)).await
                };
                sender.send(reason.unwrap()).await.unwrap();
            }
        },
    )
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    // More than one connection could hold, were slots not given back.
    for round in 0..100 {
        let mut call = call(&provider).await.unwrap();
        if round % 2 == 0 {
            assert!(
                timeout(Duration::from_millis(2), call.head())
                    .await
                    .is_err()
            );
        } else {
            assert_eq!(soon(call.chunk()).await.unwrap().unwrap(), "some");
        }
        drop(call);
        assert_eq!(soon(resets.recv()).await, Some(Reason::CANCEL), "{round}");
        assert_eq!(in_flight(&provider), 0);
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_reset_stream_is_an_error_before_and_within_the_answer() {
    let authority = Authority::new();
    let peer = h2_peer(
        &authority,
        |(_request, mut respond): Arrival, number| async move {
            if number == 0 {
                respond.send_reset(Reason::INTERNAL_ERROR);
                return;
            }
            let mut stream = respond.send_response(answer(200), false).unwrap();
            stream
                .send_data(Bytes::from_static(b"some"), false)
                .unwrap();
            tokio::task::yield_now().await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        },
    )
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    assert_eq!(
        ask(&provider).await,
        Err(CallError::Reset(Phase::BeforeHead))
    );
    let within = ask(&provider).await.unwrap_err();
    let resets = [
        CallError::Reset(Phase::AfterHead),
        CallError::Reset(Phase::BeforeHead),
    ];
    assert!(resets.contains(&within), "{within}");
}

#[tokio::test]
async fn a_refused_stream_is_sent_once_more_for_free() {
    let authority = Authority::new();
    let peer = h2_peer(
        &authority,
        |(request, mut respond): Arrival, number| async move {
            if number == 0 || number > 1 {
                respond.send_reset(Reason::REFUSED_STREAM);
                return;
            }
            echoes((request, respond), number).await;
        },
    )
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    let mut first = call(&provider).await.unwrap();
    assert_eq!(soon(first.head()).await.unwrap().status, 200);
    assert_eq!(first.retries(), 1);
    drop(first);
    assert_eq!(
        ask(&provider).await,
        Err(CallError::Reset(Phase::BeforeHead))
    );
}

#[tokio::test]
async fn a_pooled_connection_that_went_away_is_replaced() {
    let authority = Authority::new();
    let acceptor = authority.server(&named(NAME), &[b"h2"]);
    let peer = tls_peer(acceptor, |stream| async move {
        let mut connection: Connection<TlsStream<TcpStream>, Bytes> =
            handshake(stream).await.unwrap();
        let arrival = connection.accept().await.unwrap().unwrap();
        tokio::spawn(echoes(arrival, 0));
        // The second request is read and never answered: the connection ends under it.
        let _second = connection.accept().await;
    })
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    assert_eq!(ask(&provider).await, Ok((200, b"{\"a\":1}".to_vec())));
    let mut second = call(&provider).await.unwrap();
    assert!(second.reused());
    assert_eq!(soon(second.head()).await.unwrap().status, 200);
    assert_eq!((second.retries(), peer.accepted()), (1, 2));
}

#[tokio::test]
async fn an_early_refusal_of_a_large_body_is_the_answer() {
    let authority = Authority::new();
    let peer = h2_peer(
        &authority,
        |(_request, mut respond): Arrival, _| async move {
            let mut stream = respond.send_response(answer(413), false).unwrap();
            stream.send_data(Bytes::from_static(b"big"), true).unwrap();
            // The body is never read: the window stays shut.
            std::future::poll_fn(|cx| stream.poll_reset(cx))
                .await
                .unwrap();
        },
    )
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    let parts = vec![Bytes::from(vec![b'x'; 1 << 20]); 8];
    for _ in 0..2 {
        let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
        assert_eq!(soon(call.head()).await.unwrap().status, 413);
        assert_eq!(body(&mut call).await, Ok(b"big".to_vec()));
        call.release().await;
    }
}

#[tokio::test]
async fn a_peer_that_opens_no_window_ends_in_a_write_timeout() {
    let authority = Authority::new();
    let peer = h2_peer(&authority, |arrival: Arrival, _| async move {
        let _unread = arrival;
        std::future::pending::<()>().await;
    })
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    let parts = [Bytes::from(vec![b'x'; 1 << 20])];
    let bounds = CallBounds {
        write: Duration::from_millis(50),
        ..BOUNDS
    };
    let result = soon(provider.call(outgoing(&parts), bounds)).await;
    assert_eq!(result.err(), Some(CallError::WriteTimeout));
    assert_eq!(in_flight(&provider), 0);
}

#[tokio::test]
async fn a_peer_that_does_not_offer_it_is_spoken_to_in_http_1() {
    let authority = Authority::new();
    let acceptor = authority.server(&named(NAME), &[b"http/1.1"]);
    let peer = tls_peer(acceptor, |mut stream| async move {
        while read_request(&mut stream).await.is_some() {
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    for _ in 0..3 {
        assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_connection_that_said_goodbye_is_left_without_an_error() {
    let authority = Authority::new();
    let acceptor = authority.server(&named(NAME), &[b"h2"]);
    let peer = tls_peer(acceptor, |stream| async move {
        let mut connection: Connection<TlsStream<TcpStream>, Bytes> =
            handshake(stream).await.unwrap();
        let arrival = connection.accept().await.unwrap().unwrap();
        tokio::spawn(echoes(arrival, 0));
        connection.graceful_shutdown();
        while connection.accept().await.is_some() {}
    })
    .await;
    let provider = raise(&offering_h2(&[peer.address], &authority));
    for calls in 1..=5 {
        assert_eq!(
            ask(&provider).await,
            Ok((200, b"{\"a\":1}".to_vec())),
            "{calls}"
        );
    }
}
