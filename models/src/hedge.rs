//! Two attempts side by side, of which one may win.
//!
//! Nothing here can commit twice: an answer is a value that one side hands over, and handing it
//! over ends the race, which drops the other side and so cancels it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// What the end of one side means for the race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// An answer, or an error that the other side cannot better: the race is over.
    Decided,
    /// It failed; the other side may still answer.
    Failed,
}

/// Runs `first`; when `silence` is over before it ends, runs beside it what `second` gives. Ends
/// when a side decides the race or all sides have failed: a side that was never begun, or was
/// dropped while it ran, has `None` in its place.
///
/// # Cancel safety
/// Dropped, it drops both sides.
pub(super) async fn race<T, S: Future<Output = T>>(
    first: impl Future<Output = T>,
    silence: impl Future<Output = ()>,
    second: impl FnOnce() -> Option<S>,
    ended: impl Fn(&T) -> Ended,
) -> (Option<T>, Option<T>) {
    let mut first = pin!(first);
    let mut silence = pin!(silence);
    let alone = poll_fn(|context| match first.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => silence.as_mut().poll(context).map(|()| None),
    });
    if let Some(value) = alone.await {
        return (Some(value), None);
    }
    let Some(second) = second() else {
        return (Some(first.await), None);
    };
    let mut second = pin!(second);
    let (mut one, mut other) = (None, None);
    poll_fn(|context| {
        if one.is_none() {
            one = ready(first.as_mut().poll(context));
        }
        if one.as_ref().is_some_and(|one| ended(one) == Ended::Decided) {
            return Poll::Ready(());
        }
        if other.is_none() {
            other = ready(second.as_mut().poll(context));
        }
        let decided = other
            .as_ref()
            .is_some_and(|other| ended(other) == Ended::Decided);
        if decided || one.is_some() && other.is_some() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
    (one, other)
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
