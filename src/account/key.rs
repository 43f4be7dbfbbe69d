//! Client keys: kept as digests, compared in constant time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a client key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a key as a client sends it.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Takes a digest as written in a config: 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("sha256:***")
    }
}

/// A named client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name, for the log and metrics.
    pub name: Arc<str>,
    /// What it may call.
    pub routes: RouteScope,
    /// What the config says of it: tier, team, anything. Quotas and variants of routes go by it.
    pub tags: Tags,
}

/// What the config says of a key, by name.
pub type Tags = BTreeMap<Arc<str>, Arc<str>>;

/// Which routes a key may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteScope {
    /// Every route.
    All,
    /// These, by name.
    Only(BTreeSet<Arc<str>>),
}

impl RouteScope {
    /// Whether the route of that name may be used.
    pub fn allows(&self, route: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(route),
        }
    }
}

/// All client keys.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(Digest, Arc<Key>)>);

impl Keys {
    /// Whether no key is configured: only loopback listeners may then serve.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a key under its digest.
    pub fn add(&mut self, digest: Digest, key: Key) {
        self.0.push((digest, Arc::new(key)));
    }

    /// All keys, in the order of the file; one with several secrets comes once for each.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|(_, key)| key.as_ref())
    }

    /// The key whose digest matches. Every digest is compared, in constant time, so neither a
    /// hit's place nor a miss can be told from the clock.
    pub fn find(&self, presented: &[u8]) -> Option<&Arc<Key>> {
        let digest = Digest::of(presented);
        let mut found = None;
        for (known, key) in &self.0 {
            if bool::from(known.0.ct_eq(&digest.0)) {
                found = Some(key);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key {
            name: name.into(),
            routes: RouteScope::All,
            tags: Tags::new(),
        }
    }

    #[test]
    fn a_key_is_found_by_its_text_or_its_configured_digest() {
        let mut keys = Keys::default();
        keys.add(Digest::of(b"one"), key("first"));
        let hex = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";
        keys.add(Digest::from_hex(hex).unwrap(), key("second"));
        assert_eq!(keys.find(b"one").unwrap().name.as_ref(), "first");
        assert_eq!(keys.find(b"two").unwrap().name.as_ref(), "second");
        assert!(keys.find(b"three").is_none());
        assert!(keys.find(b"").is_none());
    }

    #[test]
    fn a_digest_is_exactly_64_hexadecimal_digits() {
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert!(Digest::from_hex(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_scope_allows_what_it_names() {
        let scope = RouteScope::Only(["support".into()].into());
        assert!(scope.allows("support") && !scope.allows("draft"));
        assert!(RouteScope::All.allows("draft"));
    }
}
