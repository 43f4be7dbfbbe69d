//! What a successor takes over, and what it hears until its predecessor has ended.

use super::*;
use crate::account::Told;

/// Two processes, of which the second has taken over from the first.
fn succeed(elder: &Ledger, now: Now) -> (Arc<Ledger>, Told) {
    let heir = Arc::<Ledger>::default();
    let (counts, told) = elder.hand_over(now);
    for count in counts {
        heir.inherit(count, now);
    }
    (heir, told)
}

fn bounded() -> Arc<Quotas> {
    quotas([Quota {
        requests_per_minute: Some(3),
        tokens_per_minute: Some(Tokens(600)),
        concurrent: Some(2),
        budgets: budget(100, Period::Month),
        ..quota("q", Scope::All)
    }])
}

#[test]
fn a_successor_goes_on_with_what_was_spent_and_is_not_told_twice_by_a_store() {
    let (elder, quotas, now) = (Arc::<Ledger>::default(), bounded(), noon());
    let purse = elder.admit(&quotas, &user("a"), || now).unwrap();
    spend(&purse, cost(40), Fate::Delivered, now).unwrap();
    drop(purse);
    let stored = elder.spent_at(now);
    let (heir, _) = succeed(&elder, now);
    heir.restore_at(&stored, now);
    assert_eq!(stand(&heir, &quotas, "q", now), (40, 0));
    let purse = heir.admit(&quotas, &user("a"), || now).unwrap();
    assert!(purse.cover_at(cost(61), || now).is_err());
    assert!(purse.cover_at(cost(60), || now).is_ok());
}

#[test]
fn the_minutes_go_on_where_they_stood() {
    let (elder, quotas, now) = (Arc::<Ledger>::default(), bounded(), noon());
    for _ in 0..3 {
        drop(elder.admit(&quotas, &user("a"), || now).unwrap());
    }
    let later = after(now, 10 * SECOND);
    let (heir, _) = succeed(&elder, later);
    let short = heir.admit(&quotas, &user("a"), || later).unwrap_err();
    assert_eq!(
        (short.of, short.retry_after),
        (Scarce::Requests, Some(10 * SECOND))
    );
    assert!(
        heir.admit(&quotas, &user("a"), || after(now, 20 * SECOND))
            .is_ok()
    );
}

#[test]
fn what_the_predecessor_has_under_way_keeps_its_places_and_what_is_set_aside_until_it_ends() {
    let (elder, quotas, now) = (Arc::<Ledger>::default(), bounded(), noon());
    let running = elder.admit(&quotas, &user("a"), || now).unwrap();
    let stake = running.cover_at(cost(70), || now).unwrap();
    let (heir, mut told) = succeed(&elder, now);
    assert_eq!(stand(&heir, &quotas, "q", now), (0, 70));
    let purse = heir.admit(&quotas, &user("b"), || now).unwrap();
    let short = heir.admit(&quotas, &user("b"), || now).unwrap_err();
    assert_eq!(short.of, Scarce::Concurrency);
    assert!(purse.cover_at(cost(31), || now).is_err());
    assert!(elder.changes(&mut told).is_empty());

    stake.settle_at(Some(&bill(0, 20)), Fate::Delivered, || now);
    for change in elder.changes(&mut told) {
        heir.hear(&change, &quotas, now);
    }
    assert_eq!(stand(&heir, &quotas, "q", now), (20, 0));
    assert!(elder.changes(&mut told).is_empty(), "told once");
    drop(running);
    for change in elder.changes(&mut told) {
        heir.hear(&change, &quotas, now);
    }
    let _second = heir.admit(&quotas, &user("b"), || now).unwrap();
    assert_eq!(stand(&heir, &quotas, "q", now), (20, 0));
}

#[test]
fn what_a_predecessor_that_died_had_set_aside_is_free_again() {
    let (elder, quotas, now) = (Arc::<Ledger>::default(), bounded(), noon());
    let running = elder.admit(&quotas, &user("a"), || now).unwrap();
    let _stake = running.cover_at(cost(70), || now).unwrap();
    let (heir, _) = succeed(&elder, now);
    heir.elders_ended();
    assert_eq!(stand(&heir, &quotas, "q", now), (0, 0));
    let one = heir.admit(&quotas, &user("b"), || now).unwrap();
    let _two = heir.admit(&quotas, &user("b"), || now).unwrap();
    assert!(one.cover_at(cost(100), || now).is_ok());
}

#[test]
fn a_grandchild_hears_of_what_the_first_still_books() {
    let (first, quotas, now) = (Arc::<Ledger>::default(), bounded(), noon());
    let running = first.admit(&quotas, &user("a"), || now).unwrap();
    let stake = running.cover_at(cost(70), || now).unwrap();
    let (second, mut told_second) = succeed(&first, now);
    let (third, mut told_third) = succeed(&second, now);
    assert_eq!(stand(&third, &quotas, "q", now), (0, 70));
    stake.settle_at(Some(&bill(0, 25)), Fate::Delivered, || now);
    for change in first.changes(&mut told_second) {
        second.hear(&change, &quotas, now);
    }
    for change in second.changes(&mut told_third) {
        third.hear(&change, &quotas, now);
    }
    assert_eq!(stand(&third, &quotas, "q", now), (25, 0));
}
