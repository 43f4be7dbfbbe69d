//! Certificates for a test, and clients that check them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::PATIENCE;

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes `NAME.pem` and `NAME.key` for a certificate with these names.
    pub fn write(&self, folder: &Path, file: &str, names: &[&str]) -> CertificateDer<'static> {
        let (leaf, key) = self.sign(names, ExtendedKeyUsagePurpose::ServerAuth, None);
        put(&folder.join(format!("{file}.pem")), &leaf.pem());
        put(&folder.join(format!("{file}.key")), &key.serialize_pem());
        leaf.der().clone()
    }

    /// Writes the authority's own certificate.
    pub fn write_root(&self, folder: &Path, file: &str) {
        put(&folder.join(file), &self.0.pem());
    }

    /// A server's certificate with these names, and its key.
    pub fn server(&self, names: &[&str]) -> (CertificateDer<'static>, KeyPair) {
        let (leaf, key) = self.sign(names, ExtendedKeyUsagePurpose::ServerAuth, None);
        (leaf.der().clone(), key)
    }

    /// Writes a list of the certificates that it has revoked, by their numbers.
    pub fn write_list(&self, folder: &Path, file: &str, numbers: &[u64]) {
        let revoked = |number: &u64| RevokedCertParams {
            serial_number: (*number).into(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(4000, 1, 1),
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.0).unwrap();
        put(&folder.join(file), &list.pem().unwrap());
    }

    /// A client of servers that this authority vouches for.
    pub fn caller(&self) -> Caller {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Caller {
            roots: Arc::new(roots),
            versions: ALL_VERSIONS,
            alpn: &[],
            identity: None,
        }
    }

    fn sign(
        &self,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
        number: Option<u64>,
    ) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages.push(usage);
        params.serial_number = number.map(Into::into);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        (leaf, key)
    }
}

/// Replaces a file as an administrator's tool does: whole, and readable by its owner only.
fn put(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(fresh, path).unwrap();
}

/// How a client connects.
#[derive(Clone)]
pub struct Caller {
    roots: Arc<RootCertStore>,
    versions: &'static [&'static SupportedProtocolVersion],
    alpn: &'static [&'static [u8]],
    identity: Option<Arc<(CertificateDer<'static>, KeyPair)>>,
}

impl Caller {
    pub fn versions(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions;
        self
    }

    pub fn alpn(mut self, alpn: &'static [&'static [u8]]) -> Self {
        self.alpn = alpn;
        self
    }

    /// Shows a certificate signed by `authority`.
    pub fn identity(self, authority: &Authority) -> Self {
        self.numbered(authority, 1)
    }

    /// Shows a certificate signed by `authority`, with this number.
    pub fn numbered(mut self, authority: &Authority, number: u64) -> Self {
        let (names, usage) = (["client.test"], ExtendedKeyUsagePurpose::ClientAuth);
        let (leaf, key) = authority.sign(&names, usage, Some(number));
        self.identity = Some(Arc::new((leaf.der().clone(), key)));
        self
    }

    /// Connects and shakes hands.
    pub async fn call(&self, address: SocketAddr, name: &str) -> io::Result<TlsStream<TcpStream>> {
        call(self.config(), address, name).await
    }

    /// What a client needs to know, to be used again where sessions are to be resumed.
    pub fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match self.identity.as_deref() {
            Some((leaf, key)) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
                let chain = vec![leaf.clone()];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

/// Connects and shakes hands.
pub async fn call(
    config: Arc<ClientConfig>,
    address: SocketAddr,
    name: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let shake = TlsConnector::from(config).connect(name, stream);
    timeout(PATIENCE, shake).await.expect("a handshake in time")
}

/// Sends one HTTP/1.1 request that ends the connection, and reads all that comes.
pub async fn ask(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> io::Result<String> {
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    timeout(PATIENCE, read).await.expect("an answer in time")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The certificate that the server showed.
pub fn leaf(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].clone().into_owned()
}
