//! What processes tell each other of their targets: which are left alone, and until when. Pure.
//!
//! Each process says what it has found out itself, and takes over what others have. What it has from
//! others it does not say again: it would outlive those who know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::account::shared::Notice;
use crate::relay::standing::TargetState;
use crate::upstream::Ailment;

/// Two ends this near to each other are the same one, told over a network.
const SLACK: Duration = Duration::from_millis(500);

/// What was said and heard of targets, by their names.
#[derive(Debug, Default)]
pub struct Board {
    own: BTreeMap<Arc<str>, Ailment>,
    heard: BTreeMap<Arc<str>, Ailment>,
}

impl Board {
    /// What there is to be said of each target at `now`.
    pub fn say(
        &mut self,
        states: &[(Arc<str>, Arc<TargetState>)],
        now: Instant,
    ) -> Vec<(Arc<str>, Notice)> {
        // A target that a reload took away is nobody's matter.
        let is_there = |name: &Arc<str>| states.iter().any(|(there, _)| there == name);
        self.own.retain(|name, _| is_there(name));
        self.heard.retain(|name, _| is_there(name));
        let say = |(name, state): &(Arc<str>, Arc<TargetState>)| {
            (Arc::clone(name), self.notice(name, state.ailment(now), now))
        };
        states.iter().map(say).collect()
    }

    fn notice(&mut self, name: &Arc<str>, ailment: Option<Ailment>, now: Instant) -> Notice {
        let Some(ailment) = ailment else {
            let said = self.own.remove(name);
            let is_early = said.is_some_and(|said| said.until() > now);
            return if is_early { Notice::Over } else { Notice::None };
        };
        let is_heard = |heard: &Ailment| ailment.until() <= heard.until() + SLACK;
        if !self.own.contains_key(name) && self.heard.get(name).is_some_and(is_heard) {
            return Notice::None;
        }
        // Said each time: whoever keeps the board may have lost it.
        self.own.insert(Arc::clone(name), ailment);
        let left = ailment.until().saturating_duration_since(now);
        match ailment {
            Ailment::Open { .. } => Notice::Open(left),
            Ailment::Cooling { .. } => Notice::Cooling(left),
        }
    }

    /// Takes over what others say of the targets, in the order in which they were told.
    pub fn hear(
        &mut self,
        states: &[(Arc<str>, Arc<TargetState>)],
        notices: &[Notice],
        now: Instant,
    ) {
        for ((name, state), notice) in states.iter().zip(notices) {
            let ailment = match notice {
                Notice::Open(left) => now.checked_add(*left).map(|until| Ailment::Open { until }),
                Notice::Cooling(left) => {
                    let until = now.checked_add(*left);
                    until.map(|until| Ailment::Cooling { until })
                }
                Notice::None | Notice::Over => None,
            };
            match ailment {
                Some(ailment) => self.join(name, state, ailment, now),
                None => self.relieve(name, state, now),
            }
        }
    }

    fn join(&mut self, name: &Arc<str>, state: &TargetState, ailment: Ailment, now: Instant) {
        // Known: it may have been seen to answer here since then.
        let is_known = |known: &Ailment| ailment.until() <= known.until() + SLACK;
        let own = self.own.get(name).is_some_and(is_known);
        if own || self.heard.get(name).is_some_and(is_known) {
            return;
        }
        self.heard.insert(Arc::clone(name), ailment);
        state.join(ailment, now);
    }

    /// Nobody says anything of it: if its time is not over, who said so has seen it answer.
    fn relieve(&mut self, name: &Arc<str>, state: &TargetState, now: Instant) {
        if let Some(Ailment::Open { until }) = self.heard.remove(name)
            && until > now + SLACK
            && !self.own.contains_key(name)
        {
            state.hasten(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::rates::Toll;
    use crate::upstream::{BreakerPolicy, BreakerState, Settled};

    const SECOND: Duration = Duration::from_secs(1);
    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 1,
        open: Duration::from_secs(30),
        longest: Duration::from_mins(5),
    };

    /// A process with one target.
    #[derive(Default)]
    struct Process {
        board: Board,
        state: Arc<TargetState>,
    }

    impl Process {
        fn states(&self) -> Vec<(Arc<str>, Arc<TargetState>)> {
            vec![("sim/m".into(), Arc::clone(&self.state))]
        }

        fn says(&mut self, now: Instant) -> Notice {
            let states = self.states();
            self.board.say(&states, now)[0].1
        }

        fn hears(&mut self, notice: Notice, now: Instant) {
            let states = self.states();
            self.board.hear(&states, &[notice], now);
        }

        fn ends(&self, end: Settled, now: Instant) {
            let mut pass = self.state.resort(Some(&POLICY), Toll::default(), now);
            pass.settle(end, Some(&POLICY), now);
        }
    }

    #[test]
    fn a_breaker_that_opens_in_one_process_opens_in_the_other_and_no_echo_comes_back() {
        let now = Instant::now();
        let (mut one, mut other) = (Process::default(), Process::default());
        assert_eq!(one.says(now), Notice::None);
        one.ends(Settled::Failure, now);
        let said = one.says(now);
        assert_eq!(said, Notice::Open(30 * SECOND));
        other.hears(said, now);
        assert_eq!(other.state.status(now).breaker, BreakerState::Open);
        assert_eq!(other.says(now + SECOND), Notice::None);
        // What it said itself, it hears as well.
        one.hears(said, now);
        assert_eq!(one.says(now + SECOND), Notice::Open(29 * SECOND));
        let later = now + 31 * SECOND;
        assert_eq!(other.state.status(later).breaker, BreakerState::HalfOpen);
        assert_eq!(one.says(later), Notice::None);
    }

    #[test]
    fn who_sees_it_answer_says_so_and_the_others_probe_at_once() {
        let now = Instant::now();
        let (mut one, mut other) = (Process::default(), Process::default());
        one.ends(Settled::Failure, now);
        other.hears(one.says(now), now);
        one.ends(Settled::Success, now + SECOND);
        assert_eq!(one.says(now + SECOND), Notice::Over);
        assert_eq!(one.says(now + SECOND), Notice::None);
        other.hears(Notice::None, now + SECOND);
        assert_eq!(
            other.state.status(now + SECOND).breaker,
            BreakerState::HalfOpen
        );
    }

    #[test]
    fn who_has_seen_it_answer_is_not_talked_out_of_it() {
        let now = Instant::now();
        let mut process = Process::default();
        process.hears(Notice::Open(30 * SECOND), now);
        process.ends(Settled::Success, now + SECOND);
        process.hears(Notice::Open(29 * SECOND), now + SECOND);
        let closed = BreakerState::Closed;
        assert_eq!(process.state.status(now + SECOND).breaker, closed);
        // It fails there again: that is news.
        process.hears(Notice::Open(60 * SECOND), now + 2 * SECOND);
        let open = BreakerState::Open;
        assert_eq!(process.state.status(now + 2 * SECOND).breaker, open);
    }

    #[test]
    fn a_cool_down_is_shared_and_leaves_no_probe_behind() {
        let now = Instant::now();
        let (mut one, mut other) = (Process::default(), Process::default());
        one.state.cool(20 * SECOND, now);
        let said = one.says(now);
        assert_eq!(said, Notice::Cooling(20 * SECOND));
        other.hears(said, now);
        assert_eq!(other.state.status(now).shut_for, Some(20 * SECOND));
        let later = now + 21 * SECOND;
        assert_eq!(other.state.status(later).breaker, BreakerState::Closed);
    }

    #[test]
    fn what_fails_here_again_is_said_although_it_was_heard_before() {
        let now = Instant::now();
        let mut process = Process::default();
        process.hears(Notice::Open(30 * SECOND), now);
        let later = now + 31 * SECOND;
        let mut pass = process.state.admit(Some(&POLICY), Toll::default(), later);
        let probe = pass.as_mut().unwrap();
        probe.settle(Settled::Failure, Some(&POLICY), later);
        assert_eq!(process.says(later), Notice::Open(60 * SECOND));
    }

    #[test]
    fn a_target_that_is_gone_is_forgotten() {
        let now = Instant::now();
        let mut process = Process::default();
        process.ends(Settled::Failure, now);
        process.says(now);
        process.board.say(&[], now);
        assert!(process.board.own.is_empty());
    }
}
