//! Handshakes: which certificate, which version, which protocol, who may.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::Secure;
use crate::edge_stage::{Authority, Http2, ask, leaf, metric, page};

const MODELS: &[u8] = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

const NONE: &[&[u8]] = &[];
const HTTP1: &[&[u8]] = &[b"http/1.1"];

static OLD: &[&SupportedProtocolVersion] = &[&TLS12];
static NEW: &[&SupportedProtocolVersion] = &[&TLS13];

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_serve_both_protocols() {
    let secure = Secure::new("").await;
    for versions in [OLD, NEW] {
        let caller = secure.authority.caller().versions(versions);
        for (offered, agreed) in [(NONE, None), (HTTP1, HTTP1.first().copied())] {
            let mut stream = caller
                .clone()
                .alpn(offered)
                .call(secure.world.address, "localhost")
                .await
                .unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
            let answer = ask(&mut stream, MODELS).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        let stream = caller
            .alpn(&[b"h2", b"http/1.1"])
            .call(secure.world.address, "localhost")
            .await
            .unwrap();
        let answer = Http2::over(stream).await.chat("").await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_may_refuse_the_older_version_and_the_newer_protocol() {
    let secure = Secure::new("    min_version: \"1.3\"\n    http2: false\n").await;
    let caller = secure.authority.caller();
    let address = secure.world.address;
    let old = caller
        .clone()
        .versions(OLD)
        .call(address, "localhost")
        .await;
    assert!(old.is_err());
    let new = caller
        .clone()
        .versions(NEW)
        .call(address, "localhost")
        .await;
    assert!(new.is_ok());
    let both = caller.alpn(&[b"h2", b"http/1.1"]);
    let stream = both.call(address, "localhost").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_chosen_by_the_name_asked_for() {
    let secure = Secure::new("").await;
    // A caller checks the name, so that a handshake is the proof.
    for name in ["localhost", "first.test", "second.test", "a.wild.test"] {
        let stream = secure
            .authority
            .caller()
            .call(secure.world.address, name)
            .await;
        assert!(stream.is_ok(), "{name}");
    }
    for name in ["a.b.wild.test", "wild.test", "unknown.test"] {
        let stream = secure
            .authority
            .caller()
            .call(secure.world.address, name)
            .await;
        let error = stream.err().unwrap().to_string();
        assert!(error.contains("certificate"), "{name}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_demanded_or_only_judged() {
    for (mode, without) in [("required", false), ("optional", true)] {
        let clients = Authority::new();
        let strangers = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        clients.write_root(folder.path(), "clients.pem");
        let tls = format!(
            "    client_ca: {}/clients.pem\n    client_auth: {mode}\n",
            folder.path().display()
        );
        let secure = Secure::new(&tls).await;
        let caller = secure.authority.caller();
        for (who, caller, served) in [
            (
                "a client of theirs",
                caller.clone().identity(&clients),
                true,
            ),
            ("a stranger", caller.clone().identity(&strangers), false),
            ("nobody", caller, without),
        ] {
            let answer = match caller.call(secure.world.address, "localhost").await {
                // In TLS 1.3 the client learns of the refusal only behind its own handshake.
                Ok(mut stream) => ask(&mut stream, MODELS).await,
                Err(error) => Err(error),
            };
            let got = answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 OK\r\n"));
            assert_eq!(got, served, "{mode}: {who}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_is_closed_and_counted() {
    let secure = Secure::new("").await;
    for bytes in [
        MODELS,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"\x16\x03\x01\xff\xff\x01",
        b"SSH-2.0-x\r\n",
    ] {
        let mut client = secure.world.client().await;
        client.send(bytes).await;
        if bytes.starts_with(b"\x16") {
            tokio::io::AsyncWriteExt::shutdown(&mut client.stream)
                .await
                .unwrap();
        }
        let answer = client.rest().await;
        // At most a TLS alert, never a word of HTTP.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
    let metrics = page(secure.world.edge.admin_address().unwrap(), "/metrics").await;
    let refused = "segue_connections_refused_total{reason=\"handshake\"}";
    assert_eq!(metric(metrics.text(), refused), Some(4.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_swap_at_a_reload_and_running_streams_go_on() {
    let secure = Secure::new("").await;
    let address = secure.world.address;
    secure.world.script("tokens=40,stall@20=300ms");
    let caller = secure.authority.caller();
    let before = caller.call(address, "localhost").await.unwrap();
    let old = leaf(&before);
    let stream = caller
        .clone()
        .alpn(&[b"h2"])
        .call(address, "localhost")
        .await
        .unwrap();
    let running = Http2::over(stream).await;
    let (answer, _request) = running.ask("\"stream\":true,").await;
    let mut answer = answer.await.unwrap();
    assert!(answer.body_mut().data().await.unwrap().is_ok());

    let new = secure
        .authority
        .write(secure.folder.path(), "first", &["localhost", "first.test"]);
    secure.world.edge.reload().unwrap();
    assert_ne!(old, new);
    let stream = caller.call(address, "localhost").await.unwrap();
    assert_eq!(leaf(&stream), new);

    let mut body = Vec::new();
    while let Some(piece) = answer.body_mut().data().await {
        body.extend_from_slice(&piece.unwrap());
    }
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(
        running.chat("").await.status,
        200,
        "the old connection lives"
    );

    let status = page(secure.world.edge.admin_address().unwrap(), "/status").await;
    assert_eq!(status.json()["generation"]["number"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_does_not_match_is_refused_and_the_old_one_stays() {
    let secure = Secure::new("").await;
    let caller = secure.authority.caller();
    let address = secure.world.address;
    let old = leaf(&caller.call(address, "localhost").await.unwrap());
    let folder = secure.folder.path();
    std::fs::copy(folder.join("second.key"), folder.join("first.key")).unwrap();
    let why = secure.world.edge.reload().unwrap_err();
    assert!(why.contains("first.key") || why.contains("key"), "{why}");
    assert_eq!(leaf(&caller.call(address, "localhost").await.unwrap()), old);
    std::fs::remove_file(folder.join("first.pem")).unwrap();
    let why = secure.world.edge.reload().unwrap_err();
    assert!(why.contains("first.pem"), "{why}");
    assert_eq!(leaf(&caller.call(address, "localhost").await.unwrap()), old);
}
