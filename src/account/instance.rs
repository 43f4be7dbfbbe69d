//! Whose count under a quota: its name, and a digest of who has a count of his own.
//!
//! No text of a caller is kept, however many of them there are: users and sessions are personal.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::account::quota::{Caller, Each, Quota, Scope};

/// Who has a count of his own: 128 bits of a SHA-256, the same in every run; zero for all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub [u8; 16]);

/// The kinds of scopes. A name comes once in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Quotas of everybody.
    All,
    /// Of a key.
    Key,
    /// Of a route.
    Route,
    /// Of keys with a tag.
    Tag,
}

/// Whose count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The kind of the quota's scope.
    pub kind: Kind,
    /// The quota's name.
    pub quota: Arc<str>,
    /// Who of its callers.
    pub instance: Instance,
}

impl Owner {
    /// Whose count is taken of when a caller asks under a quota.
    pub(super) fn of(quota: &Quota, caller: &Caller<'_>) -> Self {
        Self {
            kind: Kind::of(&quota.scope),
            quota: Arc::clone(&quota.name),
            instance: Instance::of(quota.each, caller),
        }
    }
}

impl Instance {
    /// All together.
    pub const TOGETHER: Self = Self([0; 16]);

    fn of(each: Each, caller: &Caller<'_>) -> Self {
        let (sort, text) = match each {
            Each::Together => return Self::TOGETHER,
            Each::Key => (b'k', caller.key.map(|key| &*key.name)),
            Each::User => (b'u', caller.user),
            Each::Session => (b's', caller.session),
        };
        let mut digest = Sha256::new();
        // Who names nobody is not who names the empty one.
        digest.update([sort, u8::from(text.is_some())]);
        digest.update(text.unwrap_or_default());
        let digest: [u8; 32] = digest.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

impl Instance {
    /// Reads it as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        let number = u128::from_str_radix(text, 16).ok()?;
        (text.len() == 32).then(|| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Kind {
    pub(super) fn of(scope: &Scope) -> Self {
        match scope {
            Scope::All => Self::All,
            Scope::Key(_) => Self::Key,
            Scope::Route(_) => Self::Route,
            Scope::Tag(..) => Self::Tag,
        }
    }

    /// The name in store and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Key => "key",
            Self::Route => "route",
            Self::Tag => "tag",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::All, Self::Key, Self::Route, Self::Tag];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::account::key::{Key, RouteScope, Tags};

    #[test]
    fn whoever_has_a_count_of_his_own_has_no_other_ones() {
        let key = Key {
            name: "same".into(),
            routes: RouteScope::All,
            tags: Tags::new(),
        };
        let nobody = Caller {
            key: None,
            route: "same",
            user: None,
            session: None,
        };
        let named = Caller {
            key: Some(&key),
            user: Some("same"),
            session: Some("same"),
            ..nobody
        };
        let empty = Caller {
            user: Some(""),
            ..nobody
        };
        let mut found = BTreeSet::from([Instance::TOGETHER]);
        for (each, caller) in [
            (Each::Key, nobody),
            (Each::Key, named),
            (Each::User, nobody),
            (Each::User, named),
            (Each::User, empty),
            (Each::Session, nobody),
            (Each::Session, named),
        ] {
            let instance = Instance::of(each, &caller);
            assert!(found.insert(instance), "{each:?} {caller:?}");
            assert_eq!(instance, Instance::of(each, &caller));
        }
        assert_eq!(Instance::of(Each::Together, &named), Instance::TOGETHER);
    }

    #[test]
    fn an_instance_is_the_same_in_every_run_and_says_nothing_of_the_user() {
        let caller = Caller {
            key: None,
            route: "chat",
            user: Some("alice"),
            session: None,
        };
        let instance = Instance::of(Each::User, &caller);
        // printf 'u\1alice' | sha256sum | cut -c -32
        assert_eq!(instance.to_string(), "1a113d3ea419e91e2c3538b6c04efe2a");
        assert_eq!(Instance::TOGETHER.to_string(), "0".repeat(32));
    }

    #[test]
    fn kinds_are_found_by_their_names() {
        for kind in [Kind::All, Kind::Key, Kind::Route, Kind::Tag] {
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        assert_eq!(Kind::named("nobody"), None);
    }
}
