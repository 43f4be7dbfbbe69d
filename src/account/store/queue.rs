//! The bounded queue between requests and the writer: who hands over never waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::entry::Entry;

/// What one transaction takes at most.
pub(super) const BATCH: usize = 512;

/// How long the first entry waits for company. A crash loses this, and what the transaction takes.
const GATHER: Duration = Duration::from_millis(100);

/// The time between two tries once the process ends.
const LAST_TRIES: Duration = Duration::from_millis(100);

/// An entry and its number, from 0 in each process.
pub(super) type Numbered = (u64, Box<Entry>);

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    /// Something is to be done.
    work: Condvar,
    /// The writer got on, or ended.
    progress: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Numbered>,
    /// The next entry's number; also how many were taken in.
    next: u64,
    /// How many of those are written or given up.
    finished: u64,
    /// When the writer has to be done at last.
    deadline: Option<Instant>,
    ended: bool,
}

/// Whether an entry found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    Full,
}

/// Whether the writer may go on trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Left,
    Over,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) struct Work {
    /// To be written; may be empty.
    pub(super) batch: Vec<Numbered>,
    /// Nothing will come after it.
    pub(super) is_last: bool,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// Takes an entry in, if there is room.
    pub(super) fn push(&self, entry: Box<Entry>) -> Pushed {
        let mut state = self.state.lock();
        if state.entries.len() >= self.capacity || state.ended {
            return Pushed::Full;
        }
        let number = state.next;
        state.next += 1;
        state.entries.push_back((number, entry));
        let waiting = state.entries.len();
        drop(state);
        // To wake a thread takes longer than all the rest: the first entry does, and a full batch.
        if waiting == 1 || waiting == BATCH {
            self.work.notify_one();
        }
        Pushed::Queued
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.state.lock().entries.len()
    }

    /// Waits for entries, for `idle` at most, and then a little for more of them.
    pub(super) fn gather(&self, idle: Duration) -> Work {
        let mut state = self.state.lock();
        if state.entries.is_empty() && state.deadline.is_none() {
            self.work.wait_for(&mut state, idle);
        }
        if !state.entries.is_empty() {
            let until = Instant::now() + GATHER;
            let is_short =
                |state: &mut State| state.entries.len() < BATCH && state.deadline.is_none();
            self.work.wait_while_until(&mut state, is_short, until);
        }
        let number = state.entries.len().min(BATCH);
        Work {
            batch: state.entries.drain(..number).collect(),
            is_last: state.deadline.is_some() && state.entries.is_empty(),
        }
    }

    /// Waits before another try; less once the process is to end.
    pub(super) fn pause(&self, time: Duration) -> Patience {
        let mut state = self.state.lock();
        let until = Instant::now() + time;
        let goes_on = |state: &mut State| state.deadline.is_none();
        self.work.wait_while_until(&mut state, goes_on, until);
        let Some(deadline) = state.deadline else {
            return Patience::Left;
        };
        self.work.wait_for(&mut state, LAST_TRIES.min(time));
        if Instant::now() < deadline {
            Patience::Left
        } else {
            Patience::Over
        }
    }

    /// Notes that entries were written or given up.
    pub(super) fn finish(&self, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.state.lock().finished += number;
        self.progress.notify_all();
    }

    /// The writer has ended: nothing is taken in any more. How many still waited.
    pub(super) fn end(&self) -> usize {
        let mut state = self.state.lock();
        state.ended = true;
        let left = state.entries.len();
        state.entries.clear();
        drop(state);
        self.progress.notify_all();
        left
    }

    /// Waits until all that was taken in so far is written or given up; whether it is.
    #[cfg(test)]
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        let mut state = self.state.lock();
        let taken = state.next;
        let behind = |state: &mut State| state.finished < taken && !state.ended;
        !self
            .progress
            .wait_while_for(&mut state, behind, at_most)
            .timed_out()
    }

    /// Has the writer finish what waits and end; waits for that as long as it may take.
    pub(super) fn close(&self, at_most: Duration) {
        let mut state = self.state.lock();
        let deadline = Instant::now() + at_most;
        state.deadline.get_or_insert(deadline);
        self.work.notify_one();
        let runs = |state: &mut State| !state.ended;
        // It may hang in the kernel: a moment beyond its own deadline, and the process ends.
        let until = deadline + LAST_TRIES * 2;
        self.progress.wait_while_until(&mut state, runs, until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn entry() -> Box<Entry> {
        Box::new(Entry::at(SystemTime::UNIX_EPOCH))
    }

    #[test]
    fn what_finds_no_room_is_refused_and_numbers_have_no_gaps() {
        let queue = Queue::new(3);
        let pushed: Vec<_> = (0..5).map(|_| queue.push(entry())).collect();
        assert_eq!(
            pushed,
            [
                Pushed::Queued,
                Pushed::Queued,
                Pushed::Queued,
                Pushed::Full,
                Pushed::Full
            ]
        );
        let taken = queue.gather(Duration::ZERO);
        queue.push(entry());
        let more = queue.gather(Duration::ZERO);
        let numbers = |work: &Work| {
            work.batch
                .iter()
                .map(|(number, _)| *number)
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(&taken), [0, 1, 2]);
        assert_eq!(numbers(&more), [3]);
        assert!(!more.is_last);
    }

    #[test]
    fn a_full_batch_waits_for_nobody_and_is_no_longer_than_it_may_be() {
        let queue = Queue::new(10_000);
        for _ in 0..=BATCH {
            queue.push(entry());
        }
        assert_eq!(queue.gather(Duration::ZERO).batch.len(), BATCH);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn once_it_is_closed_what_waits_is_the_last_and_patience_ends() {
        let queue = Queue::new(10);
        queue.push(entry());
        assert_eq!(queue.pause(Duration::from_millis(1)), Patience::Left);
        queue.close(Duration::ZERO);
        let work = queue.gather(Duration::from_mins(1));
        assert_eq!((work.batch.len(), work.is_last), (1, true));
        assert_eq!(queue.pause(Duration::from_mins(1)), Patience::Over);
        assert_eq!(queue.end(), 0);
        assert_eq!(queue.push(entry()), Pushed::Full);
    }
}
