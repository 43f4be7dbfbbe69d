//! The walk along a plan: which target is tried next, after what wait, and when to give up.
//!
//! Pure: rulings and chance come in, steps go out.

use std::time::Duration;

use smallvec::SmallVec;

use crate::relay::backoff;
use crate::relay::verdict::Ruling;
use crate::route::{Place, Plan, Resort, Retries};
use crate::telemetry::AttemptKind;

/// What is left of an attempt's worth of time, at least, for it to be begun.
const LEAST_ROOM: Duration = Duration::from_millis(10);

/// Whether an exchange can still go to another target when an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayOut {
    /// It can: the head of the answer is worth holding back and looking at.
    Open,
    /// It cannot: whatever comes is the answer.
    Shut,
}

/// Where an exchange stands on its way along the plan.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    places: SmallVec<[Place; 4]>,
    retries: Retries,
    /// The place in `places` of the target that is being tried.
    at: usize,
    /// How often that target has been tried.
    tries: u32,
    /// Attempts in all.
    made: u32,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An attempt at this place, after that wait.
    Attempt {
        place: Place,
        kind: AttemptKind,
        wait: Duration,
    },
    /// Nothing is left.
    Exhausted,
}

/// What a step along the walk depends on beside the ruling.
pub(super) struct Terms<'a> {
    /// The time until the exchange's deadline.
    pub(super) room: Duration,
    /// Takes a try from the process's retry budget.
    pub(super) spend: &'a mut dyn FnMut() -> bool,
    /// Chance, for the jitter.
    pub(super) chance: u64,
}

impl Walk {
    /// A walk that has not begun.
    pub(super) fn new(plan: &Plan, retries: &Retries) -> Self {
        Self {
            places: plan.places.clone(),
            retries: retries.clone(),
            at: 0,
            tries: 0,
            made: 0,
        }
    }

    /// The first step.
    pub(super) fn first(&mut self, terms: &mut Terms<'_>) -> Next {
        self.enter(0, AttemptKind::First, terms.spend)
    }

    /// The places that have not been come to yet.
    pub(super) fn ahead(&self) -> &[Place] {
        self.places.get(self.at + 1..).unwrap_or_default()
    }

    /// Whether another target can be gone to from here.
    pub(super) fn way_out(&self) -> WayOut {
        if self.at + 1 < self.places.len() && self.made < self.retries.max_attempts {
            return WayOut::Open;
        }
        WayOut::Shut
    }

    /// The step after a failure.
    pub(super) fn next(&mut self, ruling: Ruling, terms: &mut Terms<'_>) -> Next {
        if self.made >= self.retries.max_attempts || terms.room < LEAST_ROOM {
            return Next::Exhausted;
        }
        match ruling {
            Ruling::Surface => Next::Exhausted,
            Ruling::Retry { after } => match self.wait(after, terms) {
                Some(wait) if (terms.spend)() => self.again(wait),
                _ => self.fall(terms),
            },
            Ruling::FallBack => self.fall(terms),
            Ruling::FallBackOrRetry if self.at + 1 < self.places.len() => self.fall(terms),
            Ruling::FallBackOrRetry => match self.wait(None, terms) {
                Some(wait) if (terms.spend)() => self.again(wait),
                _ => Next::Exhausted,
            },
        }
    }

    /// The target of the step just given cannot be tried after all: its breaker has shut, or another
    /// attempt probes it. It is gone back to when nothing else is left.
    pub(super) fn pass_over(&mut self, terms: &mut Terms<'_>) -> Next {
        let is_retry = self.tries > 1;
        if is_retry && self.at + 1 < self.places.len() {
            self.made = self.made.saturating_sub(1);
            return self.fall(terms);
        }
        let Some(place) = self.places.get_mut(self.at) else {
            return Next::Exhausted;
        };
        place.resort = Some(Resort::Probed);
        if is_retry {
            return Next::Attempt {
                place: *place,
                kind: AttemptKind::Retry,
                wait: Duration::ZERO,
            };
        }
        self.made = self.made.saturating_sub(1);
        let place = self.places.remove(self.at);
        self.places.push(place);
        let kind = match self.made {
            0 => AttemptKind::First,
            _ => AttemptKind::Fallback,
        };
        self.enter(self.at, kind, terms.spend)
    }

    /// The target of the step just given cannot serve this request at all: it was not tried, and it
    /// is not gone back to.
    pub(super) fn leave_out(&mut self, terms: &mut Terms<'_>) -> Next {
        self.made = self.made.saturating_sub(1);
        if self.at < self.places.len() {
            self.places.remove(self.at);
        }
        let kind = match self.made {
            0 => AttemptKind::First,
            _ => AttemptKind::Fallback,
        };
        self.enter(self.at, kind, terms.spend)
    }

    /// A place to be tried beside the one that is being tried, if another target is left that
    /// nothing speaks against.
    pub(super) fn beside(&mut self) -> Option<Place> {
        if self.made >= self.retries.max_attempts {
            return None;
        }
        let place = *self.places.get(self.at + 1)?;
        if place.resort.is_some() {
            return None;
        }
        self.at += 1;
        self.made += 1;
        self.tries = 1;
        Some(place)
    }

    fn wait(&self, after: Option<Duration>, terms: &Terms<'_>) -> Option<Duration> {
        if self.tries > self.retries.same_target {
            return None;
        }
        let wait = match after {
            Some(after) if after > self.retries.patience => return None,
            Some(after) => after,
            None => backoff::full_jitter(self.tries, terms.chance),
        };
        (wait + LEAST_ROOM <= terms.room).then_some(wait)
    }

    fn again(&mut self, wait: Duration) -> Next {
        let Some(place) = self.places.get(self.at) else {
            return Next::Exhausted;
        };
        self.made += 1;
        self.tries += 1;
        Next::Attempt {
            place: *place,
            kind: AttemptKind::Retry,
            wait,
        }
    }

    fn fall(&mut self, terms: &mut Terms<'_>) -> Next {
        self.enter(self.at + 1, AttemptKind::Fallback, terms.spend)
    }

    fn enter(&mut self, at: usize, kind: AttemptKind, spend: &mut dyn FnMut() -> bool) -> Next {
        let Some(place) = self.places.get(at).copied() else {
            return Next::Exhausted;
        };
        // Leaning on targets that are known to be down makes a storm of an outage; but the first
        // attempt of an exchange is always made.
        if place.resort.is_some() && self.made > 0 && !spend() {
            return Next::Exhausted;
        }
        self.at = at;
        self.tries = 1;
        self.made += 1;
        Next::Attempt {
            place,
            kind,
            wait: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::relay::verdict::Ruling::{FallBack, FallBackOrRetry, Retry, Surface};
    use AttemptKind::{Fallback, First};

    const SECOND: Duration = Duration::from_secs(1);
    const AT_ONCE: Ruling = Retry { after: None };

    fn places(well: usize, shut: usize) -> Plan {
        let place = |target| Place {
            target,
            resort: (target >= well).then_some(Resort::Probed),
        };
        Plan {
            places: (0..well + shut).map(place).collect(),
            ..Plan::default()
        }
    }

    fn walk(well: usize, shut: usize) -> Walk {
        Walk::new(&places(well, shut), &Retries::default())
    }

    fn with<T>(spend: impl Fn() -> bool, step: impl FnOnce(&mut Terms<'_>) -> T) -> T {
        step(&mut Terms {
            room: 100 * SECOND,
            spend: &mut || spend(),
            chance: 0,
        })
    }

    /// Which target is tried, as what.
    fn step(walk: &mut Walk, ruling: Ruling) -> Option<(usize, AttemptKind)> {
        told(with(|| true, |terms| walk.next(ruling, terms)))
    }

    fn told(next: Next) -> Option<(usize, AttemptKind)> {
        match next {
            Next::Attempt { place, kind, .. } => Some((place.target, kind)),
            Next::Exhausted => None,
        }
    }

    fn first(walk: &mut Walk) -> Option<(usize, AttemptKind)> {
        told(with(|| true, |terms| walk.first(terms)))
    }

    #[test]
    fn an_attempt_beside_another_is_one_of_those_that_are_allowed() {
        let retries = Retries {
            max_attempts: 2,
            ..Retries::default()
        };
        let mut walk = Walk::new(&places(3, 0), &retries);
        let mut spend = || true;
        let mut terms = Terms {
            room: SECOND,
            spend: &mut spend,
            chance: 0,
        };
        walk.first(&mut terms);
        assert_eq!(walk.beside().map(|place| place.target), Some(1));
        assert_eq!(walk.beside(), None);
        assert_eq!(walk.next(FallBack, &mut terms), Next::Exhausted);
    }

    #[test]
    fn a_target_that_is_left_out_is_no_attempt_and_is_not_gone_back_to() {
        let retries = Retries {
            max_attempts: 2,
            ..Retries::default()
        };
        let mut walk = Walk::new(&places(3, 0), &retries);
        let mut spend = || true;
        let mut terms = Terms {
            room: SECOND,
            spend: &mut spend,
            chance: 0,
        };
        walk.first(&mut terms);
        let target = |next| match next {
            Next::Attempt { place, kind, .. } => Some((place.target, kind)),
            Next::Exhausted => None,
        };
        assert_eq!(target(walk.leave_out(&mut terms)), Some((1, First)));
        let next = walk.next(FallBack, &mut terms);
        assert_eq!(target(next), Some((2, Fallback)));
        assert_eq!(target(walk.leave_out(&mut terms)), None);
    }

    #[test]
    fn a_target_is_tried_once_more_and_then_the_next() {
        let mut walk = walk(2, 0);
        assert_eq!(first(&mut walk), Some((0, First)));
        assert_eq!(step(&mut walk, AT_ONCE), Some((0, AttemptKind::Retry)));
        assert_eq!(step(&mut walk, AT_ONCE), Some((1, Fallback)));
        assert_eq!(step(&mut walk, AT_ONCE), Some((1, AttemptKind::Retry)));
        assert_eq!(step(&mut walk, AT_ONCE), None, "four attempts were made");
    }

    #[test]
    fn a_silent_target_is_asked_again_only_when_it_is_the_last() {
        let mut walk = walk(2, 0);
        first(&mut walk);
        assert_eq!(step(&mut walk, FallBackOrRetry), Some((1, Fallback)));
        let retry = Some((1, AttemptKind::Retry));
        assert_eq!(step(&mut walk, FallBackOrRetry), retry);
        assert_eq!(step(&mut walk, FallBackOrRetry), None);
    }

    #[test]
    fn what_surfaces_or_has_nowhere_to_go_ends_the_walk() {
        let mut walk = walk(2, 0);
        first(&mut walk);
        assert_eq!(step(&mut walk.clone(), Surface), None);
        assert_eq!(step(&mut walk, FallBack), Some((1, Fallback)));
        assert_eq!(step(&mut walk, FallBack), None);
        assert_eq!(first(&mut self::walk(0, 0)), None);
    }

    #[test]
    fn a_wait_beyond_patience_or_time_is_a_fallback() {
        let after = |wait| Retry { after: Some(wait) };
        for (wait, room, expected) in [
            (2 * SECOND, 100 * SECOND, (0, AttemptKind::Retry)),
            (3 * SECOND, 100 * SECOND, (1, Fallback)),
            (2 * SECOND, 2 * SECOND, (1, Fallback)),
            (2 * SECOND, 2 * SECOND + LEAST_ROOM, (0, AttemptKind::Retry)),
        ] {
            let mut walk = walk(2, 0);
            first(&mut walk);
            let mut terms = Terms {
                room,
                spend: &mut || true,
                chance: 0,
            };
            let next = walk.next(after(wait), &mut terms);
            assert_eq!(told(next), Some(expected), "{wait:?} in {room:?}");
        }
    }

    #[test]
    fn no_attempt_begins_without_time_for_it() {
        let mut walk = walk(2, 0);
        first(&mut walk);
        for (room, expected) in [
            (LEAST_ROOM, Some((1, Fallback))),
            (Duration::from_millis(9), None),
        ] {
            let mut terms = Terms {
                room,
                spend: &mut || true,
                chance: 0,
            };
            assert_eq!(told(walk.clone().next(FallBack, &mut terms)), expected);
        }
    }

    #[test]
    fn without_budget_nothing_is_retried_and_nobody_leans_on_what_is_down() {
        let mut walk = walk(2, 1);
        assert_eq!(told(with(|| false, |t| walk.first(t))), Some((0, First)));
        let next = with(|| false, |terms| walk.next(AT_ONCE, terms));
        assert_eq!(told(next), Some((1, Fallback)), "falling back is free");
        let next = with(|| false, |terms| walk.clone().next(FallBackOrRetry, terms));
        assert_eq!(told(next), None);
        assert_eq!(step(&mut walk, FallBack), Some((2, Fallback)));
        let mut last = self::walk(1, 0);
        first(&mut last);
        let next = with(|| false, |terms| last.next(FallBackOrRetry, terms));
        assert_eq!(told(next), None);
    }

    #[test]
    fn the_first_attempt_is_made_whatever_is_down() {
        let mut walk = walk(0, 2);
        assert_eq!(told(with(|| false, |t| walk.first(t))), Some((0, First)));
    }

    #[test]
    fn a_target_that_is_probed_by_another_waits_at_the_end() {
        let mut walk = walk(2, 0);
        first(&mut walk);
        let next = with(|| true, |terms| walk.pass_over(terms));
        assert_eq!(told(next), Some((1, First)));
        assert_eq!(walk.way_out(), WayOut::Open);
        assert_eq!(step(&mut walk, FallBack), Some((0, Fallback)));
        assert_eq!(walk.way_out(), WayOut::Shut);
        let mut only = self::walk(1, 0);
        first(&mut only);
        assert_eq!(
            step(&mut only.clone(), AT_ONCE),
            Some((0, AttemptKind::Retry))
        );
        let next = with(|| false, |terms| only.pass_over(terms));
        assert!(matches!(next, Next::Attempt { place, .. } if place.resort.is_some()));
    }

    #[test]
    fn a_retry_that_its_breaker_refuses_goes_on_to_the_next_target() {
        let mut walk = walk(2, 0);
        first(&mut walk);
        step(&mut walk, AT_ONCE);
        let next = with(|| true, |terms| walk.pass_over(terms));
        assert_eq!(told(next), Some((1, Fallback)));
        step(&mut walk, AT_ONCE);
        let next = with(|| true, |terms| walk.pass_over(terms));
        assert!(
            matches!(next, Next::Attempt { place, kind: AttemptKind::Retry, .. }
                if place.target == 1 && place.resort.is_some()),
            "{next:?}: there is no other way"
        );
        assert_eq!(step(&mut walk, AT_ONCE), None, "it was tried twice");
    }

    #[test]
    fn a_hedge_takes_the_next_place_and_an_attempt() {
        let mut walk = walk(2, 1);
        first(&mut walk);
        assert_eq!(walk.beside().map(|place| place.target), Some(1));
        assert_eq!(walk.beside(), None, "nobody leans on what is down");
        assert_eq!(step(&mut walk, FallBack), Some((2, Fallback)));
        let once = Retries {
            max_attempts: 1,
            ..Retries::default()
        };
        let mut walk = Walk::new(&places(2, 0), &once);
        first(&mut walk);
        assert_eq!(walk.way_out(), WayOut::Shut);
        assert_eq!(walk.beside(), None);
    }

    fn ruling() -> impl Strategy<Value = Ruling> {
        prop_oneof![
            Just(AT_ONCE),
            (0..4_u32).prop_map(|wait| Retry {
                after: Some(SECOND * wait)
            }),
            Just(FallBack),
            Just(FallBackOrRetry),
        ]
    }

    proptest! {
        #[test]
        fn a_walk_ends_within_its_attempts_and_no_target_is_tried_too_often(
            well in 0..5_usize, shut in 0..3_usize,
            rulings in prop::collection::vec((ruling(), any::<bool>()), 20),
            same_target in 0..4_u32, max_attempts in 1..9_u32,
        ) {
            let retries = Retries { same_target, max_attempts, ..Retries::default() };
            let mut walk = Walk::new(&places(well, shut), &retries);
            let mut tries = vec![0; well + shut];
            let mut next = with(|| true, |terms| walk.first(terms));
            for (ruling, spend) in rulings {
                let Some((target, _)) = told(next) else { break };
                tries[target] += 1;
                next = with(|| spend, |terms| walk.next(ruling, terms));
            }
            prop_assert_eq!(next, Next::Exhausted);
            prop_assert!(tries.iter().sum::<u32>() <= max_attempts);
            prop_assert!(tries.iter().all(|tries| *tries <= same_target + 1));
        }

        #[test]
        fn no_target_is_forgotten_while_attempts_are_left(well in 1..5_usize, shut in 0..3_usize) {
            let retries = Retries { same_target: 0, max_attempts: 16, ..Retries::default() };
            let mut walk = Walk::new(&places(well, shut), &retries);
            let mut tried = Vec::new();
            let mut next = first(&mut walk);
            while let Some((target, _)) = next {
                tried.push(target);
                next = step(&mut walk, FallBackOrRetry);
            }
            prop_assert_eq!(tried, (0..well + shut).collect::<Vec<_>>());
        }
    }
}
