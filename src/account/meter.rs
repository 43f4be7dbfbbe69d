//! What was taken of one count of a quota.
//!
//! Pure. To look is one thing and to take another: who holds the lock looks at all counts that hold,
//! and takes of all or none.

use std::time::Duration;

use crate::account::bucket::Bucket;
use crate::account::claim::{Claim, Scarce};
use crate::account::now::Now;
use crate::account::quota::Quota;
use crate::account::spending::Spending;
use crate::units::{MicroUsd, Tokens};

/// After which time it is worth asking for a place again: nobody knows when one is free.
const PLACE_WAIT: Duration = Duration::from_secs(1);

/// What is too little, and when there is more; `None` if never.
pub(super) type Lack = (Scarce, Option<Duration>);

/// What was taken of one count of a quota.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meter {
    pub(super) requests: Bucket,
    pub(super) tokens: Bucket,
    /// Exchanges under way.
    pub(super) running: u32,
    /// The same of the processes before this one, which still drain.
    pub(super) elders: u32,
    pub(super) spending: Spending,
    pub(super) toll: Toll,
}

/// What was ever taken of a count and given back, by this process: a successor is told what changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Toll {
    pub(super) requests: Turnover,
    pub(super) tokens: Turnover,
    pub(super) spent: MicroUsd,
}

/// What was taken of a minute's worth, and given back by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turnover {
    pub(super) taken: u64,
    pub(super) returned: u64,
}

impl Turnover {
    fn take(&mut self, count: u64) {
        self.taken = self.taken.saturating_add(count);
    }

    fn give_back(&mut self, count: u64) {
        self.returned = self.returned.saturating_add(count);
    }
}

impl Meter {
    /// Whether an exchange may begin that is counted among those under way already.
    pub(super) fn admits(&self, quota: &Quota, now: Now) -> Result<(), Lack> {
        let running = self.running.saturating_add(self.elders);
        if quota.concurrent.is_some_and(|most| running > most) {
            // Where no place is, none becomes free.
            let wait = quota.concurrent.filter(|most| *most > 0);
            return Err((Scarce::Concurrency, wait.map(|_| PLACE_WAIT)));
        }
        let Some(limit) = quota.requests_per_minute else {
            return Ok(());
        };
        match self.requests.wait(limit.into(), 1, now.steady) {
            Some(Duration::ZERO) => Ok(()),
            wait => Err((Scarce::Requests, wait)),
        }
    }

    /// Counts an exchange that begins.
    pub(super) fn admit(&mut self, quota: &Quota, now: Now) {
        if let Some(limit) = quota.requests_per_minute {
            self.requests.take(limit.into(), 1, now.steady);
            self.toll.requests.take(1);
        }
    }

    /// Takes back an exchange that does not begin.
    pub(super) fn take_back(&mut self) {
        self.requests.give_back(1);
        self.toll.requests.give_back(1);
    }

    /// Whether a claim fits.
    pub(super) fn covers(&self, quota: &Quota, claim: Claim, now: Now) -> Result<(), Lack> {
        if let Some(Tokens(limit)) = quota.tokens_per_minute {
            match self.tokens.wait(limit, claim.tokens.0, now.steady) {
                Some(Duration::ZERO) => {}
                wait => return Err((Scarce::Tokens, wait)),
            }
        }
        self.affords(quota, claim.cost, now)
    }

    /// Whether a cost fits into every budget.
    pub(super) fn affords(&self, quota: &Quota, cost: MicroUsd, now: Now) -> Result<(), Lack> {
        let today = now.day();
        for budget in &quota.budgets {
            if !self.spending.fits(budget, cost, today) {
                let end = budget.per.end(self.spending.day(today));
                let more = (cost <= budget.amount).then(|| end.begins_in(now.wall));
                return Err((Scarce::Budget, more));
            }
        }
        Ok(())
    }

    /// Sets a claim aside.
    pub(super) fn cover(&mut self, quota: &Quota, claim: Claim, now: Now) {
        if let Some(Tokens(limit)) = quota.tokens_per_minute {
            self.tokens.take(limit, claim.tokens.0, now.steady);
            self.toll.tokens.take(claim.tokens.0);
        }
        self.spending.reserve(claim.cost, now.day());
    }

    /// Gives a claim back.
    pub(super) fn release(&mut self, quota: &Quota, claim: Claim) {
        if quota.tokens_per_minute.is_some() {
            self.tokens.give_back(claim.tokens.0);
            self.toll.tokens.give_back(claim.tokens.0);
        }
        self.spending.release(claim.cost);
    }

    /// Puts what was really taken in the place of a claim.
    pub(super) fn settle(&mut self, quota: &Quota, claim: Claim, real: Claim, now: Now) {
        if let Some(Tokens(limit)) = quota.tokens_per_minute {
            let (taken, used) = (claim.tokens.0, real.tokens.0);
            self.tokens.settle(limit, taken, used, now.steady);
            self.toll.tokens.take(used);
            self.toll.tokens.give_back(taken);
        }
        self.spending.release(claim.cost);
        self.spending.book(real.cost, now.day());
        self.toll.spent += real.cost;
    }

    /// Whether it is like a new one.
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        self.running == 0
            && self.elders == 0
            && self.requests.is_fresh(now.steady)
            && self.tokens.is_fresh(now.steady)
            && self.spending.is_fresh(now.day())
    }
}
