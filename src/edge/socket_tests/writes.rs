//! What leaves together.

use super::*;

#[tokio::test]
async fn head_and_body_of_a_whole_answer_are_one_segment() {
    let server = Server::start(Limits::default());
    let mut client = server.connect().await;
    for answers in 1..4 {
        client.send(post("/echo", "0123456789").as_bytes()).await;
        client.until("0123456789").await;
        assert_eq!(client.segments(), answers);
    }
}

#[tokio::test]
async fn the_head_of_a_stream_leaves_with_its_first_frame_and_each_frame_alone() {
    let server = Server::start(Limits::default());
    let mut client = server.connect().await;
    client.send(post("/stream", "").as_bytes()).await;
    let first = client.until("data: 1\n\n\r\n").await;
    assert_eq!(status(&first), "200", "{first}");
    for (segments, end) in [
        (1, "data: 2\n\n\r\n"),
        (2, "data: 3\n\n\r\n"),
        (3, "0\r\n\r\n"),
    ] {
        assert_eq!(client.segments(), segments);
        server.app.release.notify_one();
        client.until(end).await;
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up() {
    let limits = Limits {
        client_write: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Server::start(limits);
    let mut client = server.connect().await;
    let body = "x".repeat(16 << 20);
    client.send(post("/echo", &body).as_bytes()).await;
    within(server.connections.drained()).await;
}
