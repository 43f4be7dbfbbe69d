//! What a process tells its successor of its counts: how they stand, and then what changes while it drains.

use std::collections::HashMap;
use std::time::Duration;

use crate::account::bucket::Bucket;
use crate::account::instance::{Kind, Owner};
use crate::account::ledger::Ledger;
use crate::account::meter::{Meter, Toll, Turnover};
use crate::account::now::Now;
use crate::account::period::Period;
use crate::account::quota::{Quota, Quotas};
use crate::units::{Day, MicroUsd};

/// How a count stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Whose count it is.
    pub owner: Owner,
    /// The last day that was seen.
    pub day: Day,
    /// What was spent on that day, in its week and in its month.
    pub spent: [MicroUsd; 3],
    /// What was taken of a minute's requests, and the time since ([`Bucket::handed`]).
    pub requests: (u128, Duration),
    /// The same of tokens.
    pub tokens: (u128, Duration),
    /// Exchanges under way.
    pub running: u32,
    /// What is set aside for them.
    pub reserved: MicroUsd,
}

/// What changed of a count since the last word of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose count it is.
    pub owner: Owner,
    /// Spent since.
    pub spent: MicroUsd,
    /// Requests taken since, and given back.
    pub requests: (u64, u64),
    /// Tokens taken since, and given back.
    pub tokens: (u64, u64),
    /// Exchanges under way now.
    pub running: u32,
    /// What is set aside for them now.
    pub reserved: MicroUsd,
}

/// What a successor knows of the counts.
#[derive(Debug, Default)]
pub struct Told(HashMap<Owner, Known>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    toll: Toll,
    running: u32,
    reserved: MicroUsd,
}

impl Ledger {
    /// How all counts stand, and what is told by that.
    pub fn hand_over(&self, now: Now) -> (Vec<Count>, Told) {
        let book = self.book.lock();
        let counts = book
            .iter()
            .map(|(owner, meter)| count(owner, meter, now))
            .collect();
        let told = book
            .iter()
            .map(|(owner, meter)| (owner.clone(), known(meter)))
            .collect();
        (counts, Told(told))
    }

    /// What changed since.
    pub fn changes(&self, told: &mut Told) -> Vec<Change> {
        let book = self.book.lock();
        let mut changes = Vec::new();
        for (owner, meter) in book.iter() {
            let now = known(meter);
            let before = told.0.get(owner).copied().unwrap_or_default();
            if now != before {
                told.0.insert(owner.clone(), now);
                changes.push(change(owner, before, now));
            }
        }
        changes
    }

    /// Takes over a count, in place of what a store has kept.
    pub fn inherit(&self, count: Count, now: Now) {
        let mut book = self.book.lock();
        if let Some(meter) = book.meter(count.owner, now) {
            meter.spending.inherit(count.day, count.spent);
            meter.spending.elders_reserve(count.reserved);
            meter.requests = Bucket::inherited(count.requests, now.steady);
            meter.tokens = Bucket::inherited(count.tokens, now.steady);
            meter.elders = count.running;
        }
    }

    /// Takes note of what a predecessor has taken and given back since.
    pub fn hear(&self, change: &Change, quotas: &Quotas, now: Now) {
        let owner = &change.owner;
        let quota = quotas
            .all
            .iter()
            .find(|quota| quota.name == owner.quota && Kind::of(&quota.scope) == owner.kind);
        if let Some(meter) = self.book.lock().meter(owner.clone(), now) {
            meter.hear(change, quota, now);
        }
    }

    /// Forgets what predecessors have set aside: the last of them has ended.
    pub fn elders_ended(&self) {
        for meter in self.book.lock().meters() {
            meter.elders = 0;
            meter.spending.elders_reserve(MicroUsd(0));
        }
    }
}

impl Meter {
    fn hear(&mut self, change: &Change, quota: Option<&Quota>, now: Now) {
        let ((requests, requests_back), (tokens, tokens_back)) = (change.requests, change.tokens);
        if let Some(limit) = quota.and_then(|quota| quota.requests_per_minute) {
            let limit = u64::from(limit);
            self.requests
                .settle(limit, requests_back, requests, now.steady);
        }
        if let Some(limit) = quota.and_then(|quota| quota.tokens_per_minute) {
            self.tokens.settle(limit.0, tokens_back, tokens, now.steady);
        }
        self.spending.book(change.spent, now.day());
        self.spending.elders_reserve(change.reserved);
        self.elders = change.running;
        // For the next successor, should there be one before the predecessor has ended.
        self.toll.requests.add(change.requests);
        self.toll.tokens.add(change.tokens);
        self.toll.spent += change.spent;
    }
}

impl Turnover {
    fn add(&mut self, (taken, returned): (u64, u64)) {
        self.taken = self.taken.saturating_add(taken);
        self.returned = self.returned.saturating_add(returned);
    }

    fn since(self, before: Self) -> (u64, u64) {
        let taken = self.taken.saturating_sub(before.taken);
        (taken, self.returned.saturating_sub(before.returned))
    }
}

fn known(meter: &Meter) -> Known {
    Known {
        toll: meter.toll,
        running: meter.running.saturating_add(meter.elders),
        reserved: meter.spending.reserved(),
    }
}

fn count(owner: &Owner, meter: &Meter, now: Now) -> Count {
    let day = meter.spending.day(now.day());
    let Known {
        running, reserved, ..
    } = known(meter);
    Count {
        owner: owner.clone(),
        day,
        spent: Period::ALL.map(|per| meter.spending.spent(per, day)),
        requests: meter.requests.handed(now.steady),
        tokens: meter.tokens.handed(now.steady),
        running,
        reserved,
    }
}

fn change(owner: &Owner, before: Known, now: Known) -> Change {
    Change {
        owner: owner.clone(),
        spent: now.toll.spent.less(before.toll.spent),
        requests: now.toll.requests.since(before.toll.requests),
        tokens: now.toll.tokens.since(before.toll.tokens),
        running: now.running,
        reserved: now.reserved,
    }
}
