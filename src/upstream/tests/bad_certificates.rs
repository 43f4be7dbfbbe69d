//! Certificates that prove nothing: each is refused before the key is sent.

use std::sync::Mutex;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, NameConstraints, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::TlsAcceptor;

use super::tls::{Authority, NAME, named, secure, tls_peer};
use super::*;

/// What a server shows, and the key that it signs with.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Shown {
    /// A server that shows it whether or not its key fits.
    fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let signer = any_supported_type(&key).unwrap();
        let shown = CertifiedKey::new(self.chain.clone(), signer);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        TlsAcceptor::from(Arc::new(config))
    }
}

/// An authority below another, or what passes itself off as one.
struct Between {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Between {
    fn new(params: CertificateParams, above: &Issuer<'static, KeyPair>) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, above).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }
}

fn between(constraint: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(constraint);
    params
        .distinguished_name
        .push(DnType::CommonName, "between");
    params
}

fn signed(params: &CertificateParams, issuer: &Issuer<'static, KeyPair>) -> Shown {
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, issuer).unwrap().der().clone();
    Shown {
        chain: vec![leaf],
        key,
    }
}

/// A leaf with the chain of these authorities behind it.
fn below(params: &CertificateParams, chain: &[&Between]) -> Shown {
    let mut shown = signed(params, &chain[0].issuer);
    let above = chain.iter().map(|between| between.certificate.clone());
    shown.chain.extend(above);
    shown
}

fn changed(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = named(NAME);
    change(&mut params);
    params
}

/// Leaves that a root itself has signed.
fn leaves(root: &Issuer<'static, KeyPair>) -> Vec<(&'static str, Shown)> {
    let expired = changed(|it| {
        (it.not_before, it.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    });
    let future = changed(|it| it.not_before = date_time_ymd(4000, 1, 1));
    let for_clients =
        changed(|it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let authority = changed(|it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let by_common_name = changed(|it| {
        it.subject_alt_names = Vec::new();
        it.distinguished_name.push(DnType::CommonName, NAME);
    });
    let by_address = changed(|it| {
        it.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    });
    let critical = changed(|it| {
        let mut unknown =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        unknown.set_criticality(true);
        it.custom_extensions = vec![unknown];
    });
    let mut forged = signed(&named(NAME), root);
    let mut bytes = forged.chain[0].to_vec();
    // The signature stands last.
    *bytes.last_mut().unwrap() ^= 1;
    forged.chain[0] = bytes.into();
    let mut borrowed = signed(&named(NAME), root);
    borrowed.key = KeyPair::generate().unwrap();
    vec![
        ("another name", signed(&named("other.example"), root)),
        ("the parent's name", signed(&named("example"), root)),
        (
            "a wildcard for a whole top level",
            signed(&named("*.example"), root),
        ),
        (
            "a wildcard of a level too low",
            signed(&named("*.sim.example"), root),
        ),
        ("a common name alone", signed(&by_common_name, root)),
        ("an address alone", signed(&by_address, root)),
        ("expired", signed(&expired, root)),
        ("not yet valid", signed(&future, root)),
        ("made for clients", signed(&for_clients, root)),
        ("an authority as a server", signed(&authority, root)),
        (
            "a critical extension that nobody knows",
            signed(&critical, root),
        ),
        ("changed after it was signed", forged),
        ("another's certificate", borrowed),
    ]
}

/// Leaves of other origin.
fn chains(root: &Issuer<'static, KeyPair>) -> Vec<(&'static str, Shown)> {
    let other = Authority::new();
    let key = KeyPair::generate().unwrap();
    let own = named(NAME).self_signed(&key).unwrap();
    let good = Between::new(between(BasicConstraints::Unconstrained), root);
    let mut old = between(BasicConstraints::Unconstrained);
    (old.not_before, old.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    let old = Between::new(old, root);
    let none = Between::new(named("none.example"), root);
    let short = Between::new(between(BasicConstraints::Constrained(0)), root);
    let too_deep = Between::new(between(BasicConstraints::Unconstrained), &short.issuer);
    let mut elsewhere = between(BasicConstraints::Unconstrained);
    let permitted = GeneralSubtree::DnsName("other.example".to_owned());
    elsewhere.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![permitted],
        excluded_subtrees: Vec::new(),
    });
    let elsewhere = Between::new(elsewhere, root);
    let leaf = named(NAME);
    vec![
        ("another authority", signed(&leaf, &other.issuer)),
        (
            "self-signed",
            Shown {
                chain: vec![own.der().clone()],
                key,
            },
        ),
        (
            "a link of the chain is missing",
            signed(&leaf, &good.issuer),
        ),
        ("a link of the chain has expired", below(&leaf, &[&old])),
        ("signed by what is no authority", below(&leaf, &[&none])),
        (
            "a chain longer than allowed",
            below(&leaf, &[&too_deep, &short]),
        ),
        ("an authority for other names", below(&leaf, &[&elsewhere])),
    ]
}

/// Calls a peer with this acceptor; whether it was spoken to, and all that it heard.
async fn heard_by(
    acceptor: TlsAcceptor,
    authority: &Authority,
) -> (Result<u16, CallError>, Vec<u8>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let peer = tls_peer(acceptor, move |mut stream| {
        let ear = Arc::clone(&ear);
        async move {
            let Some((request, _)) = read_request(&mut stream).await else {
                return;
            };
            ear.lock().unwrap().extend(request.into_bytes());
            let _ = stream.write_all(OK).await;
            stays_open(stream).await;
        }
    })
    .await;
    let provider = raise(&secure(&[peer.address], authority));
    let answer = ask(&provider).await.map(|(status, _)| status);
    assert_eq!(peer.accepted(), 1);
    assert_eq!(in_flight(&provider), 0);
    let heard = heard.lock().unwrap().clone();
    (answer, heard)
}

#[tokio::test]
async fn twenty_certificates_that_prove_nothing_are_refused_before_the_key_is_sent() {
    let authority = Authority::new();
    let root = &authority.issuer;
    let cases: Vec<_> = leaves(root).into_iter().chain(chains(root)).collect();
    assert_eq!(cases.len(), 20);
    for (case, shown) in cases {
        let (answer, heard) = heard_by(shown.acceptor(), &authority).await;
        assert_eq!(answer, Err(CallError::Tls), "{case}");
        assert!(heard.is_empty(), "{case}");
    }
}

#[tokio::test]
async fn what_is_made_the_same_way_and_right_is_called() {
    let authority = Authority::new();
    let root = &authority.issuer;
    let good = Between::new(between(BasicConstraints::Constrained(0)), root);
    for (case, shown) in [
        ("by the root", signed(&named(NAME), root)),
        ("by a chain", below(&named(NAME), &[&good])),
    ] {
        let (answer, heard) = heard_by(shown.acceptor(), &authority).await;
        assert_eq!(answer, Ok(200), "{case}");
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.contains("sk-canary"), "{case}: {heard}");
    }
}

/// A record with a `ServerHello` of TLS 1.1 or less, and a suite of its time.
fn old_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x14, 0]);
    hello
}

#[tokio::test]
async fn versions_before_1_2_are_refused_with_an_alert() {
    let authority = Authority::new();
    for minor in [0, 1, 2] {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let peer = Script::run(move |mut stream, _| {
            let ear = Arc::clone(&ear);
            async move {
                let mut bytes = vec![0; 4096];
                let read = stream.read(&mut bytes).await.unwrap();
                assert_eq!(bytes[..read].first(), Some(&22));
                stream.write_all(&old_hello(minor)).await.unwrap();
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                ear.lock().unwrap().extend(rest);
            }
        })
        .await;
        let provider = raise(&secure(&[peer.address], &authority));
        assert_eq!(ask(&provider).await, Err(CallError::Tls), "3.{minor}");
        let alert = async {
            while heard.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(alert).await;
        // An alert, and nothing of the application's.
        assert_eq!(heard.lock().unwrap().first(), Some(&21), "3.{minor}");
    }
}
