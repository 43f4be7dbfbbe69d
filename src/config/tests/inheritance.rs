//! What a route comes to: route over `defaults` over shipped, key by key.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{LISTEN, PROVIDERS, good_route, read, route, top};
use crate::account::Price;
use crate::exchange::Class;
use crate::route::{
    Balance, Check, Choice, Contracts, Drops, Hedge, HedgeAfter, Hold, Json, Malformed, OutputFit,
    Policy, Reach, Refusals, Retries, Route, Target, Timeouts,
};
use crate::units::{MicroUsd, Tokens};
use crate::upstream::BreakerPolicy;

fn good(text: &str) -> Route {
    let settings = read(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    settings.routes.get("r").unwrap().as_ref().clone()
}

/// The policy of a route with these keys.
fn own(keys: &str) -> Policy {
    good(&good_route(&format!("{keys}\n"))).policy
}

/// The policy of a route with these keys under these defaults, in flow style.
fn under(defaults: &str, keys: &str) -> Policy {
    let routes = format!("routes: {{r: {{tiers: [[a/m]], {keys}}}}}\n");
    good(&format!(
        "{LISTEN}{PROVIDERS}defaults: {{{defaults}}}\n{routes}"
    ))
    .policy
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn head(tokens: u64, at_most: Duration) -> Hold {
    let tokens = Tokens(tokens);
    Hold::Head { tokens, at_most }
}

#[test]
fn a_route_that_says_nothing_gets_what_is_shipped() {
    for text in [top(""), route("{tiers: [[a/m]]}\n")] {
        assert_eq!(good(&text).policy, Policy::default());
    }
    let empty = "hold: {}, timeouts: {}, retries: {}, breaker: {}, verdicts: {}, checks: []";
    assert_eq!(under(empty, empty), Policy::default());
}

const EVERY_KEY: &str = "
    hold: {tokens: 7, at_most: 250ms}
    on_break: error
    keepalive: 15s
    deadline: 45s
    timeouts: {connect: 1s, first_token: 2s, stall: 3s, total: 40s, write: 4s, min_rate: 2.5}
    retries: {same_target: 0, max_attempts: 5, patience: 0s}
    breaker: {failures: 4, open: 1s, longest: 10s}
    hedge: {after: 800ms, share: 10%}
    verdicts: {auth: surface, transient: fall_back, bad_model_output: retry}
    refusals: fall_back
    refusal_texts: [I cannot, Désolé]
    checks: [tools, json]
    fail_closed: true
    malformed: skip
    strict_params: true
    fit_output: true
    contract: enforce
    json: native";

#[test]
fn every_key_is_taken() {
    let expected = Policy {
        hold: head(7, ms(250)),
        keepalive: Some(s(15)),
        deadline: s(45),
        timeouts: Timeouts {
            connect: s(1),
            first_token: s(2),
            stall: s(3),
            total: s(40),
            write: s(4),
            min_rate: 2.5,
        },
        retries: Retries {
            same_target: 0,
            max_attempts: 5,
            patience: s(0),
        },
        breaker: Some(BreakerPolicy {
            failures: 4,
            open: s(1),
            longest: s(10),
        }),
        hedge: Some(Hedge {
            after: HedgeAfter::Fixed(ms(800)),
            share: 0.1,
        }),
        verdicts: BTreeMap::from([
            (Class::Auth, Choice::Surface),
            (Class::Transient, Choice::FallBack),
            (Class::BadModelOutput, Choice::Retry),
        ]),
        refusals: Refusals::FallBack,
        refusal_texts: vec!["I cannot".to_owned(), "Désolé".to_owned()],
        checks: vec![Check::Tools, Check::Json],
        reach: Reach::SameModel,
        malformed: Malformed::Skip,
        drops: Drops::Refused,
        output: OutputFit::Fitted,
        contract: Contracts::Enforce,
        json: Json::Native,
    };
    assert_eq!(own(EVERY_KEY), expected);
    let defaults = format!("defaults:{}\n", EVERY_KEY.replace("\n    ", "\n  "));
    assert_eq!(good(&top(&defaults)).policy, expected);
}

#[test]
fn a_route_takes_back_what_defaults_say() {
    let defaults = "hold: all, keepalive: 10s, breaker: {failures: 9}, hedge: {after: p95}, \
                    refusals: fall_back, refusal_texts: [no], checks: [json], fail_closed: true, \
                    malformed: skip, verdicts: {auth: surface}";
    let keys = "hold: {}, keepalive: off, breaker: {failures: 3}, hedge: off, refusals: surface, \
                checks: [], fail_closed: false, malformed: break, verdicts: {auth: fall_back}";
    let expected = Policy {
        verdicts: BTreeMap::from([(Class::Auth, Choice::FallBack)]),
        ..Policy::default()
    };
    assert_eq!(under(defaults, keys), expected);
    let off = under(defaults, "hold: none, breaker: off");
    assert_eq!((off.hold, off.breaker), (Hold::None, None));
}

#[test]
fn maps_are_inherited_key_by_key() {
    let hold = |defaults: &str, keys: &str| under(defaults, keys).hold;
    assert_eq!(
        hold("hold: {tokens: 5}", "hold: {at_most: 1s}"),
        head(5, s(1))
    );
    assert_eq!(
        hold("hold: {at_most: 1s}", "hold: {tokens: 5}"),
        head(5, s(1))
    );
    assert_eq!(
        hold("hold: {tokens: 5}", "hold: {tokens: 6}"),
        head(6, ms(400))
    );
    for word in ["none", "all"] {
        let defaults = format!("hold: {word}");
        assert_eq!(hold(&defaults, "hold: {tokens: 5}"), head(5, ms(400)));
        assert_eq!(hold(&defaults, "hold: {at_most: 1s}"), head(12, s(1)));
        assert_eq!(hold(&defaults, "hold: {}"), Hold::default());
    }
    let retries = under(
        "retries: {same_target: 2, max_attempts: 3}",
        "retries: {max_attempts: 1, patience: 1s}",
    );
    let expected = Retries {
        same_target: 2,
        max_attempts: 1,
        patience: s(1),
    };
    assert_eq!(retries.retries, expected);
    let verdicts = under(
        "verdicts: {auth: surface, quota: retry}",
        "verdicts: {quota: surface, too_large: fall_back}",
    );
    let expected = BTreeMap::from([
        (Class::Auth, Choice::Surface),
        (Class::Quota, Choice::Surface),
        (Class::TooLarge, Choice::FallBack),
    ]);
    assert_eq!(verdicts.verdicts, expected);
}

#[test]
fn a_breaker_stays_open_at_most_five_minutes_or_as_long_as_it_opens_first() {
    let breaker = |failures, open, longest| {
        Some(BreakerPolicy {
            failures,
            open,
            longest,
        })
    };
    assert_eq!(own("breaker: {open: 1s}").breaker, breaker(3, s(1), s(300)));
    assert_eq!(
        own("breaker: {open: 10m}").breaker,
        breaker(3, s(600), s(600))
    );
    assert_eq!(
        own("breaker: {longest: 30s}").breaker,
        breaker(3, s(30), s(30))
    );
    let both = |keys| under("breaker: {failures: 1, open: 2s, longest: 4s}", keys).breaker;
    assert_eq!(both("breaker: {open: 3s}"), breaker(1, s(3), s(4)));
    assert_eq!(both("breaker: {open: 5s}"), breaker(1, s(5), s(5)));
    assert_eq!(both("breaker: {failures: 7}"), breaker(7, s(2), s(4)));
    let on_again = under("breaker: off", "breaker: {failures: 7}");
    assert_eq!(on_again.breaker, breaker(7, s(30), s(300)));
}

#[test]
fn a_share_is_per_cent_or_a_fraction() {
    let share = |text: &str| {
        let hedge = own(&format!("hedge: {{after: p95, share: {text}}}")).hedge;
        hedge.unwrap().share
    };
    let cases = [
        ("5%", 0.05),
        ("0.05", 0.05),
        ("\"5%\"", 0.05),
        ("100%", 1.0),
        ("1", 1.0),
        ("0.5%", 0.005),
    ];
    for (text, expected) in cases {
        assert!((share(text) - expected).abs() < f64::EPSILON, "{text}");
    }
    let hedge = |after| Some(Hedge { after, share: 0.05 });
    assert_eq!(own("hedge: {after: p95}").hedge, hedge(HedgeAfter::P95));
    let fixed = HedgeAfter::Fixed(s(2));
    assert_eq!(
        under("hedge: {after: 2s}", "hedge: {share: 5%}").hedge,
        hedge(fixed)
    );
    let both = under("hedge: {after: 2s, share: 7%}", "hedge: {after: p95}");
    assert_eq!(both.hedge.map(|hedge| hedge.after), Some(HedgeAfter::P95));
    assert_eq!(both.hedge.map(|hedge| hedge.share), Some(0.07));
}

#[test]
fn the_bounds_of_ranges_are_in_them() {
    let policy = own(
        "hold: {tokens: 10000, at_most: 1m}\n    keepalive: 5m\n    \
         retries: {same_target: 10, max_attempts: 16, patience: 1m}\n    \
         breaker: {failures: 1000, open: 1h, longest: 1h}\n    hedge: {after: 10m, share: 1}\n    \
         timeouts: {min_rate: 10000}",
    );
    assert_eq!(policy.hold, head(10_000, s(60)));
    assert_eq!(policy.keepalive, Some(s(300)));
    assert_eq!(policy.retries.patience, s(60));
    assert_eq!(policy.breaker.map(|it| it.longest), Some(s(3600)));
    let least = own("hold: {tokens: 1, at_most: 1ms}\n    keepalive: 1s\n    \
         retries: {max_attempts: 1}\n    breaker: {failures: 1, open: 100ms, longest: 100ms}\n    \
         hedge: {after: 10ms, share: 0.01%}\n    timeouts: {min_rate: 0, connect: 10ms}");
    assert_eq!(least.hold, head(1, ms(1)));
    assert_eq!(least.breaker.map(|it| it.longest), Some(ms(100)));
}

#[test]
fn what_is_inherited_is_cut_to_the_deadline() {
    let timeouts = Timeouts {
        connect: s(5),
        first_token: s(20),
        stall: s(20),
        total: s(20),
        write: s(20),
        min_rate: 0.0,
    };
    let expected = Policy {
        deadline: s(20),
        timeouts,
        ..Policy::default()
    };
    assert_eq!(own("deadline: 20s"), expected);
    let defaults = "timeouts: {first_token: 10m, total: 10m}, hold: {at_most: 50s}, \
                    retries: {patience: 55s}, keepalive: 1m, hedge: {after: 9m}";
    let short = under(defaults, "deadline: 3s");
    assert_eq!(short.timeouts.first_token, s(3));
    assert_eq!(short.hold, head(12, s(3)));
    assert_eq!(
        under(defaults, "deadline: 3s, hold: {tokens: 1}").hold,
        head(1, s(3))
    );
    assert_eq!(short.retries.patience, s(3));
    // These two never run out then; cut to the deadline they would race it.
    assert_eq!(short.keepalive, Some(s(60)));
    let after = short.hedge.map(|hedge| hedge.after);
    assert_eq!(after, Some(HedgeAfter::Fixed(s(540))));
}

#[test]
fn what_is_as_long_as_the_deadline_is_not_longer() {
    let policy = own(
        "deadline: 2s\n    hold: {at_most: 2s}\n    keepalive: 2s\n    retries: {patience: 2s}\n    \
         hedge: {after: 2s}\n    timeouts: {total: 2s, stall: 2s}",
    );
    assert_eq!(policy.hold, head(12, s(2)));
    assert_eq!(
        (policy.keepalive, policy.retries.patience),
        (Some(s(2)), s(2))
    );
    assert_eq!((policy.timeouts.total, policy.timeouts.stall), (s(2), s(2)));
}

#[test]
fn as_many_texts_as_there_may_be_count_by_their_characters() {
    let text = "é".repeat(256);
    let texts = vec![text.clone(); 64];
    let policy = own(&format!(
        "refusals: fall_back\n    refusal_texts: [{}]",
        texts.join(", ")
    ));
    assert_eq!(policy.refusal_texts, texts);
}

/// What `defaults` had to cut for their own deadline is whole again under a longer one.
#[test]
fn a_route_may_lengthen_the_deadline_of_defaults() {
    let defaults = "deadline: 1s, timeouts: {connect: 900ms}";
    assert_eq!(under(defaults, "malformed: break").timeouts.stall, s(1));
    let long = under(defaults, "deadline: 2m");
    let timeouts = Timeouts {
        connect: ms(900),
        total: s(120),
        ..Timeouts::default()
    };
    assert_eq!((long.deadline, long.timeouts), (s(120), timeouts));
    assert_eq!(long.retries.patience, s(2));
}

#[test]
fn refusal_texts_wait_for_a_route_that_heeds_them() {
    let defaults = "refusals: fall_back, refusal_texts: [no]";
    let heeds = under(defaults, "malformed: break");
    assert_eq!(heeds.refusal_texts, ["no"]);
    assert!(
        under(defaults, "refusals: surface")
            .refusal_texts
            .is_empty()
    );
}

#[test]
fn the_nearest_bound_wins() {
    let defaults =
        "defaults: {deadline: 2m, timeouts: {connect: 1s, stall: 11s, write: 12s, min_rate: 3}}\n";
    let route = "{tiers: [[{target: a/m, timeouts: {stall: 13s}}, a/n]], \
                 timeouts: {write: 14s, stall: 15s}}";
    let route = good(&format!(
        "{LISTEN}{PROVIDERS}{defaults}routes: {{r: {route}}}\n"
    ));
    let of_route = Timeouts {
        connect: s(1),
        first_token: s(60),
        stall: s(15),
        total: s(120),
        write: s(14),
        min_rate: 3.0,
    };
    let of_target = Timeouts {
        stall: s(13),
        ..of_route.clone()
    };
    let targets: Vec<_> = route
        .targets()
        .map(|target| target.timeouts.clone())
        .collect();
    assert_eq!(targets, [of_target, of_route.clone()]);
    assert_eq!(route.policy.timeouts, of_route);
}

#[test]
fn a_target_may_wait_longer_than_its_route_but_not_past_the_deadline() {
    let text = "tiers: [[{target: a/m, timeouts: {total: 40s, first_token: 30s, min_rate: 1}}]]\n    \
                deadline: 50s\n    timeouts: {total: 5s, stall: 4s}\n";
    let route = good(&route(text));
    let target = route.targets().next().unwrap();
    let expected = Timeouts {
        connect: s(5),
        first_token: s(30),
        stall: s(4),
        total: s(40),
        write: s(30),
        min_rate: 1.0,
    };
    assert_eq!(target.timeouts, expected);
    assert_eq!(route.policy.timeouts.write, s(5));
}

#[test]
fn tiers_keep_their_order_balance_weights_and_prices() {
    let text = "
    tiers:
      - [a/1, {target: a/2, weight: 1000, price: {input: 0, output: 1.25}}]
      - {balance: round_robin, targets: [a/3]}
      - {balance: least_busy, targets: [{target: a/4, price: {input: 10000, output: 0.000001}}]}
      - {balance: least_latency, targets: [a/5]}
      - {balance: least_cost, targets: [a/6]}
      - {balance: weighted, targets: [a/7]}
      - {targets: [a/8, a/9, a/10, a/11, a/12, a/13, a/14, a/15, a/16]}
";
    let route = good(&route(text));
    let balances: Vec<Balance> = route.tiers.iter().map(|tier| tier.balance).collect();
    let expected = [
        Balance::Weighted,
        Balance::RoundRobin,
        Balance::LeastBusy,
        Balance::LeastLatency,
        Balance::LeastCost,
        Balance::Weighted,
        Balance::Weighted,
    ];
    assert_eq!(balances, expected);
    let targets: Vec<&Target> = route.targets().collect();
    let names: Vec<&str> = targets.iter().map(|target| target.model.as_ref()).collect();
    let expected: Vec<String> = (1..=16).map(|number| number.to_string()).collect();
    assert_eq!(names, expected);
    let price = |input, output| {
        let (input, output) = (MicroUsd(input), MicroUsd(output));
        Some(Price::plain(input, output))
    };
    assert_eq!((targets[0].weight, targets[0].price), (1, None));
    let expected = (1000, price(0, 1_250_000));
    assert_eq!((targets[1].weight, targets[1].price), expected);
    assert_eq!(targets[3].price, price(10_000_000_000, 1));
}
