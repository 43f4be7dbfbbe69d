//! Handshakes: which certificate, which version, which protocol, who may.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::edge::settings::{CertifiedName, ClientAuth, TlsVersions};

static OLD: &[&SupportedProtocolVersion] = &[&TLS12];
static NEW: &[&SupportedProtocolVersion] = &[&TLS13];

/// An authority and what it signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, names: &[&str]) -> Identity {
        let names = names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &self.0)
            .unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        (vec![leaf.der().clone()], key)
    }

    fn certified(&self, names: &[&str]) -> CertifiedName {
        let (chain, key) = self.sign(names);
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).unwrap();
        CertifiedName {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            key: Arc::new(key),
            not_after: 0,
            path: PathBuf::from(names[0]),
        }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// A listener's TLS with three certificates.
    fn listener(&self) -> ListenerTls {
        let names: [&[&str]; 3] = [
            &["default.test"],
            &["*.wild.test", "wild.test"],
            &["exact.wild.test"],
        ];
        ListenerTls {
            certificates: names.iter().map(|names| self.certified(names)).collect(),
            versions: TlsVersions::From12,
            client_auth: ClientAuth::Off,
            revoked: None,
            http2: true,
        }
    }

    fn server(&self, change: impl FnOnce(&mut ListenerTls)) -> Server {
        let mut tls = self.listener();
        change(&mut tls);
        Server::start_with(Limits::default(), Some(tls))
    }

    /// A client's way to connect.
    fn client(&self) -> Caller {
        Caller {
            roots: self.roots(),
            versions: ALL_VERSIONS,
            alpn: Vec::new(),
            identity: None,
        }
    }
}

struct Caller {
    roots: Arc<RootCertStore>,
    versions: &'static [&'static SupportedProtocolVersion],
    alpn: Vec<&'static [u8]>,
    identity: Option<Identity>,
}

impl Caller {
    async fn call(self, server: &Server, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(self.roots);
        let mut config = match self.identity {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|it| it.to_vec()).collect();
        let stream = TcpStream::connect(server.address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    /// Calls and makes one request; in TLS 1.3 only an answer shows that the server agrees.
    async fn ask(self, server: &Server) -> std::io::Result<String> {
        let mut stream = self.call(server, "default.test").await?;
        stream
            .write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await?;
        Ok(answer)
    }
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name_then_wildcard_then_default() {
    let authority = Authority::new();
    let server = authority.server(|_| {});
    let tls = server.tls.as_ref().unwrap();
    let own: Vec<_> = tls
        .certificates()
        .iter()
        .map(|it| it.key.cert[0].clone())
        .collect();
    for (name, index) in [
        ("default.test", 0),
        ("a.wild.test", 1),
        ("wild.test", 1),
        ("exact.wild.test", 2),
        ("EXACT.wild.TEST", 2),
    ] {
        let stream = authority.client().call(&server, name).await.unwrap();
        let got = &stream.get_ref().1.peer_certificates().unwrap()[0];
        assert_eq!(*got, own[index], "{name}");
    }
    for unknown in ["other.test", "a.b.wild.test", "192.0.2.1"] {
        let error = authority.client().call(&server, unknown).await.unwrap_err();
        // The client refuses it, and says whose it was.
        let default = r#"only valid for DnsName("default.test")"#;
        assert!(error.to_string().contains(default), "{unknown}: {error}");
    }
}

#[tokio::test]
async fn http1_is_served_over_both_versions() {
    let authority = Authority::new();
    let server = authority.server(|_| {});
    for versions in [OLD, NEW] {
        let answer = Caller {
            versions,
            ..authority.client()
        }
        .ask(&server)
        .await
        .unwrap();
        assert_eq!(status(&answer), "200", "{answer}");
    }
    within(server.connections.drained()).await;
}

#[tokio::test]
async fn a_floor_of_1_3_refuses_1_2_and_counts_it() {
    let authority = Authority::new();
    let server = authority.server(|tls| tls.versions = TlsVersions::Only13);
    let old = Caller {
        versions: OLD,
        ..authority.client()
    };
    assert!(old.ask(&server).await.is_err());
    assert!(authority.client().ask(&server).await.is_ok());
    within(server.connections.drained()).await;
    assert_eq!(server.connections.snapshot().handshake_failures, 1);
}

#[tokio::test]
async fn the_protocol_is_agreed_upon_and_a_foreign_one_refused() {
    let authority = Authority::new();
    let both: Vec<&[u8]> = vec![b"h2", b"http/1.1"];
    for (http2, alpn, agreed) in [
        (true, both.clone(), Some(&b"h2"[..])),
        (false, both, Some(b"http/1.1")),
        (true, vec![&b"http/1.1"[..]], Some(b"http/1.1")),
        (true, vec![], None),
    ] {
        let server = authority.server(|tls| tls.http2 = http2);
        let caller = Caller {
            alpn,
            ..authority.client()
        };
        let stream = caller.call(&server, "default.test").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
    }
    let server = authority.server(|_| {});
    let foreign = Caller {
        alpn: vec![b"h3"],
        ..authority.client()
    };
    assert!(foreign.call(&server, "default.test").await.is_err());
}

#[tokio::test]
async fn http2_requests_are_served_side_by_side() {
    let authority = Authority::new();
    let mut server = authority.server(|_| {});
    let caller = Caller {
        alpn: vec![b"h2"],
        ..authority.client()
    };
    let stream = caller.call(&server, "default.test").await.unwrap();
    let (client, connection) = within(h2::client::handshake(stream)).await.unwrap();
    let driving = tokio::spawn(connection);
    let mut client = within(client.ready()).await.unwrap();
    let mut answers = Vec::new();
    for path in ["late", "echo"] {
        let request = http::Request::post(format!("https://default.test/{path}"))
            .body(())
            .unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        body.send_data(Bytes::from(path), true).unwrap();
        answers.push(answer);
    }
    let (late, echo) = (answers.remove(0), answers.remove(0));
    assert_eq!(within(echo).await.unwrap().status(), 200);
    server.saw().await;
    server.app.release.notify_one();
    let mut late = within(late).await.unwrap().into_body();
    assert_eq!(within(late.data()).await.unwrap().unwrap(), "late");
    server.stop.send(true).unwrap();
    drop((client, late));
    let _ = within(driving).await.unwrap();
    within(server.connections.drained()).await;
}

#[tokio::test]
async fn an_http2_client_that_says_nothing_or_something_else_is_closed() {
    let authority = Authority::new();
    let server = authority.server(|_| {});
    let caller = || Caller {
        alpn: vec![b"h2"],
        ..authority.client()
    };
    let mut other = caller().call(&server, "default.test").await.unwrap();
    other
        .write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let _ = within(other.read_to_end(&mut Vec::new())).await;
    server.limits.store(Arc::new(Limits {
        head_time: Duration::from_millis(300),
        ..Limits::default()
    }));
    if let Ok(mut silent) = caller().call(&server, "default.test").await {
        let _ = within(silent.read_to_end(&mut Vec::new())).await;
    }
    within(server.connections.drained()).await;
    assert_eq!(server.connections.snapshot().handshake_failures, 2);
}

#[tokio::test]
async fn a_handshake_that_never_begins_is_ended() {
    let authority = Authority::new();
    let limits = Limits {
        head_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Server::start_with(limits, Some(authority.listener()));
    let mut client = server.connect().await;
    assert_eq!(client.rest().await, "");
    within(server.connections.drained()).await;
    assert_eq!(server.connections.snapshot().handshake_failures, 1);
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_closed_and_counted() {
    let server = Authority::new().server(|_| {});
    let mut client = server.connect().await;
    client.send(post("/echo", "").as_bytes()).await;
    let _ = within(client.0.read_to_end(&mut Vec::new())).await;
    within(server.connections.drained()).await;
    assert_eq!(server.connections.snapshot().handshake_failures, 1);
}

#[tokio::test]
async fn client_certificates_are_judged_as_the_listener_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let roots = authority.roots();
    let modes = [
        (ClientAuth::Off, [true, true, true]),
        (
            ClientAuth::Optional(Arc::clone(&roots)),
            [true, true, false],
        ),
        (ClientAuth::Required(roots), [false, true, false]),
    ];
    for (mode, served) in modes {
        let server = authority.server(|tls| tls.client_auth = mode.clone());
        let known = authority.sign(&["app"]);
        let foreign = stranger.sign(&["app"]);
        let identities = [None, Some(known), Some(foreign)];
        for (case, (identity, served)) in identities.into_iter().zip(served).enumerate() {
            let caller = Caller {
                identity,
                ..authority.client()
            };
            let answer = caller.ask(&server).await;
            let answered = answer
                .as_deref()
                .is_ok_and(|answer| status(answer) == "200");
            assert_eq!(answered, served, "{mode:?} case {case}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_swap_holds_for_the_next_handshake_and_spares_open_connections() {
    let authority = Authority::new();
    let server = authority.server(|_| {});
    let mut open = authority
        .client()
        .call(&server, "default.test")
        .await
        .unwrap();
    let tls = server.tls.as_ref().unwrap();
    let mut next = authority.listener();
    next.client_auth = ClientAuth::Required(authority.roots());
    tls.swap(Tls::prepare(&next).unwrap());

    assert!(authority.client().ask(&server).await.is_err());
    let identity = Some(authority.sign(&["app"]));
    let known = Caller {
        identity,
        ..authority.client()
    };
    let stream = known.call(&server, "default.test").await.unwrap();
    let got = &stream.get_ref().1.peer_certificates().unwrap()[0];
    assert_eq!(*got, tls.certificates()[0].key.cert[0]);

    open.write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    within(open.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(status(&answer), "200", "{answer}");
}

#[tokio::test]
async fn what_cannot_be_served_cannot_be_prepared() {
    let authority = Authority::new();
    let server = authority.server(|_| {});
    let tls = server.tls.as_ref().unwrap();
    let before = tls.certificates()[0].key.cert[0].clone();
    Tls::prepare(&ListenerTls {
        certificates: Vec::new(),
        ..authority.listener()
    })
    .unwrap_err();
    let empty = ClientAuth::Required(Arc::new(RootCertStore::empty()));
    Tls::prepare(&ListenerTls {
        client_auth: empty,
        ..authority.listener()
    })
    .unwrap_err();
    assert_eq!(tls.certificates()[0].key.cert[0], before);
    assert!(authority.client().ask(&server).await.is_ok());
}
