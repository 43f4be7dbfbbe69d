//! Caps, and how a listener stops.

use super::*;

#[tokio::test]
async fn a_connection_over_the_cap_is_closed_at_once_and_counted() {
    let server = Server::start(Limits {
        connections: 1,
        ..Limits::default()
    });
    let mut first = server.connect().await;
    first.send(post("/echo", "one").as_bytes()).await;
    first.until("one").await;
    let mut second = server.connect().await;
    assert_eq!(second.rest().await, "");
    let counts = server.connections.snapshot();
    assert_eq!((counts.open, counts.refused_over_cap), (1, 1));
    drop(first);
    within(server.connections.drained()).await;
    let mut third = server.connect().await;
    third.send(post("/echo", "three").as_bytes()).await;
    third.until("three").await;
}

#[tokio::test]
async fn a_cap_that_is_lowered_holds_for_the_next_connection() {
    let server = Server::start(Limits::default());
    server.limits.store(Arc::new(Limits {
        connections_per_address: 0,
        ..Limits::default()
    }));
    assert_eq!(server.connect().await.rest().await, "");
    assert_eq!(
        server.connections.snapshot().refused_over_cap_per_address,
        1
    );
}

#[tokio::test]
async fn a_stop_closes_idle_connections_at_once_and_lets_running_requests_finish() {
    let mut server = Server::start(Limits::default());
    let mut fresh = server.connect().await;
    let mut idle = server.connect().await;
    idle.send(post("/echo", "one").as_bytes()).await;
    idle.until("one").await;
    let mut running = server.connect().await;
    running.send(post("/late", "two").as_bytes()).await;
    assert_eq!(server.saw().await, Seen::Request("/echo 3".to_owned()));
    assert_eq!(server.saw().await, Seen::Request("/late 3".to_owned()));

    server.stop.send(true).unwrap();
    assert_eq!(fresh.rest().await, "");
    assert_eq!(idle.rest().await, "");
    within(server.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());

    server.app.release.notify_one();
    let answer = running.until("two").await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert_eq!(running.rest().await, "");
    within(server.connections.drained()).await;
}

#[tokio::test]
async fn a_head_under_way_at_the_stop_is_still_served() {
    let mut server = Server::start(Limits::default());
    let mut client = server.connect().await;
    client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\n").await;
    // A second connection proves that the first one's bytes have been read.
    while server.connections.snapshot().accepted == 0 {
        tokio::task::yield_now().await;
    }
    let mut other = server.connect().await;
    other.send(post("/echo", "").as_bytes()).await;
    server.saw().await;
    server.stop.send(true).unwrap();
    within(server.serving).await.unwrap().unwrap();
    client.send(b"Content-Length: 3\r\n\r\none").await;
    let answer = client.rest().await;
    assert!(answer.ends_with("one"), "{answer}");
}

#[tokio::test]
async fn the_any_address_of_ipv6_takes_ipv4_too() {
    let settings = ListenerSettings {
        address: "[::]:0".parse().unwrap(),
        tls: None,
    };
    let Ok(listener) = Listener::bind(&settings) else {
        // A machine without IPv6.
        return;
    };
    let port = listener.local_addr().unwrap().port();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    TcpStream::connect(("::1", port)).await.unwrap();
}

#[test]
fn a_waiting_connection_costs_less_than_a_kibibyte_of_ours() {
    assert!(size_of::<Guard>() <= 1_024, "{}", size_of::<Guard>());
}
