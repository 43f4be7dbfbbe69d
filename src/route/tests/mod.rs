//! The promises of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{
    Ask, Balance, Condition, LeftOut, Omission, Place, Plan, Policy, Reach, Resort, Route,
    Standing, StreamUse, Target, TargetLimits, Tier, Timeouts, plan,
};
use crate::account::Price;
use crate::dialect::Wants;
use crate::exchange::Dialect;
use crate::units::MicroUsd;
use crate::upstream::Admission;

mod balance;
mod capable;
mod rules;

const IDLE: Condition = Condition {
    standing: Standing::Known(Admission::Free),
    in_flight: 0,
    latency: None,
};
const GONE: Condition = Condition {
    standing: Standing::NoProvider,
    ..IDLE
};
const ASK: Ask = Ask {
    turn: 0,
    fallback: true,
};

fn nothing() -> Wants<'static> {
    Wants::nothing(Dialect::OpenAi)
}

fn standing(admission: Admission) -> Condition {
    Condition {
        standing: Standing::Known(admission),
        ..IDLE
    }
}

fn shut(until: Instant) -> Condition {
    standing(Admission::Shut { until })
}

fn target(model: &str, weight: u32) -> Target {
    Target {
        name: format!("provider/{model}").into(),
        provider: "provider".into(),
        model: model.into(),
        dialect: Dialect::OpenAi,
        weight,
        price: None,
        limits: TargetLimits::default(),
        timeouts: Timeouts::default(),
        profile: Arc::default(),
        abilities: Arc::default(),
        stream: StreamUse::default(),
    }
}

fn route(tiers: impl IntoIterator<Item = (Balance, Vec<Target>)>) -> Route {
    let tiers = tiers.into_iter();
    Route {
        name: "route".into(),
        variant: None,
        variants: Vec::new(),
        tiers: tiers
            .map(|(balance, targets)| Tier { balance, targets })
            .collect(),
        policy: Policy::default(),
    }
}

/// A route of tiers of so many targets, in the written order at turn 0.
fn written<const N: usize>(tiers: [usize; N]) -> Route {
    let mut models = (0..).map(|number: usize| format!("model-{number}"));
    route(tiers.map(|targets| {
        let targets = models.by_ref().take(targets).map(|model| target(&model, 1));
        (Balance::RoundRobin, targets.collect())
    }))
}

/// The order of the targets, all rules checked.
fn order(route: &Route, ask: Ask, conditions: &[Condition]) -> Vec<usize> {
    let plan = rules::assert_kept(route, ask, conditions);
    plan.places.iter().map(|place| place.target).collect()
}

#[test]
fn tiers_follow_one_another() {
    assert_eq!(order(&written([2, 1, 2]), ASK, &[IDLE; 5]), [0, 1, 2, 3, 4]);
}

#[test]
fn each_target_is_looked_at_once_and_by_its_own_place() {
    let route = written([2, 2]);
    let asked = std::cell::RefCell::new(Vec::new());
    plan(&route, ASK, &nothing(), |target, named| {
        asked.borrow_mut().push((target, named.model.to_string()));
        IDLE
    });
    let expected: Vec<_> = (0..4)
        .map(|place| (place, format!("model-{place}")))
        .collect();
    assert_eq!(asked.into_inner(), expected);
}

#[test]
fn what_is_shut_comes_behind_all_tiers_and_opens_in_order() {
    let now = Instant::now();
    let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_mins(1));
    let conditions = [
        shut(late),
        IDLE,
        standing(Admission::Probed),
        shut(soon),
        IDLE,
    ];
    let plan = rules::assert_kept(&written([3, 2]), ASK, &conditions);
    let place = |target, resort| Place { target, resort };
    assert_eq!(
        plan.places.as_slice(),
        [
            place(1, None),
            place(4, None),
            place(2, Some(Resort::Probed)),
            place(3, Some(Resort::Shut { until: soon })),
            place(0, Some(Resort::Shut { until: late })),
        ]
    );
}

#[test]
fn what_is_at_its_limits_comes_behind_all_tiers_and_before_what_is_not_well() {
    let now = Instant::now();
    let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_mins(1));
    let full = |until| Condition {
        standing: Standing::Full { until },
        ..IDLE
    };
    let conditions = [
        shut(soon),
        full(late),
        standing(Admission::Probed),
        full(soon),
        IDLE,
    ];
    let route = written([3, 2]);
    let plan = rules::assert_kept(&route, ASK, &conditions);
    let place = |target, resort| Place { target, resort };
    assert_eq!(
        plan.places.as_slice(),
        [
            place(4, None),
            place(3, Some(Resort::Full { until: soon })),
            place(1, Some(Resort::Full { until: late })),
            place(2, Some(Resort::Probed)),
            place(0, Some(Resort::Shut { until: soon })),
        ]
    );
    assert_eq!(order(&route, ASK, &[full(late); 5]).len(), 5);
}

#[test]
fn what_is_to_be_probed_keeps_its_place() {
    let conditions = [standing(Admission::Probe), IDLE];
    let plan = rules::assert_kept(&written([2]), ASK, &conditions);
    let first = Place {
        target: 0,
        resort: None,
    };
    assert_eq!(plan.places.first(), Some(&first));
}

#[test]
fn no_target_is_lost_although_all_are_shut() {
    let until = Instant::now();
    let conditions = [shut(until), standing(Admission::Probed), shut(until)];
    assert_eq!(order(&written([1, 2]), ASK, &conditions), [1, 0, 2]);
}

#[test]
fn a_target_without_a_provider_is_left_out() {
    let plan = rules::assert_kept(&written([1, 2]), ASK, &[GONE, IDLE, GONE]);
    let left_out = |target| Omission {
        target,
        reason: LeftOut::NoProvider,
    };
    assert_eq!(plan.left_out.as_slice(), [left_out(0), left_out(2)]);
    assert_eq!(plan.places.len(), 1);
}

#[test]
fn fail_closed_goes_to_no_other_model_than_the_first_one_written() {
    let tiers = [("one", 1), ("other", 1), ("one", 1)]
        .map(|(model, weight)| (Balance::Weighted, vec![target(model, weight)]));
    let mut route = route(tiers);
    assert_eq!(order(&route, ASK, &[IDLE; 3]), [0, 1, 2]);

    route.policy.reach = Reach::SameModel;
    let other = Omission {
        target: 1,
        reason: LeftOut::FailClosed,
    };
    let plan = rules::assert_kept(&route, ASK, &[IDLE; 3]);
    assert_eq!(plan.left_out.as_slice(), [other]);
    // Also when the first one cannot be asked.
    let until = Instant::now();
    assert_eq!(order(&route, ASK, &[shut(until), IDLE, IDLE]), [2, 0]);
    assert_eq!(order(&route, ASK, &[GONE, IDLE, IDLE]), [2]);
    assert!(order(&route, ASK, &[GONE, IDLE, GONE]).is_empty());
}

#[test]
fn without_fallback_the_first_of_the_plan_stays_alone() {
    let ask = Ask {
        fallback: false,
        ..ASK
    };
    let off = |target| Omission {
        target,
        reason: LeftOut::FallbackOff,
    };
    let plan = rules::assert_kept(&written([1, 2]), ask, &[IDLE; 3]);
    assert_eq!(plan.places.len(), 1);
    assert_eq!(plan.left_out.as_slice(), [off(1), off(2)]);

    let until = Instant::now();
    let ask_shut = |conditions: &[Condition]| order(&written([1, 2]), ask, conditions);
    assert_eq!(ask_shut(&[shut(until), IDLE, IDLE]), [1]);
    assert_eq!(ask_shut(&[shut(until); 3]), [0]);
    assert!(ask_shut(&[GONE; 3]).is_empty());
}

#[test]
fn reasons_have_their_names() {
    let reasons = [
        LeftOut::NoProvider,
        LeftOut::FallbackOff,
        LeftOut::FailClosed,
    ];
    let names = reasons.map(LeftOut::name);
    assert_eq!(names, ["no_provider", "fallback_off", "fail_closed"]);
}

#[test]
fn four_targets_need_no_allocation() {
    let ask = Ask {
        fallback: false,
        ..ASK
    };
    for (ask, conditions) in [(ASK, [IDLE; 4]), (ask, [IDLE; 4]), (ASK, [GONE; 4])] {
        let plan = plan(&written([3, 1]), ask, &nothing(), |target, _| {
            conditions[target]
        });
        assert!(!plan.places.spilled() && !plan.left_out.spilled());
    }
}

/// A target with its condition; small numbers are likely, so that there are equals.
fn any_seat(start: Instant) -> impl Strategy<Value = (Target, Condition)> {
    let until = (0..4_u64).prop_map(move |seconds| start + Duration::from_secs(seconds));
    let standing = prop_oneof![
        4 => Just(Standing::Known(Admission::Free)),
        1 => Just(Standing::Known(Admission::Probe)),
        1 => Just(Standing::Known(Admission::Probed)),
        2 => until.clone().prop_map(|until| Standing::Known(Admission::Shut { until })),
        1 => until.prop_map(|until| Standing::Full { until }),
        1 => Just(Standing::NoProvider),
    ];
    let number = || prop_oneof![3 => 0..4_u32, 1 => any::<u32>()];
    let cost = || prop_oneof![3 => 0..4_u64, 1 => any::<u64>()].prop_map(MicroUsd);
    let price = (cost(), cost()).prop_map(|(input, output)| Price::plain(input, output));
    let latency = prop_oneof![
        3 => (0..4_u64).prop_map(Duration::from_secs),
        1 => any::<Duration>(),
    ];
    (
        prop_oneof![Just("one"), Just("other")],
        number(),
        prop::option::of(price),
        standing,
        number(),
        prop::option::of(latency),
    )
        .prop_map(|(model, weight, price, standing, in_flight, latency)| {
            let target = Target {
                price,
                ..target(model, weight)
            };
            let condition = Condition {
                standing,
                in_flight,
                latency,
            };
            (target, condition)
        })
}

fn any_balance() -> impl Strategy<Value = Balance> {
    prop_oneof![
        Just(Balance::Weighted),
        Just(Balance::RoundRobin),
        Just(Balance::LeastBusy),
        Just(Balance::LeastLatency),
        Just(Balance::LeastCost),
    ]
}

proptest! {
    #[test]
    fn every_plan_keeps_the_rules(
        tiers in prop::collection::vec(
            (any_balance(), prop::collection::vec(any_seat(Instant::now()), 0..6)),
            0..4,
        ),
        reach in prop_oneof![Just(Reach::Chain), Just(Reach::SameModel)],
        turn in prop_oneof![0..100_u64, any::<u64>()],
        fallback in any::<bool>(),
    ) {
        let seats = tiers.iter().flat_map(|(_, seats)| seats);
        let conditions: Vec<Condition> = seats.map(|(_, condition)| *condition).collect();
        let tiers = tiers.into_iter().map(|(balance, seats)| {
            (balance, seats.into_iter().map(|(target, _)| target).collect())
        });
        let mut route = route(tiers);
        route.policy.reach = reach;
        rules::assert_kept(&route, Ask { turn, fallback }, &conditions);
    }
}

/// How often each order comes in a run of turns.
fn orders(
    route: &Route,
    turns: impl IntoIterator<Item = u64>,
    conditions: &[Condition],
) -> BTreeMap<Vec<usize>, u32> {
    let mut orders = BTreeMap::new();
    for turn in turns {
        let Plan { places, .. } = plan(route, Ask { turn, ..ASK }, &nothing(), |target, _| {
            conditions[target]
        });
        let order = places.iter().map(|place| place.target).collect();
        *orders.entry(order).or_default() += 1;
    }
    orders
}
