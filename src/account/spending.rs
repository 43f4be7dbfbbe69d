//! What was spent in the periods under way, and what is set aside beside it.
//!
//! Pure. All periods are counted, whatever the config bounds, so that one that is bounded later has
//! its count. A day once seen is not gone back to: a clock that jumps back opens no old period, and
//! resets none a second time.

use crate::account::period::Period;
use crate::account::quota::Budget;
use crate::units::{Day, MicroUsd};

/// What was spent in the periods under way, and what is set aside beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spending {
    /// The last day that was seen.
    day: Day,
    today: MicroUsd,
    week: MicroUsd,
    month: MicroUsd,
    /// By attempts under way; booked in the period in which they end. Wide enough for any number of
    /// claims.
    reserved: u128,
    /// The same of the processes before this one, which still drain.
    elders: u128,
    /// What other machines have spent, as far as was heard: on the day, in its week, in its month.
    elsewhere: [MicroUsd; 3],
}

impl Spending {
    /// What was spent in the period that is under way on a day.
    pub(super) fn spent(&self, per: Period, day: Day) -> MicroUsd {
        if per.start(day) > per.start(self.day) {
            return MicroUsd(0);
        }
        match per {
            Period::Day => self.today,
            Period::Week => self.week,
            Period::Month => self.month,
        }
    }

    /// What other machines have spent in the period that is under way on a day, as far as was heard.
    pub(super) fn elsewhere(&self, per: Period, day: Day) -> MicroUsd {
        if per.start(day) > per.start(self.day) {
            return MicroUsd(0);
        }
        let [today, week, month] = self.elsewhere;
        match per {
            Period::Day => today,
            Period::Week => week,
            Period::Month => month,
        }
    }

    /// Takes note of what all machines have spent in the periods of a day.
    pub(super) fn hear(&mut self, day: Day, all: [MicroUsd; 3]) {
        self.turn(day);
        if day != self.day {
            return;
        }
        let own = [self.today, self.week, self.month];
        for ((elsewhere, all), own) in self.elsewhere.iter_mut().zip(all).zip(own) {
            *elsewhere = MicroUsd(all.0.saturating_sub(own.0));
        }
    }

    /// What is set aside.
    pub(super) fn reserved(&self) -> MicroUsd {
        let all = self.reserved.saturating_add(self.elders);
        MicroUsd(u64::try_from(all).unwrap_or(u64::MAX))
    }

    /// Takes note of what the processes before this one have set aside, now.
    pub(super) fn elders_reserve(&mut self, all: MicroUsd) {
        self.elders = u128::from(all.0);
    }

    /// Takes over what a predecessor has spent in the periods under way on a day, in place of what
    /// was restored.
    pub(super) fn inherit(&mut self, day: Day, spent: [MicroUsd; 3]) {
        self.turn(day);
        if day == self.day {
            [self.today, self.week, self.month] = spent;
        }
    }

    /// The day that counts on a day: the last one seen.
    pub(super) fn day(&self, day: Day) -> Day {
        self.day.max(day)
    }

    /// Whether a cost fits into a budget beside what was spent and what is set aside. What costs
    /// nothing always does.
    pub(super) fn fits(&self, budget: &Budget, cost: MicroUsd, day: Day) -> bool {
        let spent = u128::from(self.spent(budget.per, day).0);
        let elsewhere = u128::from(self.elsewhere(budget.per, day).0);
        let reserved = self.reserved.saturating_add(self.elders);
        let sum = (spent + elsewhere + u128::from(cost.0)).saturating_add(reserved);
        cost.0 == 0 || sum <= u128::from(budget.amount.0)
    }

    /// Sets a cost aside. The day is seen: should the clock go back before the cost is booked, it is
    /// not booked in a period that is over.
    pub(super) fn reserve(&mut self, cost: MicroUsd, day: Day) {
        self.turn(day);
        self.reserved = self.reserved.saturating_add(u128::from(cost.0));
    }

    /// Gives back what was set aside.
    pub(super) fn release(&mut self, cost: MicroUsd) {
        self.reserved = self.reserved.saturating_sub(u128::from(cost.0));
    }

    /// Books a cost.
    pub(super) fn book(&mut self, cost: MicroUsd, day: Day) {
        self.turn(day);
        self.today += cost;
        self.week += cost;
        self.month += cost;
    }

    /// Takes over what was spent in a period that began on a day, unless something was spent in it
    /// here or it is over.
    pub(super) fn restore(&mut self, per: Period, start: Day, spent: MicroUsd) {
        self.turn(start);
        if per.start(self.day) != start {
            return;
        }
        let own = match per {
            Period::Day => &mut self.today,
            Period::Week => &mut self.week,
            Period::Month => &mut self.month,
        };
        if *own == MicroUsd(0) {
            *own = spent;
        }
    }

    /// Whether nothing was spent in any period under way, nor set aside.
    pub(super) fn is_fresh(&self, day: Day) -> bool {
        self.reserved == 0 && self.elders == 0 && self.most(day) == MicroUsd(0)
    }

    /// What was spent in the period in which it is most.
    pub(super) fn most(&self, day: Day) -> MicroUsd {
        let spent = Period::ALL.map(|per| self.spent(per, day));
        spent.into_iter().max().unwrap_or_default()
    }

    fn turn(&mut self, day: Day) {
        if day <= self.day {
            return;
        }
        self.today = self.spent(Period::Day, day);
        self.week = self.spent(Period::Week, day);
        self.month = self.spent(Period::Month, day);
        self.elsewhere = Period::ALL.map(|per| self.elsewhere(per, day));
        self.day = day;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday, 2026-09-30.
    const LAST: Day = Day(20_726);
    const NEXT: Day = Day(LAST.0 + 1);

    fn all(spending: &Spending, day: Day) -> [u64; 3] {
        Period::ALL.map(|per| spending.spent(per, day).0)
    }

    fn budget(amount: u64, per: Period) -> Budget {
        Budget {
            amount: MicroUsd(amount),
            per,
        }
    }

    #[test]
    fn what_others_spent_counts_until_its_period_ends() {
        let mut spending = Spending::default();
        spending.book(MicroUsd(2), LAST);
        spending.hear(LAST, [MicroUsd(7), MicroUsd(8), MicroUsd(1)]);
        let day = budget(10, Period::Day);
        assert!(spending.fits(&day, MicroUsd(3), LAST));
        assert!(!spending.fits(&day, MicroUsd(4), LAST));
        assert_eq!(all(&spending, LAST), [2, 2, 2], "its own is as it was");
        let elsewhere = |it: &Spending, day| Period::ALL.map(|per| it.elsewhere(per, day).0);
        assert_eq!(elsewhere(&spending, LAST), [5, 6, 0]);
        assert_eq!(elsewhere(&spending, NEXT), [0, 6, 0]);
        assert!(spending.fits(&day, MicroUsd(10), NEXT));
        spending.book(MicroUsd(1), NEXT);
        assert_eq!(elsewhere(&spending, NEXT), [0, 6, 0]);
        spending.hear(LAST, [MicroUsd(99); 3]);
        assert_eq!(elsewhere(&spending, NEXT), [0, 6, 0], "a day that is over");
    }

    #[test]
    fn each_period_begins_anew_at_its_own_time() {
        assert_eq!(LAST.to_string(), "2026-09-30");
        let mut spending = Spending::default();
        spending.book(MicroUsd(5), LAST);
        assert_eq!(all(&spending, LAST), [5, 5, 5]);
        assert_eq!(all(&spending, NEXT), [0, 5, 0], "before anything is booked");
        spending.book(MicroUsd(2), NEXT);
        assert_eq!(all(&spending, NEXT), [2, 7, 2]);
        let monday = Day(LAST.0 + 5);
        assert_eq!(all(&spending, Day(monday.0 - 1)), [0, 7, 2]);
        spending.book(MicroUsd(1), monday);
        assert_eq!(all(&spending, monday), [1, 1, 3]);
    }

    #[test]
    fn a_clock_that_jumps_back_opens_no_old_period_and_resets_none_twice() {
        let mut spending = Spending::default();
        spending.book(MicroUsd(5), LAST);
        spending.book(MicroUsd(2), NEXT);
        // Back before midnight: what is booked now counts for the day that was seen last.
        spending.book(MicroUsd(1), LAST);
        assert_eq!(all(&spending, LAST), [3, 8, 3]);
        assert_eq!(spending.day(LAST), NEXT);
        // Nor is a day that was only seen.
        spending.reserve(MicroUsd(1), Day(NEXT.0 + 1));
        spending.release(MicroUsd(1));
        spending.book(MicroUsd(1), NEXT);
        assert_eq!(all(&spending, Day(NEXT.0 + 1)), [1, 9, 4]);
        // Midnight comes a second time.
        spending.book(MicroUsd(1), NEXT);
        assert_eq!(all(&spending, NEXT), [2, 10, 5]);
    }

    #[test]
    fn a_cost_fits_up_to_the_last_millionth() {
        let mut spending = Spending::default();
        spending.book(MicroUsd(40), LAST);
        spending.reserve(MicroUsd(30), LAST);
        for (cost, day, fits) in [
            (30, LAST, true),
            (31, LAST, false),
            (70, NEXT, true),
            (71, NEXT, false),
        ] {
            let budget = budget(100, Period::Day);
            assert_eq!(spending.fits(&budget, MicroUsd(cost), day), fits, "{cost}");
        }
        spending.release(MicroUsd(30));
        assert!(spending.fits(&budget(100, Period::Day), MicroUsd(60), LAST));
        assert!(!spending.fits(&budget(100, Period::Day), MicroUsd(61), LAST));
    }

    #[test]
    fn what_costs_nothing_fits_although_more_was_spent_than_there_was() {
        let mut spending = Spending::default();
        spending.book(MicroUsd(101), LAST);
        let budget = budget(100, Period::Month);
        assert!(spending.fits(&budget, MicroUsd(0), LAST));
        assert!(!spending.fits(&budget, MicroUsd(1), LAST));
    }

    #[test]
    fn absurd_costs_neither_wrap_around_nor_lose_what_is_set_aside() {
        let mut spending = Spending::default();
        for _ in 0..3 {
            spending.reserve(MicroUsd(u64::MAX), LAST);
        }
        assert_eq!(spending.reserved(), MicroUsd(u64::MAX));
        let most = budget(u64::MAX, Period::Day);
        assert!(!spending.fits(&most, MicroUsd(1), LAST));
        for _ in 0..3 {
            spending.release(MicroUsd(u64::MAX));
        }
        assert_eq!(spending.reserved(), MicroUsd(0));
        assert!(spending.fits(&most, MicroUsd(u64::MAX), LAST));
        spending.book(MicroUsd(u64::MAX), LAST);
        spending.book(MicroUsd(1), LAST);
        assert_eq!(all(&spending, LAST), [u64::MAX; 3]);
    }

    #[test]
    fn what_is_restored_counts_once_and_only_in_its_own_period() {
        let (week, month) = (Period::Week.start(NEXT), Period::Month.start(NEXT));
        let rows = [
            (Period::Day, LAST, 9),
            (Period::Day, NEXT, 1),
            (Period::Month, Period::Month.start(LAST), 50),
            (Period::Week, week, 7),
            (Period::Month, month, 3),
        ];
        let mut backwards = rows;
        backwards.reverse();
        for rows in [rows, backwards] {
            let mut spending = Spending::default();
            for (per, start, spent) in rows.iter().chain(&rows) {
                spending.restore(*per, *start, MicroUsd(*spent));
            }
            assert_eq!(all(&spending, NEXT), [1, 7, 3]);
            spending.book(MicroUsd(1), NEXT);
            for (per, start, spent) in rows {
                spending.restore(per, start, MicroUsd(spent));
            }
            assert_eq!(all(&spending, NEXT), [2, 8, 4]);
        }
    }

    #[test]
    fn it_is_fresh_when_nothing_is_spent_or_set_aside_any_more() {
        let mut spending = Spending::default();
        assert!(spending.is_fresh(LAST));
        spending.reserve(MicroUsd(1), LAST);
        assert!(!spending.is_fresh(LAST));
        spending.release(MicroUsd(1));
        spending.book(MicroUsd(1), LAST);
        assert!(!spending.is_fresh(NEXT), "the week is the same");
        assert!(spending.is_fresh(Day(NEXT.0 + 5)));
        assert_eq!(spending.most(NEXT), MicroUsd(1));
    }
}
