//! TLS towards providers: who is trusted, and what an untrusted one gets to see.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;

pub(super) const NAME: &str = "sim.example";

/// A private authority.
pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// What a server shows.
    pub(super) fn server(&self, params: &CertificateParams, alpn: &[&[u8]]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        acceptor(certificate.der().clone(), &key, alpn)
    }
}

pub(super) fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair, alpn: &[&[u8]]) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A peer that keeps what it was told, then runs its script. Failed handshakes run none.
pub(super) async fn tls_peer<F>(
    acceptor: TlsAcceptor,
    script: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
) -> Script
where
    F: Future<Output = ()> + Send + 'static,
{
    Script::run(move |stream, _| {
        let (acceptor, script) = (acceptor.clone(), script.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                script(stream).await;
            }
        }
    })
    .await
}

pub(super) fn secure(peers: &[SocketAddr], authority: &Authority) -> ProviderSpec {
    let mut spec = spec(peers);
    spec.base.scheme = Scheme::Https;
    spec.base.port = 443;
    spec.pool.tls = Some(TlsSpec {
        name: NAME.to_owned(),
        ca: Some(vec![authority.certificate.clone()]),
        http2: false,
    });
    spec
}

#[tokio::test]
async fn a_provider_with_a_certificate_of_its_private_authority_is_called_and_reused() {
    let authority = Authority::new();
    let peer = tls_peer(
        authority.server(&named(NAME), &[]),
        |mut stream| async move {
            while let Some((head, _)) = read_request(&mut stream).await {
                assert!(head.contains("\r\nhost: sim.example\r\n"), "{head}");
                assert!(head.contains("\r\nauthorization: Bearer sk-canary\r\n"));
                stream.write_all(OK).await.unwrap();
            }
        },
    )
    .await;
    let provider = raise(&secure(&[peer.address], &authority));
    for _ in 0..3 {
        assert_eq!(ask(&provider).await, Ok((200, b"ok".to_vec())));
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn an_https_provider_is_never_spoken_to_in_the_clear() {
    let peer = Script::run(|mut stream, _| async move {
        let mut hello = [0; 4096];
        let read = stream.read(&mut hello).await.unwrap();
        assert_eq!(hello[..read].first(), Some(&22), "a handshake record");
        stream.write_all(OK).await.unwrap();
    })
    .await;
    let mut spec = spec(&[peer.address]);
    spec.base.scheme = Scheme::Https;
    assert_eq!(ask(&raise(&spec)).await, Err(CallError::Tls));
}

#[tokio::test]
async fn an_empty_list_of_authorities_trusts_nobody() {
    let authority = Authority::new();
    let peer = tls_peer(authority.server(&named(NAME), &[]), stays_open).await;
    let mut spec = secure(&[peer.address], &authority);
    if let Some(tls) = &mut spec.pool.tls {
        tls.ca = Some(Vec::new());
    }
    assert_eq!(ask(&raise(&spec)).await, Err(CallError::Tls));
}

#[tokio::test]
async fn a_peer_that_accepts_and_never_speaks_tls_costs_a_share_of_the_budget() {
    let authority = Authority::new();
    let silent = Script::run(|stream, _| stays_open(stream)).await;
    let good = tls_peer(
        authority.server(&named(NAME), &[]),
        |mut stream| async move {
            while read_request(&mut stream).await.is_some() {
                stream.write_all(OK).await.unwrap();
            }
        },
    )
    .await;
    let bounds = CallBounds {
        connect: Duration::from_millis(600),
        ..BOUNDS
    };
    let provider = raise(&secure(&[silent.address, good.address], &authority));
    for _ in 0..2 {
        let mut call = soon(provider.call(outgoing(&[]), bounds)).await.unwrap();
        assert_eq!(soon(call.head()).await.unwrap().status, 200);
        assert_eq!(call.peer_address(), good.address);
    }
    assert_eq!(silent.accepted(), 1);

    let alone = raise(&secure(&[silent.address], &authority));
    let bounds = CallBounds {
        connect: Duration::from_millis(50),
        ..BOUNDS
    };
    let result = soon(alone.call(outgoing(&[]), bounds)).await;
    assert_eq!(result.err(), Some(CallError::ConnectTimeout));
}

#[tokio::test]
async fn a_body_that_ends_without_a_close_notify_is_cut_short() {
    let authority = Authority::new();
    let peer = tls_peer(
        authority.server(&named(NAME), &[]),
        |mut stream| async move {
            read_request(&mut stream).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf")
                .await
                .unwrap();
            stream.flush().await.unwrap();
            // The socket is closed under the TLS stream, as a middlebox would.
            stream.get_mut().0.shutdown().await.unwrap();
            stays_open(stream).await;
        },
    )
    .await;
    let provider = raise(&secure(&[peer.address], &authority));
    assert_eq!(
        ask(&provider).await,
        Err(CallError::Closed(Phase::AfterHead))
    );
}

#[tokio::test]
async fn an_early_refusal_is_the_answer_over_tls_too() {
    let authority = Authority::new();
    let peer = tls_peer(
        authority.server(&named(NAME), &[]),
        |mut stream| async move {
            let mut some = [0; 1024];
            stream.read_exact(&mut some).await.unwrap();
            let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
            stream.write_all(answer).await.unwrap();
            stream.flush().await.unwrap();
            std::future::pending::<()>().await;
        },
    )
    .await;
    let provider = raise(&secure(&[peer.address], &authority));
    let parts = vec![Bytes::from(vec![b'x'; 1 << 20]); 32];
    let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
    assert_eq!(soon(call.head()).await.unwrap().status, 413);
    assert_eq!(body(&mut call).await, Ok(b"big".to_vec()));
}

#[tokio::test]
async fn a_large_body_arrives_whole_over_tls() {
    let authority = Authority::new();
    let peer = tls_peer(
        authority.server(&named(NAME), &[]),
        |mut stream| async move {
            let (_, body) = read_request(&mut stream).await.unwrap();
            let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
            let (sum, length) = (sum.to_string(), sum.to_string().len());
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{sum}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            stays_open(stream).await;
        },
    )
    .await;
    let provider = raise(&secure(&[peer.address], &authority));
    let parts: Vec<Bytes> = (1..=200_u8).map(|n| Bytes::from(vec![n; 10_000])).collect();
    let mut call = soon(provider.call(outgoing(&parts), BOUNDS)).await.unwrap();
    assert_eq!(body(&mut call).await, Ok(b"201000000".to_vec()));
}
