//! A share of recent exchanges, plus a floor: what retries and hedges may spend.
//!
//! An outage makes every exchange want another try. What all of them may have together grows with
//! the exchanges there are and, so that a quiet process can try again too, with time. Pure but
//! for its lock: time comes in as an argument.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A try, in the unit that is counted in: a floor of one a second adds one each microsecond.
const TRY: u64 = 1_000_000;
/// For so many seconds the floor is kept, if nobody spends it.
const KEPT_SECONDS: u64 = 10;
/// So many tries are kept besides, be there a floor or not.
const BURST: u64 = 10;

/// A budget that exchanges and time fill and tries (retries, hedges) empty.
///
/// In any stretch of time no more is spent than what it held at its beginning, the floor's seconds,
/// the share of the exchanges that began in it, and a try for each of its rewards. It holds at most 10 s worth of the floor and a
/// burst of 10, and that much at first.
#[derive(Debug)]
pub struct Allowance {
    /// What an exchange adds, in millionths of a try.
    share: u64,
    /// What a second adds, in tries; or a microsecond, in millionths.
    floor: u64,
    /// What is kept at most, in millionths.
    most: u64,
    account: Mutex<Account>,
}

#[derive(Debug)]
struct Account {
    /// In millionths of a try.
    balance: u64,
    /// Until when the floor has been paid in.
    paid: Instant,
}

impl Allowance {
    /// An allowance of `share` tries an exchange (0 to 1) and `floor` tries a second, full.
    pub fn new(share: f64, floor: u32, now: Instant) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between 0 and 1,000,000"
        )]
        let share = (share.clamp(0.0, 1.0) * TRY as f64).round() as u64;
        let floor = u64::from(floor);
        let most = (floor * KEPT_SECONDS + BURST) * TRY;
        Self {
            share,
            floor,
            most,
            account: Mutex::new(Account {
                balance: most,
                paid: now,
            }),
        }
    }

    /// An exchange begins.
    pub fn deposit(&self) {
        let mut account = self.account.lock();
        // What is too much is cut when somebody spends.
        account.balance = account.balance.saturating_add(self.share);
    }

    /// An exchange gets its answer: where answers come, another try is worth making.
    pub fn reward(&self) {
        let mut account = self.account.lock();
        account.balance = account.balance.saturating_add(TRY);
    }

    /// Takes one try, or says that there is none left at `now`. A `now` before the last one is
    /// taken for the last one.
    #[must_use]
    pub fn withdraw(&self, now: Instant) -> bool {
        let mut account = self.account.lock();
        // Whole microseconds only: what is left of one is paid in with the next.
        let passed = now.saturating_duration_since(account.paid);
        let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
        account.paid += Duration::from_micros(micros);
        let floor = self.floor.saturating_mul(micros);
        account.balance = account.balance.saturating_add(floor).min(self.most);
        let Some(rest) = account.balance.checked_sub(TRY) else {
            return false;
        };
        account.balance = rest;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn spend(allowance: &Allowance, now: Instant) -> u32 {
        let mut spent = 0;
        while allowance.withdraw(now) {
            spent += 1;
        }
        spent
    }

    #[test]
    fn it_is_full_at_first_and_keeps_ten_seconds_of_the_floor_and_ten_tries() {
        let start = Instant::now();
        for (floor, most) in [(0, 10), (1, 20), (7, 80)] {
            let allowance = Allowance::new(0.2, floor, start);
            assert_eq!(spend(&allowance, start), most, "{floor}");
            for _ in 0..1000 {
                allowance.deposit();
            }
            assert_eq!(spend(&allowance, start), most, "{floor}, of exchanges");
        }
        let allowance = Allowance::new(0.2, 7, start);
        assert_eq!(spend(&allowance, start), 80);
        assert_eq!(spend(&allowance, start + 3600 * SECOND), 80);
    }

    #[test]
    fn an_exchange_adds_its_share_and_time_the_floor_without_losing_a_fraction() {
        let start = Instant::now();
        let cases = [
            (0.2, 50, 10),
            (0.001, 3000, 3),
            (0.0157, 10_000, 157),
            (1.0, 7, 7),
            (0.0, 9, 0),
        ];
        for (share, exchanges, tries) in cases {
            let allowance = Allowance::new(share, 20, start);
            spend(&allowance, start);
            for _ in 0..exchanges {
                allowance.deposit();
            }
            assert_eq!(spend(&allowance, start), tries, "{share}");
        }
        let allowance = Allowance::new(0.0, 2, start);
        spend(&allowance, start);
        let (mut now, mut spent) = (start, 0);
        // No whole number of microseconds.
        for _ in 0..10_000 {
            now += Duration::from_nanos(1_000_100);
            spent += spend(&allowance, now);
        }
        assert_eq!(spent, 20, "of 10.001 seconds");
    }

    #[test]
    fn a_reward_is_one_try_and_kept_no_longer_than_the_rest() {
        let start = Instant::now();
        let allowance = Allowance::new(0.0, 0, start);
        spend(&allowance, start);
        for (rewards, tries) in [(1, 1), (3, 3), (1000, 10)] {
            (0..rewards).for_each(|_| allowance.reward());
            assert_eq!(spend(&allowance, start), tries);
        }
    }

    #[test]
    fn half_a_second_is_half_the_floor() {
        let start = Instant::now();
        let allowance = Allowance::new(0.0, 1, start);
        spend(&allowance, start);
        let almost = start + Duration::from_nanos(999_999_999);
        assert!(!allowance.withdraw(start + SECOND / 2));
        assert!(!allowance.withdraw(almost));
        assert!(allowance.withdraw(start + SECOND));
    }

    #[test]
    fn a_clock_that_goes_back_neither_adds_nor_takes() {
        let before = Instant::now();
        let start = before + 50 * SECOND;
        let allowance = Allowance::new(0.0, 1, start);
        spend(&allowance, start);
        assert!(!allowance.withdraw(before));
        assert!(!allowance.withdraw(start));
        assert_eq!(spend(&allowance, start + 3 * SECOND), 3);
    }

    #[test]
    fn a_share_that_is_no_share_is_cut_to_one() {
        let start = Instant::now();
        for (share, tries) in [(7.5, 4), (-1.0, 0), (f64::NAN, 0), (f64::INFINITY, 4)] {
            let allowance = Allowance::new(share, 0, start);
            spend(&allowance, start);
            for _ in 0..4 {
                allowance.deposit();
            }
            assert_eq!(spend(&allowance, start), tries, "{share}");
        }
    }

    #[test]
    fn the_greatest_floor_and_the_longest_pause_overflow_nothing() {
        let start = Instant::now();
        let allowance = Allowance::new(1.0, u32::MAX, start);
        let later = start + Duration::from_secs(u64::from(u32::MAX) * 1000);
        assert!(allowance.withdraw(later));
        assert!(allowance.withdraw(later));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Deposit,
        Withdraw,
        Wait(Duration),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Deposit),
            Just(Step::Withdraw),
            (0..400_000_000_u64).prop_map(|nanos| Step::Wait(Duration::from_nanos(nanos))),
        ]
    }

    proptest! {
        #[test]
        fn no_more_is_spent_than_was_there_and_came_in(
            share in 0..=1000_u32,
            floor in 0..20_u32,
            steps in proptest::collection::vec(step(), 0..400),
        ) {
            let start = Instant::now();
            let share = f64::from(share) / 1000.0;
            let allowance = Allowance::new(share, floor, start);
            let most = f64::from(floor * 10 + 10);
            let (mut now, mut deposits, mut spent) = (start, 0.0, 0.0);
            // What a jug of that size would hold: it overflows, and is never overdrawn.
            let mut jug = most;
            for step in steps {
                match step {
                    Step::Deposit => {
                        allowance.deposit();
                        deposits += 1.0;
                        jug = (jug + share).min(most);
                    }
                    Step::Withdraw => {
                        let taken = allowance.withdraw(now);
                        prop_assert!(taken || jug < 1.0 + 1e-3, "{jug} left, but none given");
                        if taken {
                            spent += 1.0;
                            jug -= 1.0;
                        }
                        prop_assert!(jug > -1e-3, "overdrawn");
                    }
                    Step::Wait(time) => {
                        now += time;
                        jug = (jug + f64::from(floor) * time.as_secs_f64()).min(most);
                    }
                }
                let seconds = (now - start).as_secs_f64();
                let income = f64::from(floor) * seconds + share * deposits;
                prop_assert!(spent <= most + income + 1e-6);
            }
        }
    }
}
