//! What an earlier handshake is worth later: tickets, and client certificates that were revoked since.

use std::path::Path;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};

use super::Secure;
use crate::edge_stage::{Authority, ask, call, metric, page};

const MODELS: &[u8] = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

static OLD: &[&SupportedProtocolVersion] = &[&TLS12];
static NEW: &[&SupportedProtocolVersion] = &[&TLS13];

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_resumed_until_a_reload_and_served_whole_after_it() {
    for versions in [OLD, NEW] {
        let secure = Secure::new("").await;
        let (address, edge) = (secure.world.address, &secure.world.edge);
        let config = secure.authority.caller().versions(versions).config();
        let mut kinds = Vec::new();
        for turn in 0..6 {
            if turn == 3 {
                edge.reload().unwrap();
            }
            let mut stream = call(config.clone(), address, "localhost").await.unwrap();
            // A ticket comes behind the handshake: an answer has it read.
            let answer = ask(&mut stream, MODELS).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        let (full, resumed) = (HandshakeKind::Full, HandshakeKind::Resumed);
        assert_eq!(kinds, [full, resumed, resumed, full, resumed, resumed]);
    }
}

/// A proxy that demands certificates of an authority whose files are here, with its list.
async fn guarded(here: &Path) -> Secure {
    let here = here.display();
    Secure::new(&format!(
        "    client_ca: {here}/clients.pem\n    client_crl: {here}/clients.crl\n"
    ))
    .await
}

/// An authority whose files are in this folder, with a list that has one number.
fn authority(here: &Path, revoked: u64) -> Authority {
    let clients = Authority::new();
    clients.write_root(here, "clients.pem");
    clients.write_list(here, "clients.crl", &[revoked]);
    clients
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_client_is_refused_from_the_reload_on_also_with_a_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let clients = authority(here, 7);
    let secure = guarded(here).await;
    let (address, edge) = (secure.world.address, &secure.world.edge);
    let caller = |number| {
        secure
            .authority
            .caller()
            .numbered(&clients, number)
            .config()
    };
    let (five, seven) = (caller(5), caller(7));
    let served = async |config: &Arc<ClientConfig>| {
        let answer = match call(config.clone(), address, "localhost").await {
            // In TLS 1.3 the client learns of the refusal only behind its own handshake.
            Ok(mut stream) => ask(&mut stream, MODELS).await,
            Err(error) => Err(error),
        };
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 OK\r\n"))
    };
    assert!(served(&five).await && served(&five).await);
    assert!(!served(&seven).await);

    clients.write_list(here, "clients.crl", &[5]);
    edge.reload().unwrap();
    assert!(!served(&five).await, "revoked since");
    assert!(served(&seven).await, "no longer on the list");

    std::fs::write(here.join("clients.crl"), "").unwrap();
    let why = edge.reload().unwrap_err();
    assert!(why.contains("client_crl: no PEM list in it"), "{why}");
    assert!(!served(&five).await, "the old list stays");
    assert!(served(&seven).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_certificates_and_lists_is_told() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), 7);
    let secure = guarded(folder.path()).await;
    let admin = secure.world.edge.admin_address().unwrap();
    let metrics = page(admin, "/metrics").await;
    let listener = secure.world.address;
    for (series, least) in [
        (
            format!(
                "segue_certificate_not_after_seconds{{listener=\"{listener}\",name=\"localhost\"}}"
            ),
            4.0e9,
        ),
        (
            format!("segue_revocation_list_not_after_seconds{{listener=\"{listener}\"}}"),
            6.0e10,
        ),
    ] {
        let value = metric(metrics.text(), &series);
        assert!(value.is_some_and(|end| end > least), "{series} {value:?}");
    }
    let status = page(admin, "/status").await.json();
    let told = &status["listeners"][0];
    assert_eq!(told["revocation_lists_until"], "4000-01-01T00:00:00.000Z");
    assert_eq!(told["certificates"][0]["name"], "localhost");
}
