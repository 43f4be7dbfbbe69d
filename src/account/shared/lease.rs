//! What one exchange and its attempts hold of the shared counts. Dropped, it is given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::account::claim::{Claim, Scarce};
use crate::account::quota::Quota;
use crate::account::shared::inner::Inner;
use crate::account::shared::outbox::Told;
use crate::account::shared::words::{self, Act, Admit, Answer, Ask, Rest, Seat};
use crate::units::MicroUsd;

/// The seats of an exchange, in the order of its quotas.
pub(in crate::account) type Seats = SmallVec<[Seat; 4]>;

/// Of which count there is too little, of what, and for how long.
pub(in crate::account) type Refusal = (usize, Scarce, Option<Duration>);

/// What an exchange holds of the shared counts. Dropped, it has left them.
pub(in crate::account) struct Share {
    inner: Arc<Inner>,
    id: Arc<str>,
    seats: Arc<Seats>,
    entry: Mutex<Entry>,
}

/// How far an exchange is with Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// It never asked, or nobody heard.
    Outside,
    /// It may be counted: it asked.
    Asked,
    /// It is counted.
    Inside,
    /// It may not begin.
    Refused(Refusal),
}

/// What an attempt holds. Dropped, it is given back.
pub(in crate::account) struct Lease {
    inner: Arc<Inner>,
    id: Arc<str>,
    seats: Arc<Seats>,
    claim: Claim,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody knows.
    Asked,
    Taken,
    Over,
}

impl Share {
    pub(super) fn new(inner: Arc<Inner>, seats: Seats) -> Self {
        Self {
            id: inner.id(),
            inner,
            seats: Arc::new(seats),
            entry: Mutex::new(Entry::Outside),
        }
    }

    /// Asks for an attempt, with the first for the exchange as well. `None` while there is nobody to
    /// ask.
    ///
    /// # Cancel safety
    /// What it took is given back.
    pub(in crate::account) async fn take(
        &self,
        quotas: &[&Quota],
        claim: Claim,
    ) -> Result<Option<(Lease, SmallVec<[Rest; 4]>)>, Refusal> {
        if !self.inner.link.is_open() {
            self.inner.meters.local.inc();
            return Ok(None);
        }
        let admit = self.enter()?;
        let mut lease = Lease {
            inner: Arc::clone(&self.inner),
            id: self.inner.id(),
            seats: Arc::clone(&self.seats),
            claim,
            state: State::Asked,
        };
        let counts: SmallVec<[_; 4]> = self.seats.iter().zip(quotas.iter().copied()).collect();
        // The exchange and its attempts have names of their own, but one call asks for both.
        let ask = Ask {
            exchange: &self.id,
            id: &lease.id,
            admit,
            claim,
            counts: &counts,
        };
        let build = |script: &str, root: &str| words::take(script, root, &ask);
        let answer = self.inner.link.ask(build).await;
        let answer = answer.and_then(|words| words::answer(&words, &counts));
        let Some(answer) = answer else {
            self.inner.meters.local.inc();
            return Ok(None);
        };
        self.inner.meters.shared.inc();
        match answer {
            Answer::Taken(rests) => {
                self.entered(admit);
                lease.begin();
                Ok(Some((lease, rests)))
            }
            Answer::Short(place, of, wait) => {
                lease.state = State::Over;
                self.refused(admit, (place, of, wait));
                Err((place, of, wait))
            }
        }
    }

    /// Books what an attempt took under each count; to be called while the book is locked. Without a
    /// lease it was taken while Redis was out of reach.
    pub(in crate::account) fn settle(
        &self,
        lease: Option<Lease>,
        real: impl Iterator<Item = Claim>,
    ) {
        let claimed = lease.as_ref().map(|lease| lease.claim.tokens.0);
        for (seat, real) in self.seats.iter().zip(real) {
            if seat.counts_money {
                self.inner.tell(&seat.key, Act::Book(real.cost));
            }
            if let (Some(limit), Some(claimed)) = (seat.tokens, claimed) {
                let more = signed(real.tokens.0).saturating_sub(signed(claimed));
                self.inner.tell(&seat.key, Act::Tokens(more, limit));
            }
        }
        if let Some(mut lease) = lease {
            lease.end();
        }
        self.inner.news.notify_one();
    }

    fn enter(&self) -> Result<Admit, Refusal> {
        let mut entry = self.entry.lock();
        match *entry {
            Entry::Refused(refusal) => Err(refusal),
            Entry::Outside => {
                *entry = Entry::Asked;
                Ok(Admit::Exchange)
            }
            Entry::Asked | Entry::Inside => Ok(Admit::Attempt),
        }
    }

    fn entered(&self, admit: Admit) {
        if admit == Admit::Attempt {
            return;
        }
        *self.entry.lock() = Entry::Inside;
        let stay = |seat: &Seat| (Arc::clone(&seat.key), Act::Stay(Arc::clone(&self.id)));
        let counted = self.seats.iter().filter(|seat| seat.counts_exchanges);
        let acts = counted.map(stay).collect();
        self.inner
            .outbox
            .lock()
            .begin(&self.id, acts, Instant::now());
    }

    fn refused(&self, admit: Admit, refusal: Refusal) {
        if admit == Admit::Attempt {
            return;
        }
        let is_final = matches!(refusal.1, Scarce::Requests | Scarce::Concurrency);
        *self.entry.lock() = if is_final {
            Entry::Refused(refusal)
        } else {
            Entry::Outside
        };
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if !matches!(*self.entry.get_mut(), Entry::Asked | Entry::Inside) {
            return;
        }
        self.inner.outbox.lock().end(&self.id);
        for seat in self.seats.iter().filter(|seat| seat.counts_exchanges) {
            self.inner.tell(&seat.key, Act::Leave(Arc::clone(&self.id)));
        }
        self.inner.news.notify_one();
    }
}

impl Lease {
    fn begin(&mut self) {
        self.state = State::Taken;
        let hold = |seat: &Seat| {
            let act = Act::Hold(Arc::clone(&self.id), self.claim.cost);
            (Arc::clone(&seat.key), act)
        };
        let acts: Vec<Told> = self.reserved().map(hold).collect();
        let mut outbox = self.inner.outbox.lock();
        outbox.begin(&self.id, acts, Instant::now());
    }

    /// The seats in which money is set aside.
    fn reserved(&self) -> impl Iterator<Item = &Seat> {
        let is_free = self.claim.cost == MicroUsd(0);
        let seats = self.seats.iter();
        seats.filter(move |seat| seat.counts_money && !is_free)
    }

    /// Ends it: money that is set aside is free again.
    fn end(&mut self) {
        self.state = State::Over;
        self.inner.outbox.lock().end(&self.id);
        for seat in self.reserved() {
            let act = Act::End(Arc::clone(&self.id), self.claim.cost);
            self.inner.tell(&seat.key, act);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.state == State::Over {
            return;
        }
        if self.state == State::Taken {
            for seat in self.seats.iter() {
                if let Some(limit) = seat.tokens {
                    let less = -signed(self.claim.tokens.0);
                    self.inner.tell(&seat.key, Act::Tokens(less, limit));
                }
            }
        }
        self.end();
        self.inner.news.notify_one();
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl std::fmt::Debug for Share {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Share")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lease")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
