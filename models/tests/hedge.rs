//! Two attempts whose answers come from other threads at any moment: one commits, the other is
//! cancelled, whoever wakes the exchange when.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::thread;
use segue_models::{Mutex, race};

/// How often a thread is interrupted where it could have gone on, at most: all orders of all steps
/// would take minutes.
const PREEMPTIONS: usize = 3;

/// What a provider's connection brings: whether the answer's head passes its gate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Head {
    Good,
    Bad,
}

/// A connection on which another thread delivers.
#[derive(Default)]
struct Wire(Mutex<Delivery>);

#[derive(Default)]
struct Delivery {
    head: Option<Head>,
    reader: Option<Waker>,
}

impl Wire {
    fn deliver(&self, head: Head) {
        let mut delivery = self.0.lock();
        delivery.head = Some(head);
        let reader = delivery.reader.take();
        drop(delivery);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_head(&self, context: &mut Context<'_>) -> Poll<Head> {
        let mut delivery = self.0.lock();
        if let Some(head) = delivery.head {
            return Poll::Ready(head);
        }
        delivery.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

/// What reaches the client: a commit is the one value that stands for it, handed over.
struct Held(usize);

/// What became of the attempts.
#[derive(Default)]
struct Ends {
    failed: AtomicUsize,
    cancelled: AtomicUsize,
}

/// One attempt; dropped before its end, it is cancelled.
struct Attempt<'a> {
    number: usize,
    wire: &'a Wire,
    ends: &'a Ends,
    over: bool,
}

impl Future for Attempt<'_> {
    type Output = Option<Held>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Held>> {
        assert!(!self.over, "an attempt goes on after its end");
        let Poll::Ready(head) = self.wire.poll_head(context) else {
            return Poll::Pending;
        };
        self.over = true;
        Poll::Ready(match head {
            Head::Good => Some(Held(self.number)),
            Head::Bad => {
                self.ends.failed.fetch_add(1, SeqCst);
                None
            }
        })
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.ends.cancelled.fetch_add(1, SeqCst);
        }
    }
}

/// What is there when the race begins; all else comes from a thread of its own.
#[derive(Clone, Copy, PartialEq)]
enum There {
    /// The silence is over: both attempts run.
    Silence,
    /// The head that the second attempt will meet.
    Second,
}

fn explore(heads: [Head; 2], there: There) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let [first, second, silence] = [0, 1, 2].map(|_| Arc::<Wire>::default());
        let (late, early) = match there {
            There::Silence => ((&second, heads[1]), (&silence, Head::Good)),
            There::Second => ((&silence, Head::Good), (&second, heads[1])),
        };
        early.0.deliver(early.1);
        let threads = [(&first, heads[0]), late].map(|(wire, head)| {
            let wire = Arc::clone(wire);
            thread::spawn(move || wire.deliver(head))
        });
        let wires = [&first, &second];
        let ends = Ends::default();
        let attempt = |number: usize| Attempt {
            number,
            wire: wires[number],
            ends: &ends,
            over: false,
        };
        let begun = Cell::new(1);
        let second = || {
            begun.set(2);
            Some(attempt(1))
        };
        let quiet = poll_fn(|context| silence.poll_head(context).map(|_| ()));
        let done = block_on(race(attempt(0), quiet, second, Option::is_some));
        for thread in threads {
            thread.join().unwrap();
        }

        let committed: Vec<usize> = [&done.0, &done.1]
            .into_iter()
            .flatten()
            .flatten()
            .map(|held| held.0)
            .collect();
        let (failed, cancelled) = (ends.failed.load(SeqCst), ends.cancelled.load(SeqCst));
        assert!(committed.len() <= 1, "two commits");
        // Every attempt that was begun came to exactly one end.
        assert_eq!(committed.len() + failed + cancelled, begun.get());
        match committed.first() {
            Some(winner) => assert_eq!(heads[*winner], Head::Good),
            // Nobody gives up while the other may still answer.
            None => assert_eq!(failed, begun.get()),
        }
        if begun.get() == 2 && heads.contains(&Head::Good) {
            assert_eq!(committed.len(), 1);
        }
    });
}

#[test]
fn one_of_two_answers_commits_and_the_other_attempt_is_cancelled() {
    explore([Head::Good, Head::Good], There::Silence);
    explore([Head::Good, Head::Good], There::Second);
}

#[test]
fn a_side_that_fails_leaves_the_race_to_the_other() {
    for heads in [[Head::Bad, Head::Good], [Head::Good, Head::Bad]] {
        explore(heads, There::Silence);
        explore(heads, There::Second);
    }
}

#[test]
fn two_that_fail_end_the_race_without_a_commit() {
    explore([Head::Bad, Head::Bad], There::Silence);
    explore([Head::Bad, Head::Bad], There::Second);
}
