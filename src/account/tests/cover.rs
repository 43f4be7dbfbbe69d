//! What is admitted and covered, booked and given back.

use super::*;

fn everybody(all: Quota) -> (Arc<Ledger>, Arc<Quotas>, Purse) {
    let (ledger, quotas) = (Arc::<Ledger>::default(), quotas([all]));
    let purse = ledger.admit(&quotas, &user("one"), noon).unwrap();
    (ledger, quotas, purse)
}

#[test]
fn who_no_quota_holds_for_is_bound_by_nothing() {
    let ledger = Arc::<Ledger>::default();
    let quotas = quotas([Quota {
        requests_per_minute: Some(0),
        ..quota("other", Scope::Key("other".into()))
    }]);
    let own = key("own");
    let purse = ledger.admit(&quotas, &caller(&own), noon).unwrap();
    assert!(!purse.is_bounded() && purse.affords(MicroUsd(u64::MAX)));
    assert_eq!(purse.left(), super::super::Left::default());
    assert_eq!(purse.assumed_output(), Tokens(4096));
    assert!(spend(&purse, cost(u64::MAX), Fate::Delivered, noon()).is_ok());
    assert_eq!(ledger.spent_at(noon()), []);
    assert_eq!(ledger.status(&quotas, noon())[0].counts, 0);
}

#[test]
fn only_tokens_money_and_ceilings_need_a_claim() {
    let bare = quota("all", Scope::All);
    for (all, bounded) in [
        (bare.clone(), false),
        (
            Quota {
                requests_per_minute: Some(1),
                concurrent: Some(1),
                ..bare.clone()
            },
            false,
        ),
        (
            Quota {
                tokens_per_minute: Some(Tokens(1)),
                ..bare.clone()
            },
            true,
        ),
        (
            Quota {
                ceiling: Some(MicroUsd(1)),
                ..bare.clone()
            },
            true,
        ),
        (
            Quota {
                budgets: budget(1, Period::Week),
                ..bare.clone()
            },
            true,
        ),
    ] {
        let (_, _, purse) = everybody(all.clone());
        assert_eq!(purse.is_bounded(), bounded, "{all:?}");
    }
}

#[test]
fn an_exchange_is_admitted_by_all_quotas_or_taken_of_by_none() {
    let ledger = Arc::<Ledger>::default();
    let many = Quota {
        requests_per_minute: Some(10),
        concurrent: Some(10),
        ..quota("many", Scope::All)
    };
    let one = Quota {
        requests_per_minute: Some(1),
        ..quota("chat", Scope::Route("chat".into()))
    };
    let quotas = quotas([many, one]);
    let now = noon();
    let first = ledger.admit(&quotas, &user("one"), || now).unwrap();
    for _ in 0..3 {
        let refused = ledger.admit(&quotas, &user("one"), || now).unwrap_err();
        assert_eq!(refused, short("chat", Scarce::Requests, Some(60 * SECOND)));
    }
    let other = Caller {
        route: "other",
        ..user("one")
    };
    let purse = ledger.admit(&quotas, &other, || now).unwrap();
    let left = ledger.status(&quotas, now)[0].running;
    assert_eq!(left, 2, "those who were refused have left");
    drop(first);
    let running: Vec<_> = ledger
        .status(&quotas, now)
        .iter()
        .map(|one| one.running)
        .collect();
    assert_eq!(running, [1, 0]);
    let left = purse.left_at(|| now).requests.unwrap();
    assert_eq!(
        (left.limit, left.remaining),
        (10, 8),
        "nor did it cost a request"
    );
    let later = after(now, 60 * SECOND);
    assert!(ledger.admit(&quotas, &user("one"), || later).is_ok());
}

#[test]
fn a_place_is_free_again_when_its_exchange_ends() {
    let ledger = Arc::<Ledger>::default();
    let quotas = quotas([Quota {
        concurrent: Some(2),
        each: Each::User,
        ..quota("places", Scope::All)
    }]);
    let admit = |name| ledger.admit(&quotas, &user(name), noon);
    let (one, _two) = (admit("a").unwrap(), admit("a").unwrap());
    let refused = admit("a").unwrap_err();
    assert_eq!(refused, short("places", Scarce::Concurrency, Some(SECOND)));
    let _other = admit("b").unwrap();
    drop(one);
    let _third = admit("a").unwrap();
    assert!(admit("a").is_err());
}

#[test]
fn where_no_place_is_none_becomes_free() {
    let quotas = quotas([Quota {
        concurrent: Some(0),
        ..quota("shut", Scope::All)
    }]);
    let refused = Arc::<Ledger>::default().admit(&quotas, &user("a"), noon);
    assert_eq!(
        refused.unwrap_err(),
        short("shut", Scarce::Concurrency, None)
    );
}

#[test]
fn a_budget_is_spent_to_the_last_millionth_and_not_over_it() {
    let (ledger, quotas, purse) = everybody(Quota {
        budgets: budget(100, Period::Day),
        ..quota("day", Scope::All)
    });
    let now = noon();
    let stake = purse.cover_at(cost(60), || now).unwrap();
    let refused = purse.cover_at(cost(41), || now).unwrap_err();
    assert_eq!(refused, short("day", Scarce::Budget, Some(DAY / 2)));
    let other = purse.cover_at(cost(40), || now).unwrap();
    assert_eq!(stand(&ledger, &quotas, "day", now), (0, 100));
    stake.settle_at(Some(&bill(0, 50)), Fate::Delivered, || now);
    assert_eq!(stand(&ledger, &quotas, "day", now), (50, 40));
    drop(other);
    assert_eq!(stand(&ledger, &quotas, "day", now), (50, 0));
    assert!(purse.cover_at(cost(51), || now).is_err());
    let refused = purse.cover_at(cost(101), || now).unwrap_err();
    assert_eq!(refused.retry_after, None, "it never fits");
    let tomorrow = after(now, DAY / 2);
    assert!(purse.cover_at(cost(100), || tomorrow).is_ok());
}

#[test]
fn what_is_set_aside_at_midnight_counts_for_the_day_on_which_it_ends() {
    let (ledger, quotas, purse) = everybody(Quota {
        budgets: budget(100, Period::Day),
        ..quota("day", Scope::All)
    });
    let (today, tomorrow) = (noon(), after(noon(), DAY));
    let stake = purse.cover_at(cost(60), || today).unwrap();
    assert!(purse.cover_at(cost(41), || tomorrow).is_err());
    stake.settle_at(Some(&bill(0, 60)), Fate::Delivered, || tomorrow);
    assert_eq!(stand(&ledger, &quotas, "day", tomorrow), (60, 0));
    let back = Now {
        wall: today.wall,
        ..tomorrow
    };
    assert!(
        purse.cover_at(cost(41), || back).is_err(),
        "no old day is reopened"
    );
    assert!(spend(&purse, cost(40), Fate::Delivered, back).is_ok());
    assert!(
        purse.cover_at(cost(1), || tomorrow).is_err(),
        "nor is it midnight twice"
    );
}

#[test]
fn a_bill_that_is_unknown_books_nothing_and_one_above_its_claim_all_of_it() {
    let (ledger, quotas, purse) = everybody(Quota {
        budgets: budget(100, Period::Month),
        ceiling: Some(MicroUsd(90)),
        ..quota("month", Scope::All)
    });
    let now = noon();
    let stake = purse.cover_at(cost(50), || now).unwrap();
    stake.settle_at(None, Fate::Delivered, || now);
    assert_eq!(stand(&ledger, &quotas, "month", now), (0, 0));
    let stake = purse.cover_at(cost(50), || now).unwrap();
    let unpriced = Bill {
        cost: None,
        ..bill(10, 0)
    };
    stake.settle_at(Some(&unpriced), Fate::Delivered, || now);
    assert_eq!(stand(&ledger, &quotas, "month", now), (0, 0));
    let stake = purse.cover_at(cost(50), || now).unwrap();
    stake.settle_at(Some(&bill(0, 120)), Fate::Delivered, || now);
    assert_eq!(stand(&ledger, &quotas, "month", now), (120, 0));
    let refused = purse.cover_at(cost(1), || now).unwrap_err();
    assert_eq!(refused.of, Scarce::Budget);
    assert!(purse.cover_at(cost(0), || now).is_ok(), "what is free fits");
}

#[test]
fn the_ceiling_counts_all_attempts_of_one_exchange_and_of_no_other() {
    let ledger = Arc::<Ledger>::default();
    let quotas = quotas([Quota {
        ceiling: Some(MicroUsd(100)),
        ..quota("own", Scope::Key("own".into()))
    }]);
    let (own, now) = (key("own"), noon());
    let purse = ledger.admit(&quotas, &caller(&own), || now).unwrap();
    spend(&purse, cost(40), Fate::Wasted, now).unwrap();
    let first = purse.cover_at(cost(30), || now).unwrap();
    let hedge = purse.cover_at(cost(30), || now).unwrap();
    let refused = purse.cover_at(cost(1), || now).unwrap_err();
    assert_eq!(refused, short("own", Scarce::Ceiling, None));
    assert!(!purse.affords(MicroUsd(1)) && purse.affords(MicroUsd(0)));
    drop(hedge);
    assert!(purse.affords(MicroUsd(30)) && !purse.affords(MicroUsd(31)));
    first.settle_at(Some(&bill(0, 10)), Fate::Delivered, || now);
    assert!(purse.affords(MicroUsd(50)) && !purse.affords(MicroUsd(51)));
    let next = ledger.admit(&quotas, &caller(&own), || now).unwrap();
    assert!(next.affords(MicroUsd(100)));
}

#[test]
fn callers_pay_for_what_they_got_and_routes_for_what_was_thrown_away_too() {
    let budgets = || budget(1000, Period::Day);
    let all = [
        Quota {
            budgets: budgets(),
            ..quota("key", Scope::Key("own".into()))
        },
        Quota {
            budgets: budgets(),
            ..quota("tag", Scope::Tag("tier".into(), "free".into()))
        },
        Quota {
            budgets: budgets(),
            each: Each::User,
            ..quota("user", Scope::All)
        },
        Quota {
            budgets: budgets(),
            each: Each::Key,
            ..quota("chat each", Scope::Route("chat".into()))
        },
        Quota {
            budgets: budgets(),
            ..quota("chat", Scope::Route("chat".into()))
        },
        Quota {
            budgets: budgets(),
            ..quota("all", Scope::All)
        },
    ];
    let own = Key {
        tags: Tags::from([("tier".into(), "free".into())]),
        ..key("own")
    };
    for (waste, callers) in [(Waste::Route, 1), (Waste::Caller, 11)] {
        let ledger = Arc::<Ledger>::default();
        let quotas = Arc::new(Quotas {
            all: all.to_vec(),
            waste,
            ..Quotas::default()
        });
        let purse = ledger.admit(&quotas, &caller(&own), noon).unwrap();
        spend(&purse, cost(1), Fate::Delivered, noon()).unwrap();
        spend(&purse, cost(10), Fate::Wasted, noon()).unwrap();
        let spent = all
            .each_ref()
            .map(|quota| stand(&ledger, &quotas, &quota.name, noon()));
        let (callers, routes) = ((callers, 0), (11, 0));
        assert_eq!(spent, [callers, callers, callers, callers, routes, routes]);
    }
}

#[test]
fn an_attempt_is_covered_in_all_quotas_or_in_none() {
    let ledger = Arc::<Ledger>::default();
    let quotas = quotas([
        Quota {
            tokens_per_minute: Some(Tokens(100)),
            budgets: budget(100, Period::Day),
            ..quota("all", Scope::All)
        },
        Quota {
            budgets: budget(50, Period::Week),
            ..quota("chat", Scope::Route("chat".into()))
        },
    ]);
    let now = noon();
    let purse = ledger.admit(&quotas, &user("one"), || now).unwrap();
    let claim = Claim {
        tokens: Tokens(10),
        cost: MicroUsd(51),
    };
    let refused = purse.cover_at(claim, || now).unwrap_err();
    assert_eq!(refused, short("chat", Scarce::Budget, None));
    assert_eq!(stand(&ledger, &quotas, "all", now), (0, 0));
    assert!(
        purse.cover_at(tokens(100), || now).is_ok(),
        "no token is gone"
    );
    let refused = purse.cover_at(tokens(101), || now).unwrap_err();
    assert_eq!(refused, short("all", Scarce::Tokens, None));
}

#[test]
fn tokens_are_set_aside_and_those_not_used_given_back() {
    let (_, _, purse) = everybody(Quota {
        tokens_per_minute: Some(Tokens(600)),
        ..quota("all", Scope::All)
    });
    let now = noon();
    let stake = purse.cover_at(tokens(400), || now).unwrap();
    let refused = purse.cover_at(tokens(300), || now).unwrap_err();
    assert_eq!(refused, short("all", Scarce::Tokens, Some(10 * SECOND)));
    stake.settle_at(Some(&bill(101, 0)), Fate::Delivered, || now);
    assert!(purse.cover_at(tokens(499), || now).is_ok());
    assert!(purse.cover_at(tokens(500), || now).is_err());
    let stake = purse.cover_at(tokens(1), || now).unwrap();
    stake.settle_at(Some(&bill(10_000, 0)), Fate::Delivered, || now);
    let refused = purse.cover_at(tokens(1), || now).unwrap_err();
    let wait = Some(Duration::from_millis(60_100));
    assert_eq!(refused.retry_after, wait, "no more than a minute of debt");
}

#[test]
fn headers_are_told_of_the_tightest_quota() {
    let ledger = Arc::<Ledger>::default();
    let quotas = quotas([
        Quota {
            requests_per_minute: Some(60),
            tokens_per_minute: Some(Tokens(50)),
            ..quota("all", Scope::All)
        },
        Quota {
            requests_per_minute: Some(6),
            tokens_per_minute: Some(Tokens(70)),
            ..quota("chat", Scope::Route("chat".into()))
        },
    ]);
    let purse = ledger.admit(&quotas, &user("one"), Now::read).unwrap();
    let left = purse.left();
    let (requests, tokens) = (left.requests.unwrap(), left.tokens.unwrap());
    assert_eq!((requests.limit, requests.remaining), (6, 5));
    assert!(requests.reset > Duration::ZERO && requests.reset <= 10 * SECOND);
    assert_eq!((tokens.limit, tokens.remaining), (50, 50));
    assert_eq!(tokens.reset, Duration::ZERO);
}

#[tokio::test]
async fn the_clocks_are_read_when_an_attempt_is_covered_and_settled() {
    let (ledger, quotas, purse) = everybody(Quota {
        budgets: budget(100, Period::Day),
        ..quota("day", Scope::All)
    });
    let stake = purse.cover(cost(70)).await.unwrap();
    assert!(purse.cover(cost(31)).await.is_err());
    stake.settle(Some(&bill(0, 30)), Fate::Delivered);
    let _stake = purse.cover(cost(70)).await.unwrap();
    assert_eq!(stand(&ledger, &quotas, "day", Now::read()), (30, 70));
}
