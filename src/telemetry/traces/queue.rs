//! Exchanges that wait to be exported: bounded in spans, handed out in batches, closed with a
//! deadline.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::telemetry::record::Record;
use crate::telemetry::traces::spans;

/// An exchange that has ended.
pub(super) struct Ended {
    pub(super) record: Record,
    /// When it began, by the clock that its attempts are told by.
    pub(super) begun: Instant,
}

/// Spans that may wait.
pub(super) const CAPACITY: usize = 2_048;

/// Spans of a batch.
pub(super) const BATCH: usize = 512;

/// How long spans wait for a batch to be full.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// A batch is full, or the end has come.
    wake: Condvar,
    /// The exporter has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<Ended>>,
    spans: usize,
    /// Until when the exporter may go on; set at the end of the process.
    closing: Option<Instant>,
    is_over: bool,
}

impl Queue {
    /// Takes an exchange in, unless there is no room for its spans. Never waits.
    pub(super) fn push(&self, ended: Box<Ended>) -> Result<(), usize> {
        let number = spans::number(&ended.record);
        let mut state = self.state.lock();
        if state.is_over || state.spans + number > CAPACITY {
            return Err(number);
        }
        let before = state.spans;
        state.spans += number;
        state.waiting.push_back(ended);
        drop(state);
        // A sleeper is woken for a full batch only: a wake is a system call.
        if before < BATCH && before + number >= BATCH {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The next batch, once it is full or has waited long enough; `None` at the end. At least one
    /// exchange, however many spans that has.
    pub(super) fn take(&self) -> Option<Vec<Ended>> {
        let mut state = self.state.lock();
        loop {
            if state.spans < BATCH && state.closing.is_none() {
                let is_open = |state: &mut State| state.spans < BATCH && state.closing.is_none();
                self.wake.wait_while_for(&mut state, is_open, LINGER);
            }
            match (state.waiting.is_empty(), state.closing) {
                (true, Some(_)) => return None,
                (true, None) => {}
                (false, _) => return Some(state.batch()),
            }
        }
    }

    /// Waits before the next try; false if the end comes first.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let mut state = self.state.lock();
        let until = Instant::now() + wait;
        loop {
            let end = state.closing.map_or(until, |closing| closing.min(until));
            if self.wake.wait_until(&mut state, end).timed_out() {
                let now = Instant::now();
                return state.closing.is_none_or(|closing| now < closing);
            }
            if Instant::now() >= until {
                return true;
            }
        }
    }

    /// How long a try may take: no longer than `usual`, nor than the end allows. `None` after it.
    pub(super) fn at_most(&self, usual: Duration) -> Option<Duration> {
        let Some(closing) = self.state.lock().closing else {
            return Some(usual);
        };
        let left = closing.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(usual))
    }

    /// The exporter has ended: nothing more is taken in. How many spans are left.
    pub(super) fn over(&self) -> usize {
        let mut state = self.state.lock();
        state.is_over = true;
        state.waiting.clear();
        self.ended.notify_all();
        std::mem::take(&mut state.spans)
    }

    /// Has everything exported that waits, and waits for it. The first call sets the time.
    pub(super) fn close(&self, at_most: Duration) {
        let mut state = self.state.lock();
        let closing = *state.closing.get_or_insert(Instant::now() + at_most);
        self.wake.notify_all();
        let runs = |state: &mut State| !state.is_over;
        self.ended.wait_while_until(&mut state, runs, closing);
    }

    /// How many spans wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().spans
    }
}

impl State {
    fn batch(&mut self) -> Vec<Ended> {
        let mut batch = Vec::new();
        let mut taken = 0;
        while let Some(next) = self.waiting.front() {
            let number = spans::number(&next.record);
            if taken > 0 && taken + number > BATCH {
                break;
            }
            taken += number;
            batch.extend(self.waiting.pop_front().map(|next| *next));
        }
        self.spans -= taken;
        batch
    }
}
