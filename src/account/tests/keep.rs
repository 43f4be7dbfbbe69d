//! What the ledger keeps: over reloads, over restarts, and for how many callers.

use super::*;
use crate::account::{Instance, Kind, Owner, Spent};

fn daily(amount: u64, each: Each) -> Arc<Quotas> {
    quotas([Quota {
        budgets: budget(amount, Period::Day),
        each,
        ..quota("day", Scope::All)
    }])
}

fn pay(ledger: &Arc<Ledger>, quotas: &Arc<Quotas>, name: &str, amount: u64) -> Result<(), Short> {
    let purse = ledger.admit(quotas, &user(name), noon)?;
    spend(&purse, cost(amount), Fate::Delivered, noon())
}

#[test]
fn another_limit_holds_at_once_and_keeps_what_was_taken() {
    let ledger = Arc::<Ledger>::default();
    let (small, big) = (daily(100, Each::Together), daily(150, Each::Together));
    pay(&ledger, &small, "one", 90).unwrap();
    assert!(pay(&ledger, &small, "one", 11).is_err());
    pay(&ledger, &big, "one", 60).unwrap();
    assert!(pay(&ledger, &big, "one", 1).is_err());
    assert!(pay(&ledger, &small, "one", 1).is_err());
    assert_eq!(stand(&ledger, &big, "day", noon()), (150, 0));
    let monthly = quotas([Quota {
        budgets: budget(200, Period::Month),
        ..quota("day", Scope::All)
    }]);
    assert_eq!(
        stand(&ledger, &monthly, "day", noon()),
        (150, 0),
        "other periods too"
    );
}

#[test]
fn quotas_of_one_name_and_two_kinds_have_two_counts() {
    let ledger = Arc::<Ledger>::default();
    let of = |scope| {
        quotas([Quota {
            budgets: budget(100, Period::Day),
            ..quota("same", scope)
        }])
    };
    let (route, all) = (of(Scope::Route("chat".into())), of(Scope::All));
    pay(&ledger, &route, "one", 100).unwrap();
    pay(&ledger, &all, "one", 100).unwrap();
    assert!(pay(&ledger, &all, "one", 1).is_err());
}

#[test]
fn each_user_has_a_budget_of_his_own_and_those_without_a_name_share_one() {
    let (ledger, quotas) = (Arc::<Ledger>::default(), daily(100, Each::User));
    for name in ["a", "b"] {
        pay(&ledger, &quotas, name, 100).unwrap();
        assert!(pay(&ledger, &quotas, name, 1).is_err());
    }
    let nobody = Caller {
        user: None,
        ..user("")
    };
    let purse = ledger.admit(&quotas, &nobody, noon).unwrap();
    let other = ledger.admit(&quotas, &nobody, noon).unwrap();
    spend(&purse, cost(100), Fate::Delivered, noon()).unwrap();
    assert!(!other.affords_at(MicroUsd(1), noon));
    let status = &ledger.status(&quotas, noon())[0];
    assert_eq!((status.counts, status.running), (3, 2));
    assert_eq!(status.budgets[0].spent, MicroUsd(300));
}

#[test]
fn a_budget_is_near_its_end_from_four_fifths_on_for_whoever_is_nearest() {
    let (ledger, quotas) = (Arc::<Ledger>::default(), daily(100, Each::User));
    pay(&ledger, &quotas, "a", 10).unwrap();
    pay(&ledger, &quotas, "b", 79).unwrap();
    let budget = || ledger.status(&quotas, noon())[0].budgets[0];
    assert!(!budget().is_near());
    let purse = ledger.admit(&quotas, &user("b"), noon).unwrap();
    let stake = purse.cover_at(cost(1), noon).unwrap();
    assert!(budget().is_near() && budget().share < 0.81);
    drop(stake);
    assert!(!budget().is_near());
    let nothing = daily(0, Each::Together);
    assert!(Ledger::default().status(&nothing, noon())[0].budgets[0].share < 0.1);
    pay(&ledger, &nothing, "a", 0).unwrap();
    assert!(ledger.status(&nothing, noon())[0].budgets[0].is_near());
}

#[test]
fn what_was_spent_is_there_after_a_restart_and_not_twice() {
    let (ledger, quotas) = (Arc::<Ledger>::default(), daily(100, Each::User));
    pay(&ledger, &quotas, "a", 60).unwrap();
    pay(&ledger, &quotas, "b", 5).unwrap();
    let spent = ledger.spent_at(noon());
    assert_eq!(spent.len(), 6, "two users, three periods");
    let next = Arc::<Ledger>::default();
    for _ in 0..2 {
        next.restore_at(&spent, noon());
        assert_eq!(next.spent_at(noon()), spent);
    }
    assert!(pay(&next, &quotas, "a", 41).is_err());
    pay(&next, &quotas, "a", 40).unwrap();
    next.restore_at(&spent, noon());
    assert!(pay(&next, &quotas, "a", 1).is_err());
    pay(&next, &quotas, "b", 95).unwrap();
}

#[test]
fn periods_that_are_over_are_neither_told_nor_taken_over() {
    let (ledger, quotas) = (Arc::<Ledger>::default(), daily(100, Each::Together));
    pay(&ledger, &quotas, "a", 60).unwrap();
    let (spent, tomorrow) = (ledger.spent_at(noon()), after(noon(), DAY));
    let row = |per, start| Spent {
        owner: Owner {
            kind: Kind::All,
            quota: "day".into(),
            instance: Instance::TOGETHER,
        },
        per,
        start: Day(start),
        amount: MicroUsd(60),
    };
    let (day, week, month) = (20_726, 20_724, 20_697);
    let rows = [
        (Period::Day, day),
        (Period::Week, week),
        (Period::Month, month),
    ];
    assert_eq!(spent, rows.map(|(per, start)| row(per, start)));
    let left = [row(Period::Week, week)];
    assert_eq!(ledger.spent_at(tomorrow), left, "a new month");
    let next = Arc::<Ledger>::default();
    next.restore_at(&spent, tomorrow);
    assert_eq!(next.spent_at(tomorrow), left);
}

#[test]
fn a_million_users_take_a_bounded_number_of_counts_and_who_spent_most_is_kept() {
    let ledger = Arc::new(Ledger::holding(100));
    let quotas = daily(100, Each::User);
    for rich in ["rich", "richer"] {
        pay(&ledger, &quotas, rich, 90).unwrap();
    }
    for number in 0..20_000_u32 {
        pay(&ledger, &quotas, &number.to_string(), 1).unwrap();
    }
    assert_eq!(ledger.status(&quotas, noon())[0].counts, 100);
    assert_eq!(ledger.evicted(), 20_002 - 100);
    for rich in ["rich", "richer"] {
        assert!(pay(&ledger, &quotas, rich, 11).is_err(), "{rich}");
    }
}

#[test]
fn counts_like_new_go_first_and_those_of_all_together_last() {
    let ledger = Arc::new(Ledger::holding(4));
    let (one, each) = (daily(100, Each::Together), daily(100, Each::User));
    pay(&ledger, &one, "", 1).unwrap();
    pay(&ledger, &each, "poor", 2).unwrap();
    pay(&ledger, &each, "fresh", 0).unwrap();
    pay(&ledger, &each, "rich", 9).unwrap();
    let kept = |amounts: &[u64]| {
        let spent = ledger.spent_at(noon());
        let mut days: Vec<_> = spent.iter().filter(|row| row.per == Period::Day).collect();
        days.sort_by_key(|row| row.amount);
        let found: Vec<_> = days.iter().map(|row| row.amount.0).collect();
        assert_eq!(found, amounts);
    };
    pay(&ledger, &each, "next", 8).unwrap();
    kept(&[1, 2, 8, 9]);
    pay(&ledger, &each, "last", 7).unwrap();
    kept(&[1, 7, 8, 9]);
    assert_eq!(ledger.evicted(), 2);
}

#[test]
fn a_count_in_use_is_never_thrown_out() {
    let ledger = Arc::new(Ledger::holding(2));
    let quotas = daily(100, Each::User);
    let one = ledger.admit(&quotas, &user("one"), noon).unwrap();
    let two = ledger.admit(&quotas, &user("two"), noon).unwrap();
    let refused = ledger.admit(&quotas, &user("three"), noon).unwrap_err();
    assert_eq!(refused, short("day", Scarce::Concurrency, Some(SECOND)));
    spend(&one, cost(60), Fate::Delivered, noon()).unwrap();
    drop(two);
    let three = ledger.admit(&quotas, &user("three"), noon).unwrap();
    spend(&three, cost(70), Fate::Delivered, noon()).unwrap();
    assert!(!one.affords_at(MicroUsd(41), noon) && one.affords_at(MicroUsd(40), noon));
    assert!(!three.affords_at(MicroUsd(31), noon) && three.affords_at(MicroUsd(30), noon));
}

#[test]
fn who_is_refused_for_want_of_a_count_leaves_no_trace() {
    let ledger = Arc::new(Ledger::holding(2));
    let all = Quota {
        concurrent: Some(2),
        ..quota("all", Scope::All)
    };
    let each = Quota {
        each: Each::User,
        concurrent: Some(1),
        ..quota("each", Scope::All)
    };
    let quotas = quotas([all, each]);
    let one = ledger.admit(&quotas, &user("one"), noon).unwrap();
    for _ in 0..3 {
        let refused = ledger.admit(&quotas, &user("two"), noon).unwrap_err();
        assert_eq!(&*refused.quota, "each");
    }
    drop(one);
    assert!(ledger.admit(&quotas, &user("two"), noon).is_ok());
    assert_eq!(ledger.status(&quotas, noon())[0].running, 0);
}
