//! TLS and HTTP/2: certificates, versions, protocols, and streams that do not harm each other.

mod certificates;
mod malformed;
mod sessions;
mod streams;

use std::path::Path;

use tempfile::TempDir;

use crate::edge_stage::Authority;
use crate::support::World;

/// A proxy with two certificates, and the authority behind them.
struct Secure {
    world: World,
    authority: Authority,
    folder: TempDir,
}

impl Secure {
    /// With further keys of the listener's `tls`.
    async fn new(tls: &str) -> Self {
        Self::with(tls, "", |_, _| {}).await
    }

    /// With further keys of the config and more files beside the certificates.
    async fn with(tls: &str, extra: &str, prepare: impl Fn(&Authority, &Path)) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        authority.write(folder.path(), "first", &["localhost", "first.test"]);
        authority.write(folder.path(), "second", &["second.test", "*.wild.test"]);
        prepare(&authority, folder.path());
        let dir = folder.path().display();
        let world = World::with(|provider| {
            format!(
                "listen:\n- address: \"127.0.0.1:0\"\n  tls:\n    certificates:\n    \
                 - {{ certificate: {dir}/first.pem, key: {dir}/first.key }}\n    \
                 - {{ certificate: {dir}/second.pem, key: {dir}/second.key }}\n{tls}\
                 admin: {{ address: \"127.0.0.1:0\" }}\nlog: {{ access: off }}\n\
                 providers:\n  sim: {{ dialect: openai, base_url: \"http://{provider}/v1\", private_peers: true }}\n\
                 routes: {{ model: sim/m }}\n{extra}\n"
            )
        })
        .await;
        Self {
            world,
            authority,
            folder,
        }
    }
}
