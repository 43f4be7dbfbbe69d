//! What the relay's tests share: routes by the patience they have, and the truth to compare with.

use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Client, World, post};

/// Asks for one document.
pub const WHOLE: &str = "";
/// Asks for a stream.
pub const STREAM: &str = "\"stream\":true,";
/// Asks for a stream that tells the usage.
pub const STREAM_USAGE: &str = "\"stream\":true,\"stream_options\":{\"include_usage\":true},";

/// The mark in every token and in every error's words: what must not get out with a failure.
pub const MARK: &str = "zebra";

/// A world over the simulator whose routes are as given, one a line.
pub async fn world(routes: &str, limits: &str) -> World {
    let routes = routes.replace('\n', "\n  ");
    World::with(|provider| {
        format!(
            "listen: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             log: {{ access: off }}\nallow_literal_secrets: true\n\
             providers:\n  sim:\n    dialect: openai\n    base_url: \"http://{provider}/v1\"\n    \
             private_peers: true\n    credential: sk-provider-secret\n\
             routes:\n  model: sim/m\n  {routes}\nlimits: {{ {limits} }}\n"
        )
    })
    .await
}

/// A chat request for a route.
pub fn chat(route: &str, extra: &str) -> Vec<u8> {
    post("/v1/chat/completions", "", &body(route, extra))
}

/// Its body.
pub fn body(route: &str, extra: &str) -> String {
    format!(
        "{{{extra}\"model\":\"{route}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
    )
}

/// What the provider itself says to the very request that the proxy sent it last.
pub async fn truth(world: &World) -> Answer {
    let entry = world.sim.journal().entries().last().cloned().unwrap();
    let body = std::str::from_utf8(entry.body()).unwrap();
    let mut direct = Client::connect(world.sim.address()).await;
    direct.send(&post("/v1/chat/completions", "", body)).await;
    direct.answer().await
}

/// An answer's text without what differs between two equal requests: the number in its id.
pub fn plain(answer: &Answer) -> String {
    let mut parts = answer.text().split("chatcmpl-sim-");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        text + "chatcmpl-sim-N" + part.trim_start_matches(|letter: char| letter.is_ascii_digit())
    })
}

/// The frames of a stream's text.
pub fn frames(text: &str) -> Vec<&str> {
    let mut frames = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = ["\n\n", "\r\n\r\n"]
            .iter()
            .filter_map(|blank| Some(rest.find(blank)? + blank.len()))
            .min()
            .unwrap_or(rest.len());
        let (frame, after) = rest.split_at(end);
        frames.push(frame);
        rest = after;
    }
    frames
}

/// Whether a frame tells nothing but the usage.
pub fn is_usage(frame: &str) -> bool {
    frame.contains("\"choices\":[],\"usage\":{")
}

/// A page of the admin listener, as JSON.
pub async fn status(admin: SocketAddr) -> Value {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET /status HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Waits until the proxy carries nothing. Its counters ring no bell: they are looked at.
pub async fn until_idle(admin: SocketAddr) {
    let idle = async {
        loop {
            let status = status(admin).await;
            if status["exchanges_in_flight"] == 0 && status["buffered_bytes"] == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, idle)
        .await
        .expect("an idle proxy");
}

/// A world behind TLS, and a client of HTTP/2 for it.
pub async fn world_h2(limits: &str) -> (World, h2::client::SendRequest<Bytes>, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (chain, key) = (chain.display(), key.display());
    let world = World::with(|provider| {
        format!(
            "listen:\n  - address: \"127.0.0.1:0\"\n    tls: {{ certificate: \"{chain}\", key: \"{key}\" }}\n\
             admin: {{ address: \"127.0.0.1:0\" }}\nlog: {{ access: off }}\n\
             providers: {{ sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }} }}\n\
             routes: {{ model: sim/m, beside: sim/beside }}\nlimits: {{ {limits} }}\n"
        )
    })
    .await;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from(made.cert.der().to_vec()))
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(world.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    let (client, connection) = h2::client::handshake(tls).await.unwrap();
    tokio::spawn(connection);
    (world, client.ready().await.unwrap(), folder)
}

/// Sends a chat request; the half that stays is what resets it.
pub fn ask_h2(
    client: &mut h2::client::SendRequest<Bytes>,
    route: &str,
    how: &str,
) -> (
    impl Future<Output = Result<http::Response<h2::RecvStream>, h2::Error>> + use<>,
    h2::SendStream<Bytes>,
) {
    let request = http::Request::post("https://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let (response, mut sending) = client.send_request(request, false).unwrap();
    sending
        .send_data(Bytes::from(body(route, how)), true)
        .unwrap();
    (response, sending)
}
