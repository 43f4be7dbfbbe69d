//! The promises of the ledger and its purses.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use smallvec::SmallVec;

use super::{
    Budget, Caller, Claim, Each, Fate, Key, Ledger, Now, Period, Purse, Quota, Quotas, RouteScope,
    Scarce, Scope, Short, Tags, Waste,
};
use crate::exchange::{Bill, Measure, Usage};
use crate::units::{Day, MicroUsd, Tokens};

mod cover;
mod heritage;
mod keep;
mod oracle;
mod threads;

const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

/// Noon of Wednesday, 2026-09-30.
fn noon() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + 20_726 * DAY + DAY / 2,
    }
}

fn after(now: Now, time: Duration) -> Now {
    Now {
        steady: now.steady + time,
        wall: now.wall + time,
    }
}

fn quota(name: &str, scope: Scope) -> Quota {
    Quota {
        name: name.into(),
        scope,
        each: Each::Together,
        requests_per_minute: None,
        tokens_per_minute: None,
        concurrent: None,
        ceiling: None,
        budgets: SmallVec::new(),
    }
}

fn budget(amount: u64, per: Period) -> SmallVec<[Budget; 1]> {
    let amount = MicroUsd(amount);
    SmallVec::from_iter([Budget { amount, per }])
}

fn quotas(all: impl IntoIterator<Item = Quota>) -> Arc<Quotas> {
    Arc::new(Quotas {
        all: all.into_iter().collect(),
        ..Quotas::default()
    })
}

fn key(name: &str) -> Key {
    Key {
        name: name.into(),
        routes: RouteScope::All,
        tags: Tags::new(),
    }
}

fn caller(key: &Key) -> Caller<'_> {
    Caller {
        key: Some(key),
        route: "chat",
        user: None,
        session: None,
    }
}

fn user(name: &str) -> Caller<'_> {
    Caller {
        key: None,
        route: "chat",
        user: Some(name),
        session: None,
    }
}

fn cost(cost: u64) -> Claim {
    Claim {
        tokens: Tokens(0),
        cost: MicroUsd(cost),
    }
}

fn tokens(tokens: u64) -> Claim {
    Claim {
        tokens: Tokens(tokens),
        cost: MicroUsd(0),
    }
}

fn bill(tokens: u64, cost: u64) -> Bill {
    Bill {
        usage: Usage {
            input: Tokens(tokens / 2),
            output: Tokens(tokens - tokens / 2),
            ..Usage::default()
        },
        measure: Measure::Reported,
        cost: Some(MicroUsd(cost)),
    }
}

/// Covers an attempt that takes what it claims, and settles it.
fn spend(purse: &Purse, claim: Claim, fate: Fate, now: Now) -> Result<(), Short> {
    let stake = purse.cover_at(claim, || now)?;
    let bill = bill(claim.tokens.0, claim.cost.0);
    stake.settle_at(Some(&bill), fate, || now);
    Ok(())
}

fn short(quota: &str, of: Scarce, retry_after: Option<Duration>) -> Short {
    Short {
        quota: quota.into(),
        of,
        retry_after,
    }
}

/// What a quota has spent and set aside for its first budget.
fn stand(ledger: &Ledger, quotas: &Quotas, name: &str, now: Now) -> (u64, u64) {
    let status = ledger.status(quotas, now);
    let status = status.iter().find(|one| *one.quota == *name).unwrap();
    let budget = status.budgets[0];
    (budget.spent.0, budget.reserved.0)
}
