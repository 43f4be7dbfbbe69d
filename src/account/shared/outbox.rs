//! What is still to be told to Redis: bounded, whatever the length of an outage. Pure.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::account::shared::words::{Act, LEASE};
use crate::units::MicroUsd;

/// Counts of which spending may wait to be told.
const MOST_COUNTS: usize = 100_000;
/// Other acts that may wait: what is lost of these heals with its minute or its lease.
const MOST_ACTS: usize = 65_536;
/// Acts that are told in one call.
const MOST_AT_ONCE: usize = 256;

/// An act, with the key of its count.
pub(super) type Told = (Arc<str>, Act);

/// What is still to be told, and what is to be kept alive.
#[derive(Default)]
pub(super) struct Outbox {
    spent: HashMap<Arc<str>, MicroUsd>,
    acts: Vec<Told>,
    open: HashMap<Arc<str>, Open>,
}

/// A reservation or an exchange that goes on.
struct Open {
    told: Instant,
    acts: Vec<Told>,
}

impl Outbox {
    /// Something happened. Whether there was room for it.
    pub(super) fn put(&mut self, key: &Arc<str>, act: Act) -> Result<(), Full> {
        match act {
            Act::Book(MicroUsd(0)) | Act::Tokens(0, _) => {}
            Act::Book(amount) => {
                let is_known = self.spent.contains_key(key);
                if !is_known && self.spent.len() >= MOST_COUNTS {
                    return Err(Full);
                }
                *self.spent.entry(Arc::clone(key)).or_default() += amount;
            }
            _ if self.acts.len() >= MOST_ACTS => return Err(Full),
            act => self.acts.push((Arc::clone(key), act)),
        }
        Ok(())
    }

    /// A reservation or an exchange goes on: this is to be said of it now and then.
    pub(super) fn begin(&mut self, id: &Arc<str>, acts: Vec<Told>, now: Instant) {
        if !acts.is_empty() {
            self.open.insert(Arc::clone(id), Open { told: now, acts });
        }
    }

    /// It ends.
    pub(super) fn end(&mut self, id: &str) {
        self.open.remove(id);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.spent.is_empty() && self.acts.is_empty()
    }

    /// Adds that what is open goes on, of that of which it was not said for a third of a lease.
    pub(super) fn renew(&mut self, now: Instant) {
        for open in self.open.values_mut() {
            if now.saturating_duration_since(open.told) >= LEASE / 3 {
                open.told = now;
                self.acts.extend(open.acts.iter().cloned());
            }
        }
    }

    /// Takes what one call can tell.
    pub(super) fn batch(&mut self) -> Vec<Told> {
        let keys: Vec<_> = self.spent.keys().take(MOST_AT_ONCE).cloned().collect();
        let mut batch = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(amount) = self.spent.remove(&key) {
                batch.push((key, Act::Book(amount)));
            }
        }
        // Behind what was spent: what is given back before it is booked would be there twice.
        let room = MOST_AT_ONCE - batch.len();
        let number = self.acts.len().min(room);
        batch.extend(self.acts.drain(..number));
        batch
    }

    /// Redis has lost everything: what was to be told is replaced by what there was, and what is
    /// open begins anew.
    pub(super) fn lost(&mut self, there_was: Vec<Told>) {
        drop(mem::take(&mut self.spent));
        self.acts = there_was;
        let open = self.open.values().flat_map(|open| &open.acts);
        self.acts.extend(open.cloned());
    }
}

/// There was no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

#[cfg(test)]
mod tests {
    use super::*;

    fn book(amount: u64) -> Act {
        Act::Book(MicroUsd(amount))
    }

    #[test]
    fn however_long_an_outage_the_spending_of_a_count_is_told_once() {
        let (key, mut outbox) = (Arc::from("k"), Outbox::default());
        for _ in 0..1_000_000 {
            outbox.put(&key, book(3)).unwrap();
        }
        outbox.put(&key, book(0)).unwrap();
        assert_eq!(outbox.batch(), [(key, book(3_000_000))]);
        assert!(outbox.is_empty() && outbox.batch().is_empty());
    }

    #[test]
    fn all_is_bounded_and_what_finds_no_room_is_said() {
        let mut outbox = Outbox::default();
        let put = |outbox: &mut Outbox, number: usize, act: Act| {
            outbox.put(&number.to_string().into(), act)
        };
        for number in 0..MOST_COUNTS {
            put(&mut outbox, number, book(1)).unwrap();
        }
        assert_eq!(put(&mut outbox, MOST_COUNTS, book(1)), Err(Full));
        assert_eq!(put(&mut outbox, 0, book(1)), Ok(()));
        for number in 0..MOST_ACTS {
            put(&mut outbox, number, Act::Leave("x".into())).unwrap();
        }
        assert_eq!(put(&mut outbox, 0, Act::Leave("x".into())), Err(Full));
        let (mut told, mut acts) = (0, outbox.batch());
        while !acts.is_empty() {
            assert!(acts.len() <= MOST_AT_ONCE);
            told += acts.len();
            acts = outbox.batch();
        }
        assert_eq!(told, MOST_COUNTS + MOST_ACTS);
    }

    #[test]
    fn what_is_open_is_said_to_go_on_until_it_ends() {
        let (now, key, id) = (Instant::now(), Arc::from("k"), Arc::from("n.1"));
        let acts = vec![(Arc::clone(&key), Act::Stay(Arc::clone(&id)))];
        let mut outbox = Outbox::default();
        outbox.begin(&id, acts.clone(), now);
        outbox.renew(now);
        assert!(outbox.is_empty());
        outbox.renew(now + LEASE / 3);
        assert_eq!(outbox.batch(), acts);
        outbox.renew(now + LEASE / 2);
        assert!(outbox.is_empty());
        outbox.put(&key, book(5)).unwrap();
        outbox.lost(vec![(Arc::clone(&key), book(8))]);
        assert_eq!(outbox.batch(), [(key, book(8)), acts[0].clone()]);
        outbox.end("n.1");
        outbox.renew(now + LEASE);
        assert!(outbox.is_empty());
    }
}
