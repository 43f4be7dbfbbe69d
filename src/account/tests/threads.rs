//! Many at once against the last dollar.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;

const DOLLAR: u64 = 1_000_000;
const MANY: u64 = 500;

fn dollar() -> Arc<Quotas> {
    quotas([Quota {
        budgets: budget(DOLLAR, Period::Month),
        ..quota("dollar", Scope::All)
    }])
}

/// Spends as long as there is anything: every third attempt is dropped, every fifth has no bill.
/// Returns what it was billed.
fn drain(ledger: &Arc<Ledger>, quotas: &Arc<Quotas>, number: u64) -> u64 {
    let mut billed = 0;
    for turn in number.. {
        let purse = ledger.admit(quotas, &user("one"), noon).unwrap();
        let claim = 1 + turn * 7919 % 4000;
        let Ok(stake) = purse.cover_at(cost(claim), noon) else {
            return billed;
        };
        let (spent, reserved) = stand(ledger, quotas, "dollar", noon());
        assert!(spent + reserved <= DOLLAR, "{spent} and {reserved}");
        let real = claim - claim % 3;
        match turn {
            turn if turn % 3 == 0 => drop(stake),
            turn if turn % 5 == 0 => stake.settle_at(None, Fate::Delivered, noon),
            _ => {
                stake.settle_at(Some(&bill(0, real)), Fate::Delivered, noon);
                billed += real;
            }
        }
    }
    billed
}

#[test]
fn five_hundred_threads_spend_a_dollar_and_not_a_millionth_more() {
    let (ledger, quotas) = (Arc::<Ledger>::default(), dollar());
    let (barrier, billed) = (Barrier::new(500), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..MANY {
            let (ledger, quotas, barrier, billed) = (&ledger, &quotas, &barrier, &billed);
            scope.spawn(move || {
                barrier.wait();
                let own = drain(ledger, quotas, number);
                billed.fetch_add(own, Ordering::Relaxed);
            });
        }
    });
    let billed = billed.into_inner();
    let (spent, reserved) = stand(&ledger, &quotas, "dollar", noon());
    assert_eq!((spent, reserved), (billed, 0));
    assert!(
        spent <= DOLLAR && spent > DOLLAR - 4001 * MANY.min(100),
        "{spent}"
    );
    assert_eq!(ledger.status(&quotas, noon())[0].running, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_hundred_tasks_at_the_last_cent_get_as_many_as_it_is_enough_for() {
    let (ledger, quotas) = (Arc::<Ledger>::default(), dollar());
    let tasks = (0..MANY).map(|_| {
        let (ledger, quotas) = (Arc::clone(&ledger), Arc::clone(&quotas));
        tokio::spawn(async move {
            let purse = ledger.admit(&quotas, &user("one"), Now::read).unwrap();
            let Ok(stake) = purse.cover(cost(30_000)).await else {
                return 0;
            };
            tokio::task::yield_now().await;
            stake.settle(Some(&bill(0, 30_000)), Fate::Delivered);
            1
        })
    });
    let mut covered = 0;
    for task in tasks.collect::<Vec<_>>() {
        covered += task.await.unwrap();
    }
    assert_eq!(covered, DOLLAR / 30_000);
    let stand = stand(&ledger, &quotas, "dollar", Now::read());
    assert_eq!(stand, (990_000, 0));
}
