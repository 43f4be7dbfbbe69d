//! A client key: its digest, its name, and what it may use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::hex;

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

    /// The digest as a config has it, but for `sha256:` before it. It proves nothing: whoever has
    /// it cannot call.
    pub fn to_hex(self) -> String {
        hex::digits(&self.0).collect()
    }

    /// Whether it is the same, in a time that does not tell how much of it is.
    pub fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_exactly_64_hexadecimal_digits() {
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert!(Digest::from_hex(bad).is_none(), "{bad}");
        }
        let hex = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";
        let digest = Digest::from_hex(hex).unwrap();
        assert_eq!(digest, Digest::of(b"two"));
        assert_eq!(digest.to_hex(), hex);
        assert_eq!(format!("{digest:?}"), "sha256:***");
    }

    #[test]
    fn a_scope_allows_what_it_names() {
        let scope = RouteScope::Only(["support".into()].into());
        assert!(scope.allows("support") && !scope.allows("draft"));
        assert!(RouteScope::All.allows("draft"));
    }
}
