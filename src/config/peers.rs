//! Where a provider's peers come from, and whether they may be private addresses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::address;
use super::cursor::{Cursor, Read, all};
use super::path::quoted;
use super::section::Section;
use super::url::{Endpoint, Host};
use crate::upstream::Peers;

/// The most fixed peers of a provider.
const MOST: usize = 256;

/// The default time between two DNS questions: half of the usual time to live of such records.
pub const DNS_EVERY: Duration = Duration::from_secs(30);
const EVERY_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// Which addresses a provider's name may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public ones only.
    Public,
    /// Loopback, private and link-local ones too.
    Private,
}

impl From<bool> for Reach {
    fn from(private_peers: bool) -> Self {
        if private_peers {
            Self::Private
        } else {
            Self::Public
        }
    }
}

/// `peers`: fixed addresses. They are the operator's own word and may be private.
pub(super) fn fixed(cursor: &Cursor<'_>) -> Read<Vec<SocketAddr>> {
    let items = cursor.some_items()?;
    if items.len() > MOST {
        return cursor.fail(format_args!("at most {MOST} peers"));
    }
    let mut seen = BTreeSet::new();
    all(items.iter().map(|item| {
        let peer = peer(item)?;
        if !seen.insert(peer) {
            return item.fail(format_args!("the peer {peer} is there twice"));
        }
        Ok(peer)
    }))
}

fn peer(cursor: &Cursor<'_>) -> Read<SocketAddr> {
    let text = cursor.text()?;
    let Ok(peer) = text.parse::<SocketAddr>() else {
        return cursor.fail(format_args!(
            "{} is not an address with a port, such as 10.0.0.5:8000 or [fd00::5]:8000",
            quoted(text)
        ));
    };
    if peer.port() == 0 || peer.ip().is_unspecified() || peer.ip().is_multicast() {
        return cursor.fail(format_args!("nothing can be reached at {peer}"));
    }
    Ok(peer)
}

/// `dns.every`.
pub(super) fn every(cursor: &Cursor<'_>) -> Read<Duration> {
    let mut section = Section::open(cursor)?;
    let every = section.or("every", DNS_EVERY, |cursor| cursor.duration(&EVERY_RANGE));
    section.close();
    every
}

/// Chooses between fixed peers, a literal address and DNS.
pub(super) fn resolve(
    endpoint: &Endpoint,
    base_at: &Cursor<'_>,
    reach: Reach,
    peers: Option<Vec<SocketAddr>>,
    dns: Option<(Duration, Cursor<'_>)>,
) -> Read<Peers> {
    if let (Some((_, cursor)), Some(_)) = (&dns, &peers) {
        return cursor.fail_at_key("has no effect: `peers` are given");
    }
    if let Some(peers) = peers {
        return Ok(Peers::Static(peers));
    }
    match &endpoint.host {
        Host::Address(ip) => {
            if let Some((_, cursor)) = dns {
                return cursor.fail_at_key("has no effect: `base_url` holds an address");
            }
            if reach == Reach::Public && !address::is_public(*ip) {
                return base_at.fail(format_args!(
                    "{ip} is not a public address: set `private_peers: true` if it is meant"
                ));
            }
            Ok(Peers::Static(vec![SocketAddr::new(
                *ip,
                endpoint.base.port,
            )]))
        }
        Host::Name(name) => {
            let local = name == "localhost" || name.ends_with(".localhost");
            if reach == Reach::Public && local {
                return base_at.fail(format_args!(
                    "{name} is not a public host: set `private_peers: true` if it is meant"
                ));
            }
            let every = dns.map_or(DNS_EVERY, |(every, _)| every);
            Ok(Peers::Dns {
                host: name.clone(),
                port: endpoint.base.port,
                every,
            })
        }
    }
}
