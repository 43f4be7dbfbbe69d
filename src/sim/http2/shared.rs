//! What the streams of a connection and the task that drives it tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// How a script ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finale {
    /// In good order, but without a GOAWAY.
    Orderly,
    /// With a bare FIN.
    Cut,
    /// With bytes of no format, then a FIN.
    Garbage,
}

/// What the streams and their connection tell each other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Turns that the connection has begun. What a stream hands over before a turn begins is
    /// written in it, unless the socket is full.
    turns: AtomicU64,
    waker: AtomicWaker,
    goaway: AtomicBool,
    finale: Mutex<Option<Finale>>,
}

impl Shared {
    /// Begins a turn, and gives its number.
    pub(super) fn begin_turn(&self, waker: &Waker) -> u64 {
        // In this order: what is asked for after the turn has begun wakes it again.
        self.waker.register(waker);
        let before = self.turns.fetch_add(1, Ordering::SeqCst);
        before.saturating_add(1)
    }

    /// The next turn that begins from now on, for which the connection is woken.
    pub(super) fn next_turn(&self) -> u64 {
        let turn = self.turns.load(Ordering::SeqCst).saturating_add(1);
        self.waker.wake();
        turn
    }

    /// Asks for a GOAWAY; it is written in the next turn.
    pub(super) fn go_away(&self) {
        self.goaway.store(true, Ordering::SeqCst);
    }

    /// Whether a GOAWAY was asked for since the last turn.
    pub(super) fn takes_goaway(&self) -> bool {
        self.goaway.swap(false, Ordering::SeqCst)
    }

    /// Ends the connection; the first end counts.
    pub(super) fn finish(&self, finale: Finale) {
        self.finale.lock().get_or_insert(finale);
        self.waker.wake();
    }

    /// How a script has ended the connection, if one has.
    pub(super) fn finale(&self) -> Option<Finale> {
        *self.finale.lock()
    }

    /// Whether a script has ended the connection.
    pub(super) fn is_finished(&self) -> bool {
        self.finale().is_some()
    }
}
