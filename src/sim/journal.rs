//! The last requests, bounded in number and bytes; whoever waits for something is woken at once.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use crate::sim::entry::{Body, BodyRecorder, End, Entry};
use crate::sim::head::Head;
use crate::sim::tally::{LONGEST_MODEL, Tallies, Tally};

/// How many bytes of heads and bodies are kept in all; the oldest entries make room.
const MOST_BYTES: usize = 256 << 20;

/// How many ended entries may wait for a subscriber.
const QUEUE: usize = 16 << 10;

/// The simulator's memory.
#[derive(Debug)]
pub struct Journal {
    started: Instant,
    capacity: usize,
    ring: Mutex<Ring>,
    open_connections: AtomicUsize,
    under_way: AtomicUsize,
    lost: AtomicU64,
    subscriber: Mutex<Option<mpsc::Sender<Arc<Entry>>>>,
    tallies: Tallies,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<(Arc<Entry>, usize)>,
    bytes: usize,
    received: u64,
    dropped: u64,
}

/// What was waited for did not come in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not seen within {waited:?}; the journal holds {seen}")]
pub struct NotSeen {
    /// How long was waited.
    pub waited: Duration,
    /// The entries at the end, without headers and bodies.
    pub seen: String,
}

impl Journal {
    /// Keeps the last `capacity` requests; 0 keeps none.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            started: Instant::now(),
            capacity,
            ring: Mutex::default(),
            open_connections: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            subscriber: Mutex::new(None),
            tallies: Tallies::default(),
            changed: Notify::new(),
        }
    }

    /// The requests kept, oldest first.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.ring
            .lock()
            .entries
            .iter()
            .map(|(entry, _)| entry.clone())
            .collect()
    }

    /// Waits until the entries satisfy `seen`: woken by every new request, every write, every
    /// end and every connection that opens or closes. Gives the entries that did.
    pub async fn wait_for(
        &self,
        mut seen: impl FnMut(&[Arc<Entry>]) -> bool,
        within: Duration,
    ) -> Result<Vec<Arc<Entry>>, NotSeen> {
        self.wait(within, || {
            Some(self.entries()).filter(|entries| seen(entries))
        })
        .await
    }

    /// Waits until no connection is open.
    pub async fn wait_for_no_connection(&self, within: Duration) -> Result<(), NotSeen> {
        self.wait(within, || (self.open_connections() == 0).then_some(()))
            .await
    }

    /// Waits until no request is under way.
    pub async fn wait_for_no_request(&self, within: Duration) -> Result<(), NotSeen> {
        self.wait(within, || (self.under_way() == 0).then_some(()))
            .await
    }

    async fn wait<T>(
        &self,
        within: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, NotSeen> {
        let search = async {
            loop {
                // Registered before looking: a change in between is not missed.
                let mut changed = pin!(self.changed.notified());
                changed.as_mut().enable();
                if let Some(found) = look() {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, search)
            .await
            .map_err(|_| NotSeen {
                waited: within,
                seen: format!(
                    "{:?}, {} connections open, {} requests under way",
                    self.entries(),
                    self.open_connections(),
                    self.under_way()
                ),
            })
    }

    /// Forgets all requests and counts of models; those under way are still counted.
    pub fn clear(&self) {
        let mut ring = self.ring.lock();
        ring.entries.clear();
        ring.bytes = 0;
        drop(ring);
        self.tallies.clear();
        self.ring_bell();
    }

    /// What is counted of each model that was asked for.
    pub fn tallies(&self) -> BTreeMap<String, Tally> {
        self.tallies.all()
    }

    /// Requests since the start, kept or not.
    pub fn received(&self) -> u64 {
        self.ring.lock().received
    }

    /// Requests that made room for newer ones.
    pub fn dropped(&self) -> u64 {
        self.ring.lock().dropped
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.open_connections.load(Ordering::Acquire)
    }

    /// Requests whose exchange has not ended.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    /// When the simulator started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Every entry that ends from now on. There is one subscriber: the last one. One that falls
    /// 16,384 entries behind loses the newest; `lost` counts them.
    pub fn subscribe(&self) -> mpsc::Receiver<Arc<Entry>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        *self.subscriber.lock() = Some(sender);
        receiver
    }

    /// Ends the subscription: the receiver gets what is queued, then nothing.
    pub fn unsubscribe(&self) {
        *self.subscriber.lock() = None;
    }

    /// Ended entries that a slow subscriber did not get.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Wakes whoever waits.
    pub(crate) fn ring_bell(&self) {
        self.changed.notify_waiters();
    }

    /// Records a body as far as the journal keeps it.
    pub(crate) fn recorder(&self) -> BodyRecorder {
        if self.capacity > 0 {
            BodyRecorder::keeping()
        } else {
            BodyRecorder::counting()
        }
    }

    /// Numbers an entry and keeps it. Both under one lock: the ring is without gaps.
    fn keep(&self, mut entry: Entry) -> Arc<Entry> {
        let mut ring = self.ring.lock();
        ring.received = ring.received.saturating_add(1);
        entry.number = ring.received;
        let entry = Arc::new(entry);
        if self.capacity > 0 {
            let weight = entry.weight();
            ring.bytes = ring.bytes.saturating_add(weight);
            ring.entries.push_back((entry.clone(), weight));
            ring.make_room(self.capacity);
        }
        entry
    }

    /// Counts what an entry gained since it was kept: its body.
    fn weigh_again(&self, entry: &Entry) {
        let mut ring = self.ring.lock();
        let Some(oldest) = ring.entries.front().map(|(first, _)| first.number) else {
            return;
        };
        let Some(place) = entry.number.checked_sub(oldest) else {
            return;
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let Some((_, weight)) = ring.entries.get_mut(place) else {
            return;
        };
        let now = entry.weight();
        let before = std::mem::replace(weight, now);
        ring.bytes = ring.bytes.saturating_sub(before).saturating_add(now);
        ring.make_room(self.capacity);
    }

    fn ended(&self, entry: &Arc<Entry>) {
        let subscriber = self.subscriber.lock();
        if let Some(sender) = subscriber.as_ref()
            && sender.try_send(entry.clone()).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Ring {
    fn make_room(&mut self, capacity: usize) {
        while self.entries.len() > capacity || self.bytes > MOST_BYTES {
            let Some((_, weight)) = self.entries.pop_front() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(weight);
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

/// An open connection, counted until it is dropped.
pub(crate) struct Connected(Arc<Journal>);

impl Connected {
    pub(crate) fn new(journal: &Arc<Journal>) -> Self {
        journal.open_connections.fetch_add(1, Ordering::AcqRel);
        journal.ring_bell();
        Self(journal.clone())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Ordering::AcqRel);
        self.0.ring_bell();
    }
}

/// A request under way. Dropped without an end, it was stopped.
pub(crate) struct UnderWay<'a> {
    journal: &'a Journal,
    /// What is known of it.
    pub(crate) entry: Arc<Entry>,
}

impl<'a> UnderWay<'a> {
    pub(crate) fn new(journal: &'a Journal, connection: u64, head: &Head) -> Self {
        journal.under_way.fetch_add(1, Ordering::AcqRel);
        let entry = journal.keep(Entry::new(0, connection, head));
        journal.ring_bell();
        Self { journal, entry }
    }

    /// Notes that the body is complete.
    pub(crate) fn body(&self, body: Body) {
        self.entry.set_body(body);
        if !self.entry.body().is_empty() {
            self.journal.weigh_again(&self.entry);
        }
        self.journal.ring_bell();
    }

    /// Notes what model it asks for.
    pub(crate) fn model(&self, model: &str) {
        if model.len() > LONGEST_MODEL {
            return;
        }
        let model: Arc<str> = model.into();
        self.journal.tallies.begin(&model);
        self.entry.set_model(model);
        self.journal.ring_bell();
    }

    /// Notes how it ended.
    pub(crate) fn end(&self, end: End) {
        if self.entry.set_end(end) {
            if let Some(model) = self.entry.model() {
                self.journal.tallies.end(model);
            }
            self.journal.under_way.fetch_sub(1, Ordering::AcqRel);
            self.journal.ended(&self.entry);
            self.journal.ring_bell();
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.end(End::Stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(journal: &Journal) -> UnderWay<'_> {
        let head = Head::parse(b"GET /v1/models HTTP/1.1\r\n\r\n").unwrap();
        UnderWay::new(journal, 1, &head)
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let journal = Journal::new(3);
        for _ in 0..5 {
            request(&journal).end(End::Served);
        }
        let numbers: Vec<_> = journal.entries().iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [3, 4, 5]);
        assert_eq!((journal.received(), journal.dropped()), (5, 2));
        journal.clear();
        assert!(journal.entries().is_empty());
    }

    #[test]
    fn bodies_are_bounded_in_all() {
        let journal = Journal::new(100_000);
        let body = vec![b'x'; crate::sim::entry::KEPT_BODY];
        for _ in 0..4200 {
            let request = request(&journal);
            let mut recorder = BodyRecorder::keeping();
            recorder.push(&body);
            request.body(recorder.finish());
        }
        let bytes: usize = journal.entries().iter().map(|entry| entry.weight()).sum();
        assert!(bytes <= MOST_BYTES, "{bytes}");
        assert_eq!(journal.ring.lock().bytes, bytes);
    }

    #[test]
    fn a_request_that_is_dropped_was_stopped() {
        let journal = Journal::new(1);
        drop(request(&journal));
        assert_eq!(journal.entries()[0].end(), Some(End::Stopped));
        assert_eq!(journal.under_way(), 0);
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_event_and_not_before() {
        let journal = Journal::new(10);
        let wait = journal.wait_for(
            |entries| entries.iter().any(|entry| entry.end() == Some(End::Cut)),
            Duration::from_secs(5),
        );
        let act = async {
            request(&journal).end(End::Served);
            tokio::task::yield_now().await;
            request(&journal).end(End::Cut);
        };
        let (seen, ()) = tokio::join!(wait, act);
        assert_eq!(seen.unwrap().len(), 2);
        let late = journal
            .wait_for(<[_]>::is_empty, Duration::ZERO)
            .await
            .unwrap_err();
        assert!(late.to_string().contains("Entry"), "{late}");
    }
}
