//! `limits`, `budget` and `budgets`: what a key, a route or a quota lets its callers take.

use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::SmallVec;

use super::cursor::{Cursor, Read, all};
use super::section::Section;
use crate::account::{Budget, Each, Period, Quota, Scope};
use crate::units::{MicroUsd, Tokens};

const REQUESTS: RangeInclusive<u32> = 1..=10_000_000;
const TOKENS: RangeInclusive<u32> = 1..=4_000_000_000;
const CONCURRENT: RangeInclusive<u32> = 1..=1_000_000;
/// One exchange; 0 leaves only what is free.
const CEILING: RangeInclusive<MicroUsd> = MicroUsd(0)..=MicroUsd(10_000_000_000);
/// A period; 0 is nothing at all.
const BUDGET: RangeInclusive<MicroUsd> = MicroUsd(0)..=MicroUsd(1_000_000_000_000_000);

const PERIODS: [(&str, Period); 3] = [
    (Period::Day.name(), Period::Day),
    (Period::Week.name(), Period::Week),
    (Period::Month.name(), Period::Month),
];

/// What callers may take.
pub(super) struct Allotment {
    limits: Limits,
    budgets: SmallVec<[Budget; 1]>,
}

/// The part of it that is no budget.
#[derive(Default)]
struct Limits {
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<Tokens>,
    concurrent: Option<u32>,
    ceiling: Option<MicroUsd>,
}

impl Allotment {
    /// Reads the three keys; nothing if none of them is there.
    pub(super) fn read(section: &mut Section<'_>) -> Read<Option<Self>> {
        let limits = section.maybe("limits", limits);
        let budget = section.optional("budget");
        let budgets = match (budget, section.optional("budgets")) {
            (None, None) => Ok(None),
            (Some(one), None) => budget_of(&one).map(|one| Some(SmallVec::from_iter([one]))),
            (None, Some(several)) => budgets(&several).map(Some),
            (Some(_), Some(several)) => several.fail_at_key("there is a `budget` as well"),
        };
        Ok(match (limits?, budgets?) {
            (None, None) => None,
            (limits, budgets) => Some(Self {
                limits: limits.unwrap_or_default(),
                budgets: budgets.unwrap_or_default(),
            }),
        })
    }

    /// The quota that it comes to.
    pub(super) fn quota(self, name: Arc<str>, scope: Scope, each: Each) -> Quota {
        let Limits {
            requests_per_minute,
            tokens_per_minute,
            concurrent,
            ceiling,
        } = self.limits;
        Quota {
            name,
            scope,
            each,
            requests_per_minute,
            tokens_per_minute,
            concurrent,
            ceiling,
            budgets: self.budgets,
        }
    }
}

fn limits(cursor: &Cursor<'_>) -> Read<Limits> {
    let mut section = Section::open(cursor)?;
    let requests = section.maybe("requests_per_minute", |at| at.number(&REQUESTS));
    let tokens = section.maybe("tokens_per_minute", |at| at.number(&TOKENS));
    let concurrent = section.maybe("concurrent", |at| at.number(&CONCURRENT));
    let ceiling = section.maybe("usd_per_exchange", |at| at.usd(&CEILING));
    section.close();
    let limits = Limits {
        requests_per_minute: requests?,
        tokens_per_minute: tokens?.map(|tokens| Tokens(u64::from(tokens))),
        concurrent: concurrent?,
        ceiling: ceiling?,
    };
    some(cursor)?;
    Ok(limits)
}

/// A map that must say something.
pub(super) fn some(cursor: &Cursor<'_>) -> Read<()> {
    if cursor.key_names().is_empty() {
        return cursor.fail("the map must not be empty");
    }
    Ok(())
}

fn budget_of(cursor: &Cursor<'_>) -> Read<Budget> {
    let mut section = Section::open(cursor)?;
    let amount = section.required("usd").and_then(|at| at.usd(&BUDGET));
    let per = section.required("per").and_then(|at| at.choice(&PERIODS));
    section.close();
    Ok(Budget {
        amount: amount?,
        per: per?,
    })
}

fn budgets(cursor: &Cursor<'_>) -> Read<SmallVec<[Budget; 1]>> {
    let mut taken = Vec::new();
    let budgets = all(cursor.some_items()?.iter().map(|cursor| {
        let budget = budget_of(cursor)?;
        if taken.contains(&budget.per) {
            let per = budget.per.name();
            return cursor.fail(format_args!("there are two budgets per {per}"));
        }
        taken.push(budget.per);
        Ok(budget)
    }))?;
    Ok(budgets.into())
}
