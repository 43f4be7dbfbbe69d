//! A bare Pingora pass-through: what segue is measured against in `benches/relay`.
//!
//! `bare LISTEN UPSTREAM`, both as `127.0.0.1:PORT`. It does nothing but forward.
#![expect(
    clippy::expect_used,
    reason = "a bench tool that cannot start has nothing better to do"
)]

use async_trait::async_trait;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::Result;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

struct Bare {
    upstream: std::net::SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

/// Serves until it is killed.
///
/// # Panics
/// When it is not told where to listen and whom to ask.
pub fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "bare");
    let listen = arguments.next().expect("usage: bare LISTEN UPSTREAM");
    let upstream = arguments.next().expect("usage: bare LISTEN UPSTREAM");
    let upstream = upstream.parse().expect("UPSTREAM is an address and a port");
    let conf = ServerConf {
        threads: 1,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { upstream });
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever();
}
