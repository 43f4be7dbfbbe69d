//! All counts of all quotas, in one place of bounded size.
//!
//! Pure: its owner locks it. A count of which an exchange is under way keeps its place, so it is
//! found by its number until then.

use std::collections::HashMap;
use std::time::Duration;

use smallvec::SmallVec;

use crate::account::claim::{Scarce, Short};
use crate::account::instance::{Instance, Owner};
use crate::account::meter::{Lack, Meter};
use crate::account::now::Now;
use crate::account::quota::{Quota, Quotas};

/// Of so many idle counts the least is thrown out.
const SAMPLES: usize = 16;
/// So many are looked at for that, at most, as long as one was found.
const SEARCHED: usize = 1024;

/// After which time it is worth asking again where every count is in use.
const CROWDED: Duration = Duration::from_secs(1);

/// A count that holds for an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// The place of the quota in [`Quotas::all`].
    pub(super) quota: usize,
    /// The place of the count in the book.
    place: usize,
}

/// The counts that hold for an exchange, in the order of their quotas.
pub(super) type Holds = SmallVec<[Hold; 4]>;

/// All counts of all quotas.
#[derive(Debug)]
pub(super) struct Book {
    counts: Vec<Count>,
    places: HashMap<Owner, usize>,
    /// How many counts there may be.
    most: usize,
    /// Where the search for one to throw out goes on.
    hand: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Count {
    owner: Owner,
    meter: Meter,
}

impl Book {
    /// An empty one for so many counts.
    pub(super) fn new(most: usize) -> Self {
        Self {
            counts: Vec::new(),
            places: HashMap::new(),
            most,
            hand: 0,
            evicted: 0,
        }
    }

    /// Begins an exchange under all of the quotas at those places, or under none.
    pub(super) fn admit(
        &mut self,
        quotas: &Quotas,
        owners: impl Iterator<Item = (usize, Owner)>,
        now: Now,
    ) -> Result<Holds, Short> {
        let mut holds = Holds::new();
        for (quota, owner) in owners {
            let Some(place) = self.place(owner, now) else {
                self.leave(&holds);
                let lack = (Scarce::Concurrency, Some(CROWDED));
                return Err(short(quotas, quota, lack));
            };
            // Kept from here on: the next one must not throw it out.
            holds.push(Hold { quota, place });
            if let Some(count) = self.counts.get_mut(place) {
                count.meter.running = count.meter.running.saturating_add(1);
            }
        }
        let lack = self.first_lack(quotas, &holds, |quota, meter| meter.admits(quota, now));
        if let Some(short) = lack {
            self.leave(&holds);
            return Err(short);
        }
        self.each(quotas, &holds, |quota, meter| meter.admit(quota, now));
        Ok(holds)
    }

    /// Ends an exchange.
    pub(super) fn leave(&mut self, holds: &[Hold]) {
        for hold in holds {
            if let Some(count) = self.counts.get_mut(hold.place) {
                count.meter.running = count.meter.running.saturating_sub(1);
            }
        }
    }

    /// The first quota that a look at its count finds something wanting in.
    pub(super) fn first_lack(
        &self,
        quotas: &Quotas,
        holds: &[Hold],
        look: impl Fn(&Quota, &Meter) -> Result<(), Lack>,
    ) -> Option<Short> {
        holds.iter().find_map(|hold| {
            let quota = quotas.all.get(hold.quota)?;
            let lack = look(quota, &self.counts.get(hold.place)?.meter).err()?;
            Some(short(quotas, hold.quota, lack))
        })
    }

    /// Does something to each count that holds.
    pub(super) fn each(
        &mut self,
        quotas: &Quotas,
        holds: &[Hold],
        mut act: impl FnMut(&Quota, &mut Meter),
    ) {
        for hold in holds {
            let quota = quotas.all.get(hold.quota);
            let count = self.counts.get_mut(hold.place);
            if let (Some(quota), Some(count)) = (quota, count) {
                act(quota, &mut count.meter);
            }
        }
    }

    /// The quotas that hold, by their places, each with whose count holds.
    pub(super) fn owners<'a>(
        &'a self,
        quotas: &'a Quotas,
        holds: &'a [Hold],
    ) -> impl Iterator<Item = (usize, &'a Quota, &'a Owner)> {
        holds.iter().filter_map(|hold| {
            let quota = quotas.all.get(hold.quota)?;
            let count = self.counts.get(hold.place)?;
            Some((hold.quota, quota, &count.owner))
        })
    }

    /// All counts, with whose they are.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Owner, &Meter)> {
        self.counts.iter().map(|count| (&count.owner, &count.meter))
    }

    /// All counts, to be changed.
    pub(super) fn meters(&mut self) -> impl Iterator<Item = &mut Meter> {
        self.counts.iter_mut().map(|count| &mut count.meter)
    }

    /// The count of an owner, as of now, for something to be put into.
    pub(super) fn meter(&mut self, owner: Owner, now: Now) -> Option<&mut Meter> {
        let place = self.place(owner, now)?;
        self.counts.get_mut(place).map(|count| &mut count.meter)
    }

    /// How many were thrown out for others.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The place of an owner's count, a new one if there is none; `None` if all are in use.
    fn place(&mut self, owner: Owner, now: Now) -> Option<usize> {
        if let Some(place) = self.places.get(&owner) {
            return Some(*place);
        }
        let count = Count {
            owner: owner.clone(),
            meter: Meter::default(),
        };
        let place = if self.counts.len() < self.most {
            self.counts.push(count);
            self.counts.len() - 1
        } else {
            let place = self.least(now)?;
            let slot = self.counts.get_mut(place)?;
            self.places.remove(&slot.owner);
            *slot = count;
            self.evicted += 1;
            place
        };
        self.places.insert(owner, place);
        Some(place)
    }

    /// The one to throw out: one that is like new; or of some idle ones that with the least spent,
    /// but the counts of single callers first: those of all together are few.
    fn least(&mut self, now: Now) -> Option<usize> {
        let (length, today) = (self.counts.len(), now.day());
        let (mut idle, mut least) = (0, None);
        for step in 0..length {
            let place = (self.hand + step) % length;
            let count = self.counts.get(place)?;
            if count.meter.running == 0 {
                if count.meter.is_fresh(now) {
                    self.hand = place + 1;
                    return Some(place);
                }
                let together = count.owner.instance == Instance::TOGETHER;
                idle += usize::from(!together);
                let worth = (together, count.meter.spending.most(today), place);
                least = Some(least.map_or(worth, |least| worth.min(least)));
            }
            if least.is_some() && (idle >= SAMPLES || step >= SEARCHED) {
                self.hand = place + 1;
                break;
            }
        }
        least.map(|(_, _, place)| place)
    }
}

/// What is told of a quota that has too little.
fn short(quotas: &Quotas, quota: usize, (of, retry_after): Lack) -> Short {
    let quota = quotas.all.get(quota).map(|quota| quota.name.clone());
    Short {
        quota: quota.unwrap_or_else(|| "".into()),
        of,
        retry_after,
    }
}
