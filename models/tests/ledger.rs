//! Exchanges against the last dollar: whoever covers, settles and leaves when, no more is spent and
//! set aside than there is, and each attempt is booked once.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use loom::thread;
use segue_models::account::{
    Budget, Caller, Claim, Each, Fate, Ledger, Now, Period, Purse, Quota, Quotas, Scope,
};
use segue_models::exchange::{Bill, Measure, Usage};
use segue_models::units::{MicroUsd, Tokens};

/// How often a thread is interrupted where it could have gone on, at most.
const PREEMPTIONS: usize = 3;
const DOLLAR: u64 = 100;
const CLAIM: u64 = 60;

/// What becomes of an attempt that was covered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// It is billed.
    Billed(u64),
    /// Nothing is known of it.
    Unknown,
    /// It is cancelled.
    Dropped,
}

const ENDS: [End; 4] = [
    End::Billed(CLAIM),
    End::Billed(CLAIM / 3),
    End::Unknown,
    End::Dropped,
];

fn dollar() -> Arc<Quotas> {
    let budget = Budget {
        amount: MicroUsd(DOLLAR),
        per: Period::Day,
    };
    let quota = Quota {
        name: "dollar".into(),
        scope: Scope::All,
        each: Each::Together,
        requests_per_minute: None,
        tokens_per_minute: None,
        concurrent: None,
        ceiling: None,
        budgets: [budget].into_iter().collect(),
    };
    Arc::new(Quotas {
        all: vec![quota],
        ..Quotas::default()
    })
}

/// Some days from one that is no Monday and no first.
fn day(days: u64) -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs((20_726 + days) * 86_400),
    }
}

fn claim() -> Claim {
    Claim {
        tokens: Tokens(0),
        cost: MicroUsd(CLAIM),
    }
}

fn bill(cost: u64) -> Bill {
    Bill {
        usage: Usage::default(),
        measure: Measure::Reported,
        cost: Some(MicroUsd(cost)),
    }
}

fn admit(ledger: &Arc<Ledger>, quotas: &Arc<Quotas>, now: Now) -> Purse {
    let caller = Caller {
        key: None,
        route: "chat",
        user: None,
        session: None,
    };
    ledger.admit(quotas, &caller, || now).unwrap()
}

/// What is spent and set aside.
fn stand(ledger: &Ledger, quotas: &Quotas, now: Now) -> (u64, u64) {
    let status = ledger.status(quotas, now);
    let budget = status[0].budgets[0];
    (budget.spent.0, budget.reserved.0)
}

/// One exchange of one attempt, begun at one time and ended at another. Returns whether it was
/// covered, and what it was billed.
fn exchange(
    ledger: &Arc<Ledger>,
    quotas: &Arc<Quotas>,
    end: End,
    [begun, ended]: [Now; 2],
) -> Option<u64> {
    let purse = admit(ledger, quotas, begun);
    let stake = purse.cover_at(claim(), || begun).ok()?;
    match end {
        End::Billed(cost) => {
            stake.settle_at(Some(&bill(cost)), Fate::Delivered, || ended);
            return Some(cost);
        }
        End::Unknown => stake.settle_at(None, Fate::Delivered, || ended),
        End::Dropped => drop(stake),
    }
    Some(0)
}

fn explore(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

fn two_and_who_looks_on(ends: [End; 2]) {
    explore(Some(PREEMPTIONS), move || {
        let (ledger, quotas, now) = (Arc::<Ledger>::default(), dollar(), day(0));
        let threads = ends.map(|end| {
            let (ledger, quotas) = (Arc::clone(&ledger), Arc::clone(&quotas));
            thread::spawn(move || exchange(&ledger, &quotas, end, [now; 2]))
        });
        let (spent, reserved) = stand(&ledger, &quotas, now);
        assert!(spent + reserved <= DOLLAR, "{spent} and {reserved}");
        let covered = threads.map(|thread| thread.join().unwrap());
        assert_ne!(covered, [None, None], "there was enough for one");
        let billed: u64 = covered.into_iter().flatten().sum();
        assert_eq!(stand(&ledger, &quotas, now), (billed, 0));
        assert_eq!(ledger.status(&quotas, now)[0].running, 0);
    });
}

#[test]
fn no_more_is_spent_and_set_aside_than_there_is_and_each_bill_is_booked_once() {
    for (at, one) in ENDS.iter().enumerate() {
        for other in ENDS.iter().skip(at) {
            two_and_who_looks_on([*one, *other]);
        }
    }
}

#[test]
fn three_at_the_last_dollar_share_what_is_given_back() {
    explore(Some(2), || {
        let (ledger, quotas, now) = (Arc::<Ledger>::default(), dollar(), day(0));
        let ends = [End::Billed(CLAIM), End::Dropped];
        let threads = ends.map(|end| {
            let (ledger, quotas) = (Arc::clone(&ledger), Arc::clone(&quotas));
            thread::spawn(move || exchange(&ledger, &quotas, end, [now; 2]))
        });
        let own = exchange(&ledger, &quotas, End::Billed(CLAIM / 3), [now; 2]);
        let others = threads.map(|thread| thread.join().unwrap());
        let billed = own.unwrap_or(0) + others.into_iter().flatten().sum::<u64>();
        assert!(billed <= DOLLAR, "{billed}");
        assert_eq!(stand(&ledger, &quotas, now), (billed, 0));
    });
}

#[test]
fn a_bill_above_its_claim_is_all_that_is_ever_too_much() {
    explore(Some(PREEMPTIONS), || {
        let (ledger, quotas, now) = (Arc::<Ledger>::default(), dollar(), day(0));
        let other = {
            let (ledger, quotas) = (Arc::clone(&ledger), Arc::clone(&quotas));
            let end = End::Billed(CLAIM + 50);
            thread::spawn(move || exchange(&ledger, &quotas, end, [now; 2]))
        };
        let own = exchange(&ledger, &quotas, End::Billed(CLAIM / 3), [now; 2]);
        let billed = own.unwrap_or(0) + other.join().unwrap().unwrap_or(0);
        assert!(billed <= DOLLAR + 50, "{billed}");
        assert_eq!(stand(&ledger, &quotas, now), (billed, 0));
    });
}

#[test]
fn midnight_resets_the_day_once_whoever_sees_it_first() {
    explore(Some(PREEMPTIONS), || {
        let (ledger, quotas) = (Arc::<Ledger>::default(), dollar());
        let (today, tomorrow) = (day(0), day(1));
        exchange(&ledger, &quotas, End::Billed(80), [today; 2]).unwrap();
        let late = {
            let (ledger, quotas) = (Arc::clone(&ledger), Arc::clone(&quotas));
            let end = End::Billed(CLAIM);
            // Its clock is behind: it ends when others have seen the next day, or before.
            thread::spawn(move || exchange(&ledger, &quotas, end, [tomorrow, today]))
        };
        let own = exchange(&ledger, &quotas, End::Billed(CLAIM), [tomorrow; 2]);
        let late = late.join().unwrap();
        assert!(own.is_some() || late.is_some(), "a new day has its dollar");
        let (spent, reserved) = stand(&ledger, &quotas, tomorrow);
        assert_eq!(reserved, 0);
        let billed = own.unwrap_or(0) + late.unwrap_or(0);
        assert!(billed <= DOLLAR && spent <= billed, "{spent} of {billed}");
        assert!(spent >= own.unwrap_or(0));
    });
}

#[test]
#[should_panic(expected = "too much")]
fn the_exploration_finds_an_overdraft_where_looking_and_taking_are_two_steps() {
    loom::model(|| {
        let (ledger, quotas, now) = (Arc::<Ledger>::default(), dollar(), day(0));
        let look_then_take = {
            let (ledger, quotas) = (Arc::clone(&ledger), Arc::clone(&quotas));
            move || {
                let purse = admit(&ledger, &quotas, now);
                if purse.affords_at(MicroUsd(CLAIM), || now) {
                    let stake = purse.cover_at(Claim::default(), || now).unwrap();
                    stake.settle_at(Some(&bill(CLAIM)), Fate::Delivered, || now);
                }
            }
        };
        let other = thread::spawn(look_then_take.clone());
        look_then_take();
        other.join().unwrap();
        let (spent, _) = stand(&ledger, &quotas, now);
        assert!(spent <= DOLLAR, "too much: {spent}");
    });
}
