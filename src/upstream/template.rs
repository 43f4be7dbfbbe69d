//! How a pool's peers are connected to: every option of Pingora's that matters, set in one place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::protocols::TcpKeepalive;
use pingora_core::protocols::tls::{ALPN, CaType};
use pingora_core::upstreams::peer::{HttpPeer, PeerOptions};
use pingora_core::utils::tls::{WrappedX509, parse_x509};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::message::Speaks;
use super::spec::{BaseUrl, Scheme, TlsSpec};

/// How long an unused connection stays in the pool. Below the idle time of the common front ends
/// (60 s and more), so that it is we who close it.
pub(super) const IDLE: Duration = Duration::from_secs(50);
/// The longest that any caller may wait for a connection; callers set less.
const CONNECT: Duration = Duration::from_secs(30);
/// The longest silence on a connection of the passthrough.
const READ: Duration = Duration::from_mins(5);
/// The longest wait for a peer to take a part of a request.
const WRITE: Duration = Duration::from_mins(1);
/// Streams on one HTTP/2 connection. Together their windows do not exceed the connection's, so
/// that stalled readers cannot stop the others.
const H2_STREAMS: u32 = 64;
const H2_STREAM_WINDOW: u32 = 128 << 10;
const H2_PING: Duration = Duration::from_secs(30);

/// Bits of the reuse key that no pool number reaches.
const FRESH: u64 = 1 << 63;
const PROBE: u64 = 1 << 62;

/// What all peers of a pool have in common.
pub(super) struct Template {
    tls: Option<Tls>,
    /// Keeps the connections of pools apart: Pingora's reuse key has no CA in it.
    key: u64,
}

struct Tls {
    name: String,
    ca: Option<Arc<CaType>>,
    alpn: ALPN,
}

impl Template {
    pub(super) fn new(base: &BaseUrl, spec: Option<&TlsSpec>, key: u64) -> Self {
        let tls = match (spec, base.scheme) {
            (Some(spec), _) => Some(Tls {
                name: server_name(&spec.name, base),
                ca: spec.ca.as_ref().map(|certificates| {
                    certificates
                        .iter()
                        .filter_map(|der| authority(der))
                        .collect()
                }),
                alpn: if spec.http2 { ALPN::H2H1 } else { ALPN::H1 },
            }),
            // An https URL is never spoken to in the clear, whatever else was left out.
            (None, Scheme::Https) => Some(Tls {
                name: server_name(&base.host, base),
                ca: None,
                alpn: ALPN::H1,
            }),
            (None, Scheme::Http) => None,
        };
        Self { tls, key }
    }

    /// The protocols that a connection may turn out to speak.
    pub(super) fn speaks(&self) -> Speaks {
        match self.tls {
            Some(Tls {
                alpn: ALPN::H2H1, ..
            }) => Speaks::Either,
            _ => Speaks::H1,
        }
    }

    /// How calls connect.
    pub(super) fn peer(&self, address: SocketAddr) -> HttpPeer {
        // Infallible, and never a question to a resolver: it is an address already.
        let name = self.tls.as_ref().map(|tls| tls.name.clone());
        let mut peer = HttpPeer::new(address, name.is_some(), name.unwrap_or_default());
        peer.group_key = self.key;
        peer.options = self.options();
        peer
    }

    /// How checks connect: never over a pooled connection, for that would prove nothing.
    pub(super) fn probe(&self, address: SocketAddr) -> HttpPeer {
        let mut peer = self.peer(address);
        peer.group_key = self.key | PROBE;
        peer.options.alpn = ALPN::H1;
        peer
    }

    /// How a plain TCP check connects, whatever is spoken above.
    pub(super) fn plain_probe(&self, address: SocketAddr) -> HttpPeer {
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.group_key = self.key | PROBE;
        peer.options = self.options();
        peer.options.alpn = ALPN::H1;
        peer
    }

    fn options(&self) -> PeerOptions {
        let mut options = PeerOptions::new();
        options.connection_timeout = Some(CONNECT);
        options.total_connection_timeout = Some(CONNECT);
        options.read_timeout = Some(READ);
        options.write_timeout = Some(WRITE);
        options.idle_timeout = Some(IDLE);
        options.verify_cert = true;
        options.verify_hostname = true;
        options.tcp_keepalive = Some(TcpKeepalive {
            idle: Duration::from_secs(30),
            interval: Duration::from_secs(10),
            count: 3,
            #[cfg(target_os = "linux")]
            user_timeout: Duration::from_mins(1),
        });
        options.h2_ping_interval = Some(H2_PING);
        options.max_h2_streams = H2_STREAMS as usize;
        options.h2_stream_window_size = Some(H2_STREAM_WINDOW);
        options.h2_connection_window_size = Some(H2_STREAM_WINDOW * H2_STREAMS);
        if let Some(tls) = &self.tls {
            options.ca.clone_from(&tls.ca);
            options.alpn = tls.alpn.clone();
        }
        options
    }
}

/// The same peer under a key that nothing is ever released to: a connection that is surely new.
/// HTTP/1.1 only, for an HTTP/2 connection would stay behind under that key.
pub(super) fn fresh(peer: &HttpPeer) -> HttpPeer {
    let mut peer = peer.clone();
    peer.group_key |= FRESH;
    peer.options.alpn = ALPN::H1;
    peer
}

/// Never empty: without a name Pingora's rustls connector verifies nothing at all.
fn server_name(name: &str, base: &BaseUrl) -> String {
    [name, &base.host, "invalid"]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or("invalid")
        .to_owned()
}

/// A certificate as Pingora wants it; its parser panics, so look first. A list that is left empty
/// refuses every handshake.
fn authority(der: &[u8]) -> Option<WrappedX509> {
    X509Certificate::from_der(der).ok()?;
    Some(WrappedX509::new(der.to_vec(), parse_x509))
}

#[cfg(test)]
mod tests {
    use pingora_core::upstreams::peer::Peer as _;
    use rustls::pki_types::CertificateDer;

    use super::*;

    fn base(scheme: Scheme) -> BaseUrl {
        BaseUrl {
            scheme,
            host: "api.example.com".to_owned(),
            port: 443,
            prefix: String::new(),
        }
    }

    fn tls(name: &str) -> TlsSpec {
        TlsSpec {
            name: name.to_owned(),
            ca: None,
            http2: true,
        }
    }

    fn address() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 443))
    }

    #[test]
    fn every_wait_of_a_peer_has_a_bound() {
        let spec = tls("api.example.com");
        let template = Template::new(&base(Scheme::Https), Some(&spec), 7);
        let (call, probe) = (template.peer(address()), template.probe(address()));
        let (plain, fresh) = (template.plain_probe(address()), fresh(&call));
        for (name, peer) in [
            ("call", call),
            ("probe", probe),
            ("plain", plain),
            ("fresh", fresh),
        ] {
            let options = &peer.options;
            assert!(options.connection_timeout.is_some(), "{name}");
            assert!(options.total_connection_timeout.is_some(), "{name}");
            assert!(options.read_timeout.is_some(), "{name}");
            assert!(options.write_timeout.is_some(), "{name}");
            assert!(options.idle_timeout.is_some(), "{name}");
            assert!(options.h2_ping_interval.is_some(), "{name}");
            assert!(options.tcp_keepalive.is_some(), "{name}");
            let streams = u32::try_from(options.max_h2_streams).unwrap();
            let stream = options.h2_stream_window_size.expect(name);
            let connection = options.h2_connection_window_size.expect(name);
            assert!(
                connection <= 8 << 20 && stream * streams <= connection,
                "{name}"
            );
            assert!(options.verify_cert && options.verify_hostname, "{name}");
        }
    }

    #[test]
    fn tls_always_has_a_name_to_verify() {
        let no_name = tls("");
        let cases = [
            (Some(&no_name), Scheme::Https),
            (Some(&no_name), Scheme::Http),
            (None, Scheme::Https),
        ];
        for (spec, scheme) in cases {
            let peer = Template::new(&base(scheme), spec, 1).peer(address());
            assert!(peer.is_tls());
            assert_eq!(peer.sni, "api.example.com");
        }
        let mut nameless = base(Scheme::Https);
        nameless.host = String::new();
        assert!(
            !Template::new(&nameless, None, 1)
                .peer(address())
                .sni
                .is_empty()
        );
    }

    #[test]
    fn pools_probes_and_fresh_connections_share_nothing() {
        let one = Template::new(&base(Scheme::Http), None, 1);
        let two = Template::new(&base(Scheme::Http), None, 2);
        let peer = one.peer(address());
        let keys = [
            peer.reuse_hash(),
            fresh(&peer).reuse_hash(),
            one.probe(address()).reuse_hash(),
            two.peer(address()).reuse_hash(),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
    }

    #[test]
    fn a_broken_authority_trusts_nobody_instead_of_everybody() {
        let mut spec = tls("x");
        spec.ca = Some(vec![CertificateDer::from(vec![1, 2, 3])]);
        let peer = Template::new(&base(Scheme::Https), Some(&spec), 1).peer(address());
        assert_eq!(peer.options.ca.unwrap().len(), 0);
    }
}
