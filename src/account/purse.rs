//! What one exchange may still take, asked before each of its attempts.
//!
//! An attempt is covered before anything is sent: the most that it can take is set aside in every
//! quota that holds for the exchange, or in none. When it ends, what it really took is booked and
//! the rest given back. A stake that is dropped gives everything back.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::account::book::{Book, Holds};
use crate::account::bucket::Window;
use crate::account::claim::{Claim, Fate, Scarce, Short};
use crate::account::instance::Owner;
use crate::account::meter::{Lack, Meter};
use crate::account::now::Now;
use crate::account::quota::{OnBudget, Quota, Quotas, Waste};
use crate::account::shared::{Lease, Rest, Share};
use crate::account::spent::Spent;
use crate::exchange::Bill;
use crate::units::{Day, MicroUsd, Tokens};

/// What one exchange may still take. Dropped, it ends the exchange for the quotas that hold for it.
#[derive(Clone, Debug, Default)]
pub struct Purse(Option<Arc<Held>>);

/// The quotas that hold for an exchange.
#[derive(Debug)]
struct Held {
    book: Arc<Mutex<Book>>,
    quotas: Arc<Quotas>,
    holds: Holds,
    bounded: Bounded,
    /// What it holds of counts that machines share.
    share: Option<Share>,
    /// What was left of these when they were last asked, in the order of the quotas.
    heard: Mutex<SmallVec<[Rest; 4]>>,
    /// Locked after the book.
    own: Mutex<Own>,
    /// Locked after the book.
    paid: Mutex<Vec<Paid>>,
}

/// Whether quotas bound what attempts take, or only how many exchanges there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bounded {
    Attempts,
    Exchanges,
}

/// What the exchange has cost so far, thrown away or not, and may yet cost. Wide enough for any sum
/// of claims.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    booked: u128,
    reserved: u128,
}

/// What a count was made to pay on a day.
#[derive(Clone, Debug)]
struct Paid {
    quota: usize,
    owner: Owner,
    day: Day,
    amount: MicroUsd,
}

/// What is left of the tightest limits, for the headers of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Of requests in a minute.
    pub requests: Option<Window>,
    /// Of tokens in a minute.
    pub tokens: Option<Window>,
}

impl Purse {
    /// A purse for an exchange that has begun under these quotas.
    pub(super) fn new(
        book: &Arc<Mutex<Book>>,
        quotas: &Arc<Quotas>,
        holds: Holds,
        share: Option<Share>,
    ) -> Self {
        let quota = |place: usize| quotas.all.get(place);
        let mut held = holds.iter().filter_map(|hold| quota(hold.quota));
        // What machines share is asked before the first attempt, whatever is bounded.
        let bounded = if share.is_some() || held.any(Quota::bounds_attempts) {
            Bounded::Attempts
        } else {
            Bounded::Exchanges
        };
        Self(Some(Arc::new(Held {
            book: Arc::clone(book),
            quotas: Arc::clone(quotas),
            holds,
            bounded,
            share,
            heard: Mutex::default(),
            own: Mutex::default(),
            paid: Mutex::default(),
        })))
    }

    /// Whether anything bounds what attempts take: if not, nobody has to reckon it.
    pub fn is_bounded(&self) -> bool {
        let held = self.0.as_ref();
        held.is_some_and(|held| held.bounded == Bounded::Attempts)
    }

    /// The length of an answer that a request sets no bound to, for what is set aside for it.
    pub fn assumed_output(&self) -> Tokens {
        let held = self.0.as_ref();
        held.map_or_else(
            || Quotas::default().assumed_output,
            |held| held.quotas.assumed_output,
        )
    }

    /// Sets aside the most that an attempt can take.
    ///
    /// # Cancel safety
    /// Dropped, it has set nothing aside.
    pub async fn cover(&self, claim: Claim) -> Result<Stake<'_>, Short> {
        let mut stake = self.cover_at(claim, Now::read)?;
        if let Some(held) = &self.0
            && let Some(share) = &held.share
        {
            stake.lease = held.ask(share, claim).await?;
        }
        Ok(stake)
    }

    /// Sets aside the most that an attempt can take, at a moment.
    pub fn cover_at(&self, claim: Claim, now: impl FnOnce() -> Now) -> Result<Stake<'_>, Short> {
        if let Some(held) = &self.0 {
            held.cover(claim, now())?;
        }
        Ok(Stake {
            open: self.0.as_deref().map(|held| (held, claim)),
            lease: None,
        })
    }

    /// Whether a cost fits into everything that holds just now. Only what is covered is sure of it.
    pub fn affords(&self, cost: MicroUsd) -> bool {
        self.affords_at(cost, Now::read)
    }

    /// Whether a cost fits into everything that holds at a moment.
    pub fn affords_at(&self, cost: MicroUsd, now: impl FnOnce() -> Now) -> bool {
        let Some(held) = &self.0 else {
            return true;
        };
        if held.bounded == Bounded::Exchanges {
            return true;
        }
        let now = now();
        let book = held.book.lock();
        let look = |own: Own, quota: &Quota, meter: &Meter| {
            meter.affords(quota, cost, now)?;
            own.affords(quota, cost)
        };
        held.first_lack(&book, look).is_none()
    }

    /// What its budgets have paid so far, by their periods: for a store.
    pub fn spent(&self) -> Vec<Spent> {
        self.0.as_ref().map_or_else(Vec::new, |held| held.spent())
    }

    /// Whether the cheapest target is to be asked first, once one is too dear.
    pub fn on_budget(&self) -> OnBudget {
        let held = self.0.as_ref();
        held.map_or_else(OnBudget::default, |held| held.quotas.on_budget)
    }

    /// What is left of the tightest limits.
    pub fn left(&self) -> Left {
        self.left_at(Now::read)
    }

    /// What is left of the tightest limits at a moment.
    pub fn left_at(&self, now: impl FnOnce() -> Now) -> Left {
        let held = self.0.as_ref();
        held.map_or_else(Left::default, |held| held.left(now()))
    }
}

impl Held {
    fn first_lack(
        &self,
        book: &Book,
        look: impl Fn(Own, &Quota, &Meter) -> Result<(), Lack>,
    ) -> Option<Short> {
        let own = *self.own.lock();
        book.first_lack(&self.quotas, &self.holds, |quota, meter| {
            look(own, quota, meter)
        })
    }

    fn cover(&self, claim: Claim, now: Now) -> Result<(), Short> {
        let mut book = self.book.lock();
        let look = |own: Own, quota: &Quota, meter: &Meter| {
            meter.covers(quota, claim, now)?;
            own.affords(quota, claim.cost)
        };
        if let Some(short) = self.first_lack(&book, look) {
            return Err(short);
        }
        let cover = |quota: &Quota, meter: &mut Meter| meter.cover(quota, claim, now);
        book.each(&self.quotas, &self.holds, cover);
        self.own.lock().reserved += u128::from(claim.cost.0);
        Ok(())
    }

    /// Asks for the shared counts. `None` where the local ones hold alone.
    async fn ask(&self, share: &Share, claim: Claim) -> Result<Option<Lease>, Short> {
        let quotas: SmallVec<[&Quota; 4]> = self.quotas().collect();
        match share.take(&quotas, claim).await {
            Ok(Some((lease, rests))) => {
                self.hear(rests);
                Ok(Some(lease))
            }
            Ok(None) => Ok(None),
            Err((place, of, retry_after)) => {
                let name = quotas.get(place).map(|quota| Arc::clone(&quota.name));
                if of == Scarce::Requests {
                    self.refuse(quotas.get(place).copied(), retry_after);
                }
                Err(Short {
                    quota: name.unwrap_or_else(|| "".into()),
                    of,
                    retry_after,
                })
            }
        }
    }

    /// Takes back the request that does not begin, of which the refusing count has none left.
    fn refuse(&self, quota: Option<&Quota>, wait: Option<Duration>) {
        let mut book = self.book.lock();
        book.each(&self.quotas, &self.holds, |_, meter| meter.take_back());
        drop(book);
        let limit = quota.and_then(|quota| quota.requests_per_minute);
        let none = limit.zip(wait).map(|(limit, reset)| Window {
            limit: u64::from(limit),
            remaining: 0,
            reset,
        });
        *self.heard.lock() = SmallVec::from_iter([Rest::of_requests(none)]);
    }

    fn quotas(&self) -> impl Iterator<Item = &Quota> {
        let places = self.holds.iter().map(|hold| hold.quota);
        places.filter_map(|place| self.quotas.all.get(place))
    }

    /// Takes note of what is left of the shared counts.
    fn hear(&self, rests: SmallVec<[Rest; 4]>) {
        let mut heard = rests.iter();
        let mut book = self.book.lock();
        book.each(&self.quotas, &self.holds, |_, meter| {
            if let Some(rest) = heard.next() {
                meter.spending.hear(rest.day, rest.spent);
            }
        });
        drop(book);
        *self.heard.lock() = rests;
    }

    fn release(&self, claim: Claim) {
        let mut book = self.book.lock();
        let release = |quota: &Quota, meter: &mut Meter| meter.release(quota, claim);
        book.each(&self.quotas, &self.holds, release);
        self.own.lock().settle(claim.cost, MicroUsd(0));
    }

    fn settle(&self, (claim, lease): (Claim, Option<Lease>), bill: &Bill, fate: Fate, now: Now) {
        let real = Claim {
            tokens: bill.usage.input + bill.usage.output,
            cost: bill.cost.unwrap_or_default(),
        };
        let paid = |quota: &Quota| {
            if pays(quota, self.quotas.waste, fate) {
                real
            } else {
                Claim::default()
            }
        };
        let mut book = self.book.lock();
        if real.cost > MicroUsd(0) {
            self.note(&book, real.cost, fate, now.day());
        }
        book.each(&self.quotas, &self.holds, |quota, meter| {
            meter.settle(quota, claim, paid(quota), now);
        });
        if let Some(share) = &self.share {
            share.settle(lease, self.quotas().map(paid));
        }
        self.own.lock().settle(claim.cost, real.cost);
    }

    /// Notes what is about to be booked in budgets.
    fn note(&self, book: &Book, amount: MicroUsd, fate: Fate, day: Day) {
        let mut paid = self.paid.lock();
        for (place, quota, owner) in book.owners(&self.quotas, &self.holds) {
            if quota.budgets.is_empty() || !pays(quota, self.quotas.waste, fate) {
                continue;
            }
            let same = |one: &&mut Paid| one.quota == place && one.day == day;
            match paid.iter_mut().find(same) {
                Some(one) => one.amount += amount,
                None => paid.push(Paid {
                    quota: place,
                    owner: owner.clone(),
                    day,
                    amount,
                }),
            }
        }
    }

    fn spent(&self) -> Vec<Spent> {
        let mut spent = Vec::new();
        for one in &*self.paid.lock() {
            let budgets = self.quotas.all.get(one.quota).map(|quota| &quota.budgets);
            spent.extend(budgets.into_iter().flatten().map(|budget| Spent {
                owner: one.owner.clone(),
                per: budget.per,
                start: budget.per.start(one.day),
                amount: one.amount,
            }));
        }
        spent
    }

    fn left(&self, now: Now) -> Left {
        let mut left = Left::default();
        let heard = self.heard.lock();
        if !heard.is_empty() {
            for rest in heard.iter() {
                left.requests = tighter(left.requests, rest.requests);
                left.tokens = tighter(left.tokens, rest.tokens);
            }
            return left;
        }
        drop(heard);
        let mut book = self.book.lock();
        book.each(&self.quotas, &self.holds, |quota, meter| {
            let requests = quota.requests_per_minute.map(u64::from);
            let requests = requests.map(|limit| meter.requests.room(limit, now.steady));
            left.requests = tighter(left.requests, requests);
            let tokens = quota.tokens_per_minute.map(|limit| limit.0);
            let tokens = tokens.map(|limit| meter.tokens.room(limit, now.steady));
            left.tokens = tighter(left.tokens, tokens);
        });
        left
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.book.lock().leave(&self.holds);
    }
}

impl Own {
    /// Whether the exchange may cost so much more. What costs nothing always fits.
    fn affords(self, quota: &Quota, cost: MicroUsd) -> Result<(), Lack> {
        let sum = self.booked + self.reserved + u128::from(cost.0);
        match quota.ceiling {
            Some(ceiling) if cost.0 > 0 && sum > u128::from(ceiling.0) => {
                Err((Scarce::Ceiling, None))
            }
            _ => Ok(()),
        }
    }

    fn settle(&mut self, claim: MicroUsd, real: MicroUsd) {
        self.reserved = self.reserved.saturating_sub(u128::from(claim.0));
        self.booked += u128::from(real.0);
    }
}

/// Whether a quota pays for an attempt that met such a fate.
fn pays(quota: &Quota, waste: Waste, fate: Fate) -> bool {
    match (fate, waste) {
        (Fate::Delivered, _) | (Fate::Wasted, Waste::Caller) => true,
        (Fate::Wasted, Waste::Route) => !quota.is_callers(),
    }
}

/// The one of which less is left; of equals the one that takes longer to be whole again.
fn tighter(one: Option<Window>, other: Option<Window>) -> Option<Window> {
    let key = |room: &Window| (room.remaining, Duration::MAX.saturating_sub(room.reset));
    one.into_iter().chain(other).min_by_key(key)
}

/// What is set aside for one attempt.
#[derive(Debug)]
pub struct Stake<'p> {
    /// Taken when it is settled.
    open: Option<(&'p Held, Claim)>,
    /// What it holds of the shared counts; dropped, it gives that back.
    lease: Option<Lease>,
}

impl Stake<'_> {
    /// Books what the attempt took, and gives back the rest; all of it where nothing is known to have
    /// been taken.
    pub fn settle(self, bill: Option<&Bill>, fate: Fate) {
        self.settle_at(bill, fate, Now::read);
    }

    /// Books what the attempt took, at a moment.
    pub fn settle_at(mut self, bill: Option<&Bill>, fate: Fate, now: impl FnOnce() -> Now) {
        let Some(bill) = bill else {
            return;
        };
        if let Some((held, claim)) = self.open.take() {
            held.settle((claim, self.lease.take()), bill, fate, now());
        }
    }
}

impl Drop for Stake<'_> {
    fn drop(&mut self) {
        if let Some((held, claim)) = self.open.take() {
            held.release(claim);
        }
    }
}
