//! Keys that have nothing to spend: they are refused before anything of their request is read.

use crate::account::{Key, Quotas, Scarce, Short};
use crate::units::MicroUsd;

/// What refuses every request of a key, whatever its route: a quota of the key or of its tags
/// whose every budget is 0. It will not have more after any time.
pub fn penniless(quotas: &Quotas, key: &Key) -> Option<Short> {
    let empty = quotas.all.iter().find(|quota| {
        let nothing = quota
            .budgets
            .iter()
            .all(|budget| budget.amount == MicroUsd(0));
        quota.scope.is_of(key) && nothing && !quota.budgets.is_empty()
    })?;
    Some(Short {
        quota: empty.name.clone(),
        of: Scarce::Budget,
        retry_after: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Budget, Each, Period, Quota, RouteScope, Scope, Tags};

    fn quota(scope: Scope, amounts: &[u64]) -> Quota {
        Quota {
            name: "q".into(),
            scope,
            each: Each::Together,
            requests_per_minute: None,
            tokens_per_minute: None,
            concurrent: None,
            ceiling: None,
            budgets: amounts
                .iter()
                .zip([Period::Day, Period::Month])
                .map(|(amount, per)| Budget {
                    amount: MicroUsd(*amount),
                    per,
                })
                .collect(),
        }
    }

    #[test]
    fn a_key_with_nothing_to_spend_is_known_without_its_request() {
        let key = Key {
            name: "app".into(),
            routes: RouteScope::All,
            tags: Tags::from([("tier".into(), "free".into())]),
        };
        let own = || Scope::Key("app".into());
        let tag = |value: &str| Scope::Tag("tier".into(), value.into());
        for (scope, amounts, expected) in [
            (own(), &[0][..], true),
            (own(), &[0, 0], true),
            (own(), &[0, 1], false),
            (own(), &[1], false),
            (own(), &[], false),
            (Scope::Key("other".into()), &[0], false),
            (tag("free"), &[0], true),
            (tag("paid"), &[0], false),
            (Scope::Route("r".into()), &[0], false),
        ] {
            let quotas = Quotas {
                all: vec![quota(scope.clone(), amounts)],
                ..Quotas::default()
            };
            let short = penniless(&quotas, &key);
            assert_eq!(short.is_some(), expected, "{scope:?} {amounts:?}");
            assert!(short.is_none_or(|short| short.of == Scarce::Budget));
        }
    }
}
