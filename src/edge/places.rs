//! The places of exchanges: so many in all, and so many for each key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

/// Who has how many exchanges under way.
#[derive(Debug)]
pub(super) struct Places {
    /// How many there may be in all.
    most: AtomicU32,
    /// Only of keys that have some.
    by_key: Mutex<HashMap<Arc<str>, u32>>,
}

/// An exchange's place among those of its key; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    key: Arc<str>,
}

impl Places {
    /// All of them free.
    pub(super) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self {
            most: AtomicU32::new(most),
            by_key: Mutex::default(),
        })
    }

    /// Sets how many there may be in all; who has a place keeps it.
    pub(super) fn set_most(&self, most: u32) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// How many there may be in all.
    pub(super) fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }

    /// A place for an exchange of the key of this name, unless it has `most` already.
    pub(super) fn take(self: &Arc<Self>, key: &Arc<str>, most: u32) -> Option<Place> {
        let mut by_key = self.by_key.lock();
        let taken = by_key.entry(Arc::clone(key)).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Place {
            places: Arc::clone(self),
            key: Arc::clone(key),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_key = self.places.by_key.lock();
        let Entry::Occupied(mut taken) = by_key.entry(Arc::clone(&self.key)) else {
            return;
        };
        *taken.get_mut() -= 1;
        if *taken.get() == 0 {
            taken.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_places_and_no_other_keys_are_touched() {
        let places = Places::new(9);
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let first = places.take(&one, 2).unwrap();
        let _second = places.take(&one, 2).unwrap();
        assert!(places.take(&one, 2).is_none());
        let _others = places.take(&other, 2).unwrap();
        drop(first);
        let _third = places.take(&one, 2).unwrap();
        assert!(places.take(&one, 2).is_none());
    }

    #[test]
    fn a_lower_bound_takes_no_place_away_and_gives_none_until_there_is_room() {
        let places = Places::new(9);
        let key: Arc<str> = "k".into();
        let mut taken: Vec<_> = (0..3).filter_map(|_| places.take(&key, 3)).collect();
        assert!(places.take(&key, 1).is_none());
        taken.truncate(1);
        assert!(places.take(&key, 1).is_none());
        taken.clear();
        assert!(places.take(&key, 1).is_some());
    }

    #[test]
    fn nothing_is_remembered_of_a_key_without_exchanges() {
        let places = Places::new(9);
        drop(places.take(&"k".into(), 1));
        assert!(places.by_key.lock().is_empty());
    }
}
