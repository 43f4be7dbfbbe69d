//! Whoever deposits and withdraws at once, nothing is spent that did not come in, and nothing that
//! came in is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread;
use segue_models::allowance::Allowance;

/// Takes as often as told, or as long as there is anything.
fn spend(allowance: &Allowance, now: Instant, times: usize) -> usize {
    (0..times).take_while(|_| allowance.withdraw(now)).count()
}

/// An allowance of which everything has been spent.
fn empty(share: f64, floor: u32) -> (Arc<Allowance>, Instant) {
    let start = Instant::now();
    let allowance = Arc::new(Allowance::new(share, floor, start));
    spend(&allowance, start, usize::MAX);
    (allowance, start)
}

#[test]
fn deposits_and_withdrawals_at_once_add_up() {
    loom::model(|| {
        let (allowance, start) = empty(0.5, 0);
        let depositor = {
            let allowance = Arc::clone(&allowance);
            thread::spawn(move || (0..3).for_each(|_| allowance.deposit()))
        };
        let spender = {
            let allowance = Arc::clone(&allowance);
            thread::spawn(move || spend(&allowance, start, 2))
        };
        allowance.deposit();
        let spent = spend(&allowance, start, 2);
        depositor.join().unwrap();
        let spent = spent + spender.join().unwrap();
        assert!(spent <= 2, "{spent} of four halves");
        assert_eq!(spent + spend(&allowance, start, usize::MAX), 2);
    });
}

#[test]
fn the_floor_is_paid_once_for_each_second_whoever_sees_it_first() {
    loom::model(|| {
        let (allowance, start) = empty(1.0, 1);
        let second = Duration::from_secs(1);
        let spenders = [1, 2].map(|seconds| {
            let allowance = Arc::clone(&allowance);
            thread::spawn(move || spend(&allowance, start + second * seconds, 2))
        });
        allowance.deposit();
        let spent = spend(&allowance, start, 1);
        let spent: usize = spent
            + spenders
                .map(|one| one.join().unwrap())
                .iter()
                .sum::<usize>();
        assert!(spent <= 3, "{spent} of one exchange and two seconds");
        let rest = spend(&allowance, start + second * 2, usize::MAX);
        assert_eq!(spent + rest, 3);
    });
}
