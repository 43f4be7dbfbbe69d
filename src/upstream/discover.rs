//! Asks for the addresses behind a name, and keeps those that a provider may have.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use tokio::time::timeout;

use super::address::is_public;
use super::error::CallError;

/// The longest wait for an answer, all name servers and tries together.
const PATIENCE: Duration = Duration::from_secs(10);
/// Addresses taken from one answer.
const ADDRESSES: usize = 64;

/// Which addresses a name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// On the internet only.
    Public,
    /// Any.
    Private,
}

/// A resolver as the system is configured: name servers, search list and hosts file. It keeps
/// nothing itself, for pools ask on their own timers and keep the last good answer.
pub(super) fn system_resolver() -> Option<TokioResolver> {
    let mut builder = TokioResolver::builder_tokio()
        .inspect_err(|error| log::error!("no resolver: {error}"))
        .ok()?;
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = 0;
    options.timeout = Duration::from_secs(3);
    options.attempts = 2;
    builder
        .build()
        .inspect_err(|error| log::error!("no resolver: {error}"))
        .ok()
}

/// The usable addresses of a name, at least one.
///
/// # Errors
/// `Resolve` when there is no answer, or none that may be used.
pub(super) async fn resolve(
    resolver: Option<TokioResolver>,
    host: &str,
    port: u16,
    allowed: Allowed,
) -> Result<Vec<SocketAddr>, CallError> {
    let resolver = resolver.ok_or(CallError::Resolve)?;
    let answer = timeout(PATIENCE, resolver.lookup_ip(host)).await;
    let answer = answer.map_err(|_| CallError::Resolve)?.map_err(|error| {
        log::warn!("{host} does not resolve: {error}");
        CallError::Resolve
    })?;
    let addresses = usable(answer.iter(), port, allowed);
    if addresses.is_empty() {
        log::warn!("{host} resolves to no address that may be used");
        return Err(CallError::Resolve);
    }
    Ok(addresses)
}

fn usable(answer: impl Iterator<Item = IpAddr>, port: u16, allowed: Allowed) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = answer
        .filter(|address| allowed == Allowed::Private || is_public(*address))
        .take(ADDRESSES)
        .map(|address| SocketAddr::new(address, port))
        .collect();
    // An answer that says an address twice does not mean twice the load.
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_only_what_a_provider_may_have() {
        let answer = ["8.8.8.8", "127.0.0.1", "8.8.8.8", "::1", "169.254.169.254"];
        let answer = || answer.iter().map(|address| address.parse().unwrap());
        let public = usable(answer(), 443, Allowed::Public);
        assert_eq!(public, ["8.8.8.8:443".parse().unwrap()]);
        assert_eq!(usable(answer(), 443, Allowed::Private).len(), 4);
        let many = (0..1000_u32).map(|n| IpAddr::from(n.to_be_bytes()));
        assert_eq!(usable(many, 1, Allowed::Private).len(), ADDRESSES);
    }
}
