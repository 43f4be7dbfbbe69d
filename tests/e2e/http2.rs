//! Over HTTP/2: an early answer reaches a client that sends its whole body before it looks.

use std::fs::{self, Permissions};
use std::future::{Future, poll_fn};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use bytes::Bytes;
use h2::SendStream;
use h2::client::SendRequest;
use rcgen::CertifiedKey;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{PATIENCE, World};

/// More than an HTTP/2 window holds.
const LONG: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_after_it_was_sent() {
    let (_files, world, client) = stage("limits: { body: 256KiB }").await;
    let (status, text) = upload(client, LONG).await;
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("262144 bytes"), "{text}");
    assert!(world.sim.journal().entries().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_a_long_body_is_refused_after_it_was_sent() {
    let keys = "allow_literal_secrets: true\n\
                keys: [{ name: app, secret: sk-0123456789abcdef0123456789 }]";
    let (_files, _world, client) = stage(keys).await;
    let (status, text) = upload(client, LONG).await;
    assert_eq!(status, 401, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_that_never_ends_is_given_up() {
    let (_files, _world, client) = stage("limits: { body: 256KiB }").await;
    let mut client = within(client.ready()).await.unwrap();
    let (answer, mut body) = client.send_request(head(), false).unwrap();
    send(&mut body, LONG / 2).await;
    assert_eq!(within(answer).await.unwrap().status(), 413);
    let reset = within(poll_fn(|cx| body.poll_reset(cx))).await.unwrap();
    assert_eq!(reset, h2::Reason::NO_ERROR);
}

/// An edge with TLS, and a connection to it.
async fn stage(extra: &str) -> (TempDir, World, SendRequest<Bytes>) {
    let files = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (files.path().join("chain.pem"), files.path().join("key.pem"));
    fs::write(&chain, cert.pem()).unwrap();
    fs::write(&key, signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let world = World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\", tls: {{ certificate: \"{}\", key: \"{}\" }} }}]\n\
             admin: off\nlog: {{ access: off }}\n\
             providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
             routes: {{ model: sim/m }}\n{extra}\n",
            chain.display(),
            key.display(),
        )
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(world.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = within(TlsConnector::from(Arc::new(tls)).connect(name, stream));
    let (client, connection) = within(h2::client::handshake(stream.await.unwrap()))
        .await
        .unwrap();
    tokio::spawn(connection);
    (files, world, client)
}

fn head() -> http::Request<()> {
    http::Request::post("https://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(())
        .unwrap()
}

/// Sends a request, and reads nothing of its answer before all of it is sent.
async fn upload(client: SendRequest<Bytes>, length: usize) -> (u16, String) {
    let mut client = within(client.ready()).await.unwrap();
    let mut head = head();
    head.headers_mut().insert("content-length", length.into());
    let (answer, mut body) = client.send_request(head, false).unwrap();
    send(&mut body, length).await;
    body.send_data(Bytes::new(), true).unwrap();
    let answer = within(answer).await.unwrap();
    let status = answer.status().as_u16();
    let mut answer = answer.into_body();
    let mut text = Vec::new();
    while let Some(bytes) = within(answer.data()).await {
        text.extend_from_slice(&bytes.unwrap());
    }
    (status, String::from_utf8(text).unwrap())
}

/// Sends as the other side makes room.
async fn send(body: &mut SendStream<Bytes>, mut length: usize) {
    while length > 0 {
        body.reserve_capacity(length);
        let room = within(poll_fn(|cx| body.poll_capacity(cx))).await;
        let room = room.expect("the stream is open").unwrap();
        body.send_data(Bytes::from(vec![b' '; room]), false)
            .unwrap();
        length -= room;
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}
