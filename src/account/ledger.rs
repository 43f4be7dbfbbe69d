//! What has been taken of every quota. It outlives reloads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::account::book::Book;
use crate::account::claim::Short;
use crate::account::instance::{Kind, Owner};
use crate::account::meter::Meter;
use crate::account::now::Now;
use crate::account::period::Period;
use crate::account::purse::Purse;
use crate::account::quota::{Budget, Caller, Quota, Quotas};
use crate::account::shared::{Notice, Seat, Shared, SharedError, SharedMeters, SharedSettings};
use crate::account::spent::Spent;
use crate::units::{Day, MicroUsd};

/// Counts that are kept at most, of all quotas together.
const MOST_COUNTS: usize = 100_000;
/// The share of a budget from which on it is nearly used up.
const NEAR: f64 = 0.8;

/// What has been taken of every quota.
#[derive(Debug)]
pub struct Ledger {
    pub(super) book: Arc<Mutex<Book>>,
    shared: Option<Shared>,
}

/// How a quota stands, all its callers together: for a status page and metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaStatus {
    /// The kind of its scope.
    pub kind: Kind,
    /// Its name.
    pub quota: Arc<str>,
    /// How many counts are kept of it.
    pub counts: usize,
    /// Exchanges under way.
    pub running: u64,
    /// Its budgets.
    pub budgets: SmallVec<[BudgetStatus; 1]>,
}

/// How a budget stands, all its callers together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetStatus {
    /// What it allows, each caller if each has a count of his own.
    pub budget: Budget,
    /// What was spent.
    pub spent: MicroUsd,
    /// What is set aside.
    pub reserved: MicroUsd,
    /// The share spent and set aside, of the caller who has most of his: 1 is all.
    pub share: f64,
}

impl BudgetStatus {
    /// Whether it is nearly used up, by somebody at least.
    pub fn is_near(&self) -> bool {
        self.share >= NEAR
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::holding(MOST_COUNTS)
    }
}

impl Ledger {
    /// A ledger that keeps so many counts at most. Beyond that the idle ones go that have least to
    /// remember.
    pub fn holding(most: usize) -> Self {
        Self {
            book: Arc::new(Mutex::new(Book::new(most))),
            shared: None,
        }
    }

    /// A ledger that shares its counts with other machines. Needs a tokio runtime.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn sharing(settings: &SharedSettings, meters: SharedMeters) -> Result<Self, SharedError> {
        let mut ledger = Self::default();
        ledger.shared = Some(Shared::start(settings, meters, &ledger.book)?);
        Ok(ledger)
    }

    /// Puts up what is said of names for other machines to see, and reads what they say of them.
    /// `None` where nothing is shared, or nobody answers.
    pub async fn board(&self, notices: &[(Arc<str>, Notice)]) -> Option<Vec<Notice>> {
        self.shared.as_ref()?.board(notices).await
    }

    /// Waits until other machines were told what was taken here, for so long at most.
    pub async fn flush(&self, most: Duration) {
        if let Some(shared) = &self.shared {
            shared.flush(most).await;
        }
    }

    /// Admits an exchange under all quotas that hold for it, or under none: a request and a place
    /// among those at a time are taken now, tokens and money before each attempt. Where none holds,
    /// nothing is locked.
    pub fn admit(
        self: &Arc<Self>,
        quotas: &Arc<Quotas>,
        caller: &Caller<'_>,
        now: impl FnOnce() -> Now,
    ) -> Result<Purse, Short> {
        let holding = quotas.all.iter().enumerate();
        let owners: SmallVec<[_; 4]> = holding
            .filter(|(_, quota)| quota.holds_for(caller))
            .map(|(place, quota)| (place, Owner::of(quota, caller)))
            .collect();
        if owners.is_empty() {
            return Ok(Purse::default());
        }
        let share = self.shared.as_ref().map(|shared| {
            let seat = |prefix: &str, (place, owner): &(usize, Owner)| {
                let quota = quotas.all.get(*place)?;
                Some(Seat::of(prefix, owner, quota))
            };
            shared.share(|prefix| owners.iter().filter_map(|it| seat(prefix, it)).collect())
        });
        let admitted = self.book.lock().admit(quotas, owners.into_iter(), now());
        Ok(Purse::new(&self.book, quotas, admitted?, share))
    }

    /// What all counts have spent in the periods under way, for a store to keep.
    pub fn spent(&self) -> Vec<Spent> {
        self.spent_at(Now::read())
    }

    /// What all counts have spent in the periods under way at a moment.
    pub fn spent_at(&self, now: Now) -> Vec<Spent> {
        let today = now.day();
        let book = self.book.lock();
        book.iter()
            .flat_map(|(owner, meter)| Period::ALL.map(|per| row(owner, meter, per, today)))
            .flatten()
            .collect()
    }

    /// Takes over what a store has kept, before anything is admitted. What was spent here, or taken
    /// over before, stays as it is; periods that are over are forgotten.
    pub fn restore(&self, spent: &[Spent]) {
        self.restore_at(spent, Now::read());
    }

    /// Takes over what a store has kept, at a moment.
    pub fn restore_at(&self, spent: &[Spent], now: Now) {
        let mut book = self.book.lock();
        for row in spent {
            if row.per.end(row.start) <= now.day() {
                continue;
            }
            if let Some(meter) = book.meter(row.owner.clone(), now) {
                meter.spending.restore(row.per, row.start, row.amount);
            }
        }
    }

    /// How the quotas of a config stand, in its order.
    pub fn status(&self, quotas: &Quotas, now: Now) -> Vec<QuotaStatus> {
        let mut found: Vec<_> = quotas.all.iter().map(QuotaStatus::none).collect();
        let id = |quota: &Quota| (Kind::of(&quota.scope), Arc::clone(&quota.name));
        let all = quotas.all.iter().enumerate();
        let places: HashMap<_, _> = all.map(|(place, quota)| (id(quota), place)).collect();
        let today = now.day();
        let book = self.book.lock();
        for (owner, meter) in book.iter() {
            let place = places.get(&(owner.kind, Arc::clone(&owner.quota)));
            if let Some(status) = place.and_then(|place| found.get_mut(*place)) {
                status.add(meter, today);
            }
        }
        found
    }

    /// Counts that were thrown out for others, with what they remembered.
    pub fn evicted(&self) -> u64 {
        self.book.lock().evicted()
    }
}

impl QuotaStatus {
    fn none(quota: &Quota) -> Self {
        let none = |budget: &Budget| BudgetStatus {
            budget: *budget,
            spent: MicroUsd(0),
            reserved: MicroUsd(0),
            share: 0.0,
        };
        Self {
            kind: Kind::of(&quota.scope),
            quota: Arc::clone(&quota.name),
            counts: 0,
            running: 0,
            budgets: quota.budgets.iter().map(none).collect(),
        }
    }

    fn add(&mut self, meter: &Meter, today: Day) {
        self.counts += 1;
        self.running += u64::from(meter.running);
        let reserved = meter.spending.reserved();
        for status in &mut self.budgets {
            let spent = meter.spending.spent(status.budget.per, today);
            status.spent += spent;
            status.reserved += reserved;
            let elsewhere = meter.spending.elsewhere(status.budget.per, today);
            let share = share(spent + elsewhere + reserved, status.budget.amount);
            status.share = status.share.max(share);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share for people and alerts: the budget itself is held in integers"
)]
fn share(used: MicroUsd, amount: MicroUsd) -> f64 {
    match amount {
        MicroUsd(0) => 1.0,
        MicroUsd(amount) => used.0 as f64 / amount as f64,
    }
}

fn row(owner: &Owner, meter: &Meter, per: Period, today: Day) -> Option<Spent> {
    let day = meter.spending.day(today);
    let amount = meter.spending.spent(per, day);
    (amount != MicroUsd(0)).then(|| Spent {
        owner: owner.clone(),
        per,
        start: per.start(day),
        amount,
    })
}
