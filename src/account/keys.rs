//! All client keys: which of them is shown, and whether it holds for who shows it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::account::key::{Digest, Key};
use crate::account::network::Network;

/// When and from where a key holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The moment from which it holds no more.
    pub expires: Option<SystemTime>,
    /// Where it may come from; from anywhere if there are none.
    pub networks: Vec<Network>,
    /// Whether it is switched on.
    pub activity: Activity,
}

/// Whether a key is switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// It is.
    #[default]
    Enabled,
    /// It is not, for now.
    Disabled,
}

/// What proves a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Of what the client shows.
    pub digest: Digest,
    /// The moment from which it proves nothing any more.
    pub not_after: Option<SystemTime>,
}

/// A key, its terms, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// The key.
    pub key: Arc<Key>,
    /// When and from where it holds.
    pub terms: Terms,
    /// What proves it; more than one while it is replaced.
    pub proofs: Vec<Proof>,
}

/// Why a key is refused. Only the log tells; the client hears the same of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// None was shown, or none that we know.
    Unknown,
    /// It, or this secret of it, has expired.
    Expired,
    /// It is switched off.
    Disabled,
    /// It may not come from there.
    Network,
}

impl Rejected {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unauthorized",
            Self::Expired => "key_expired",
            Self::Disabled => "key_disabled",
            Self::Network => "key_network",
        }
    }
}

/// All client keys.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<KeyEntry>);

impl Keys {
    /// Whether no key is configured: only loopback listeners may then serve.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All keys, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|entry| entry.key.as_ref())
    }

    /// The same with their terms and what proves them.
    pub fn entries(&self) -> impl Iterator<Item = &KeyEntry> {
        self.0.iter()
    }

    /// The key that is shown, if it holds for who shows it. Every digest is compared, in constant
    /// time, and the terms of every key are asked: neither a hit's place nor a miss can be told
    /// from the clock.
    pub fn find(
        &self,
        shown: &[u8],
        from: Option<IpAddr>,
        at: SystemTime,
    ) -> Result<&Arc<Key>, Rejected> {
        let digest = Digest::of(shown);
        let mut found = Err(Rejected::Unknown);
        for entry in &self.0 {
            let terms = entry.terms.hold(from, at);
            for proof in &entry.proofs {
                let proven = terms.and(in_time(proof.not_after, at));
                if bool::from(proof.digest.is(&digest)) {
                    found = proven.map(|()| &entry.key);
                }
            }
        }
        found
    }
}

impl FromIterator<KeyEntry> for Keys {
    fn from_iter<I: IntoIterator<Item = KeyEntry>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl Terms {
    /// Whether the key holds for a caller from there, at that moment.
    fn hold(&self, from: Option<IpAddr>, at: SystemTime) -> Result<(), Rejected> {
        if self.activity == Activity::Disabled {
            return Err(Rejected::Disabled);
        }
        in_time(self.expires, at)?;
        let within = |from| self.networks.iter().any(|network| network.has(from));
        if self.networks.is_empty() || from.is_some_and(within) {
            Ok(())
        } else {
            Err(Rejected::Network)
        }
    }
}

fn in_time(end: Option<SystemTime>, at: SystemTime) -> Result<(), Rejected> {
    match end {
        Some(end) if end <= at => Err(Rejected::Expired),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::account::{RouteScope, Tags};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn entry(name: &str, terms: Terms, secrets: &[(&str, Option<SystemTime>)]) -> KeyEntry {
        KeyEntry {
            key: Arc::new(Key {
                name: name.into(),
                routes: RouteScope::All,
                tags: Tags::new(),
            }),
            terms,
            proofs: secrets
                .iter()
                .map(|(secret, not_after)| Proof {
                    digest: Digest::of(secret.as_bytes()),
                    not_after: *not_after,
                })
                .collect(),
        }
    }

    fn find(keys: &Keys, shown: &str, from: &str, after: u64) -> Result<String, Rejected> {
        let at = NOW + Duration::from_secs(after);
        keys.find(shown.as_bytes(), from.parse().ok(), at)
            .map(|key| key.name.to_string())
    }

    #[test]
    fn a_key_is_found_by_every_secret_of_it() {
        let keys = Keys::from_iter([
            entry("first", Terms::default(), &[("one", None), ("uno", None)]),
            entry("second", Terms::default(), &[("two", None)]),
        ]);
        for (shown, expected) in [
            ("one", Ok("first")),
            ("uno", Ok("first")),
            ("two", Ok("second")),
            ("three", Err(Rejected::Unknown)),
            ("", Err(Rejected::Unknown)),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(find(&keys, shown, "192.0.2.1", 0), expected, "{shown}");
        }
    }

    #[test]
    fn a_secret_that_is_replaced_ends_by_itself_and_the_other_goes_on() {
        let end = Some(NOW + Duration::from_secs(10));
        let keys = Keys::from_iter([entry("k", Terms::default(), &[("old", end), ("new", None)])]);
        assert!(find(&keys, "old", "::1", 9).is_ok() && find(&keys, "new", "::1", 9).is_ok());
        assert_eq!(find(&keys, "old", "::1", 10), Err(Rejected::Expired));
        assert!(find(&keys, "new", "::1", 10).is_ok());
    }

    #[test]
    fn a_key_holds_in_its_time_from_its_networks_while_it_is_switched_on() {
        let networks = vec![Network::parse("10.0.0.0/8").unwrap()];
        let terms = Terms {
            expires: Some(NOW + Duration::from_secs(10)),
            networks,
            activity: Activity::Enabled,
        };
        let off = Terms {
            activity: Activity::Disabled,
            ..terms.clone()
        };
        let keys = Keys::from_iter([
            entry("on", terms, &[("on", None)]),
            entry("off", off, &[("off", None)]),
        ]);
        for (shown, from, after, expected) in [
            ("on", "10.1.2.3", 9, Ok("on")),
            ("on", "::ffff:10.1.2.3", 9, Ok("on")),
            ("on", "10.1.2.3", 10, Err(Rejected::Expired)),
            ("on", "11.1.2.3", 9, Err(Rejected::Network)),
            ("on", "::1", 9, Err(Rejected::Network)),
            ("on", "", 9, Err(Rejected::Network)),
            ("off", "10.1.2.3", 9, Err(Rejected::Disabled)),
            ("off", "11.1.2.3", 11, Err(Rejected::Disabled)),
            ("none", "10.1.2.3", 9, Err(Rejected::Unknown)),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(
                find(&keys, shown, from, after),
                expected,
                "{shown} {from} {after}"
            );
        }
    }
}
