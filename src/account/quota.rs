//! Quotas: what the config lets callers take, and whom each holds for.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::account::key::Key;
use crate::account::period::Period;
use crate::units::{MicroUsd, Tokens};

/// Bounds on what some callers take together, or each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Its name in the config, for clients, log and metrics: that of its key or route, or its own.
    pub name: Arc<str>,
    /// Whom it holds for.
    pub scope: Scope,
    /// Who has a count of his own.
    pub each: Each,
    /// Requests in a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens in a minute, of prompts and answers.
    pub tokens_per_minute: Option<Tokens>,
    /// Exchanges at a time.
    pub concurrent: Option<u32>,
    /// What one exchange may cost, all its attempts together.
    pub ceiling: Option<MicroUsd>,
    /// What all of them may cost over periods, none of which comes twice.
    pub budgets: SmallVec<[Budget; 1]>,
}

/// Whom a quota holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody.
    All,
    /// The key of this name.
    Key(Arc<str>),
    /// Whoever asks for the route of this name.
    Route(Arc<str>),
    /// Keys that have the tag of this name, with this value.
    Tag(Arc<str>, Arc<str>),
}

impl Scope {
    /// Whether it is this key's: its name, or one of its tags.
    pub fn is_of(&self, key: &Key) -> bool {
        match self {
            Self::Key(name) => key.name == *name,
            Self::Tag(name, value) => key.tags.get(name) == Some(value),
            Self::All | Self::Route(_) => false,
        }
    }
}

/// Who has a count of his own under a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Each {
    /// Nobody: one count for all whom it holds for.
    #[default]
    Together,
    /// Each key.
    Key,
    /// Each user, as requests name them; requests that name none share one count.
    User,
    /// Each session, by `x-segue-session`; requests without one share one count.
    Session,
}

/// An amount of money for a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The amount.
    pub amount: MicroUsd,
    /// The period.
    pub per: Period,
}

/// What becomes of an exchange whose first target is too dear for what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBudget {
    /// Its targets are tried in their order, but for those that are too dear; if all are, it ends.
    #[default]
    Stop,
    /// The cheapest that it can afford goes first.
    Cheapest,
}

/// Who pays for attempts that were thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waste {
    /// Quotas of routes, and those of everybody.
    #[default]
    Route,
    /// The caller's as well.
    Caller,
}

/// All quotas of a config, and the rules between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// In the order of the file; no name comes twice for one kind of scope.
    pub all: Vec<Quota>,
    /// What becomes of an exchange whose first target is too dear for what is left.
    pub on_budget: OnBudget,
    /// Who pays for attempts that were thrown away.
    pub waste: Waste,
    /// The length of an answer that a request sets no bound to, for what is set aside for it.
    pub assumed_output: Tokens,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            on_budget: OnBudget::default(),
            waste: Waste::default(),
            assumed_output: Tokens(4096),
        }
    }
}

/// Who asks, and for which route.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// His key, where keys are asked for.
    pub key: Option<&'a Key>,
    /// The route.
    pub route: &'a str,
    /// His own user, as the request names him.
    pub user: Option<&'a str>,
    /// The session, by `x-segue-session`.
    pub session: Option<&'a str>,
}

impl Quota {
    /// Whether it holds for a caller.
    pub fn holds_for(&self, caller: &Caller<'_>) -> bool {
        match &self.scope {
            Scope::All => true,
            Scope::Route(name) => **name == *caller.route,
            scope @ (Scope::Key(_) | Scope::Tag(..)) => {
                caller.key.is_some_and(|key| scope.is_of(key))
            }
        }
    }

    /// Whether it bounds what attempts take, so that each has to be covered. Requests, and exchanges
    /// at a time, are taken once.
    pub fn bounds_attempts(&self) -> bool {
        self.tokens_per_minute.is_some() || self.ceiling.is_some() || !self.budgets.is_empty()
    }

    /// Whether it bounds what a caller does, rather than what a route does.
    pub fn is_callers(&self) -> bool {
        match self.scope {
            Scope::Key(_) | Scope::Tag(..) => true,
            Scope::All | Scope::Route(_) => self.each != Each::Together,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::key::{RouteScope, Tags};

    #[test]
    fn a_quota_holds_for_its_key_its_route_its_tag_or_everybody() {
        let key = Key {
            name: "app".into(),
            routes: RouteScope::All,
            tags: Tags::from([("tier".into(), "free".into())]),
        };
        let caller = Caller {
            key: Some(&key),
            route: "chat",
            user: None,
            session: None,
        };
        let nobody = Caller {
            key: None,
            ..caller
        };
        for (scope, known, unknown) in [
            (Scope::All, true, true),
            (Scope::Key("app".into()), true, false),
            (Scope::Key("other".into()), false, false),
            (Scope::Route("chat".into()), true, true),
            (Scope::Route("draft".into()), false, false),
            (Scope::Tag("tier".into(), "free".into()), true, false),
            (Scope::Tag("tier".into(), "paid".into()), false, false),
        ] {
            let quota = Quota {
                name: "q".into(),
                scope,
                each: Each::Together,
                requests_per_minute: None,
                tokens_per_minute: None,
                concurrent: None,
                ceiling: None,
                budgets: SmallVec::new(),
            };
            assert_eq!(quota.holds_for(&caller), known, "{:?}", quota.scope);
            assert_eq!(quota.holds_for(&nobody), unknown, "{:?}", quota.scope);
        }
    }
}
