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

/// Which attempt of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that was alone.
    First,
    /// The one beside it.
    Beside,
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
    ended: impl Fn(Side, &T) -> Ended,
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
        let decides = |side, end: &Option<T>| {
            end.as_ref()
                .is_some_and(|end| ended(side, end) == Ended::Decided)
        };
        if decides(Side::First, &one) {
            return Poll::Ready(());
        }
        if other.is_none() {
            other = ready(second.as_mut().poll(context));
        }
        if decides(Side::Beside, &other) || one.is_some() && other.is_some() {
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready as now};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "a race shows what it has by reference"
    )]
    /// Values below 100 decide, and those from 200 on if the first one says them.
    fn ended(side: Side, value: &u32) -> Ended {
        match (side, value) {
            (_, ..100) | (Side::First, 200..) => Ended::Decided,
            _ => Ended::Failed,
        }
    }

    #[tokio::test]
    async fn a_first_that_ends_in_time_runs_alone() {
        for value in [1, 100] {
            let second = || -> Option<std::future::Ready<u32>> { unreachable!() };
            let done = race(now(value), pending(), second, ended).await;
            assert_eq!(done, (Some(value), None));
        }
    }

    #[tokio::test]
    async fn the_one_that_decides_drops_the_other() {
        struct Dropped<'a>(&'a AtomicBool);
        impl Drop for Dropped<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let dropped = AtomicBool::new(false);
        let first = async {
            let _guard = Dropped(&dropped);
            pending::<u32>().await
        };
        let done = race(first, now(()), || Some(now(7)), ended).await;
        assert_eq!(done, (None, Some(7)));
        assert!(dropped.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_side_that_fails_leaves_the_race_to_the_other() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let first = async { told.await.unwrap() };
        let second = async {
            tell.send(100).unwrap();
            tokio::task::yield_now().await;
            5
        };
        let done = race(first, now(()), || Some(second), ended).await;
        assert_eq!(done, (Some(100), Some(5)));
        let both = race(now(100), pending(), || Some(now(101)), ended).await;
        assert_eq!(both, (Some(100), None), "none was begun");
    }

    #[tokio::test]
    async fn what_ends_the_race_for_one_need_not_end_it_for_the_other() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let first = async { told.await.unwrap() };
        let second = async {
            tell.send(1).unwrap();
            200
        };
        let done = race(first, now(()), || Some(second), ended).await;
        assert_eq!(done, (Some(1), Some(200)));
        let first = async {
            tokio::task::yield_now().await;
            200
        };
        let done = race(first, now(()), || Some(pending()), ended).await;
        assert_eq!(done, (Some(200), None));
    }

    #[tokio::test]
    async fn both_may_fail_and_of_two_answers_at_once_the_first_is_taken() {
        async fn later(value: u32) -> u32 {
            tokio::task::yield_now().await;
            value
        }
        let done = race(later(100), now(()), || Some(later(101)), ended).await;
        assert_eq!(done, (Some(100), Some(101)));
        let done = race(later(1), now(()), || Some(later(2)), ended).await;
        assert_eq!(done, (Some(1), None));
        let done = race(later(1), now(()), || None::<std::future::Ready<u32>>, ended).await;
        assert_eq!(done, (Some(1), None));
    }
}
