//! Every plan keeps its rules, for any route, question and conditions.
//!
//! An input is read by `arbitrary`: turn, fallback and reach, then target after target.

#![no_main]

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use libfuzzer_sys::{
    arbitrary::{Arbitrary, Result, Unstructured},
    fuzz_target,
};
use segue::{
    account::Price,
    dialect::Wants,
    exchange::Dialect,
    route::{
        Ask, Balance, Condition, LeftOut, Omission, Place, Plan, Policy, Reach, Resort, Route,
        Standing, StreamUse, Target, TargetLimits, Tier, Timeouts, plan,
    },
    units::MicroUsd,
    upstream::Admission,
};

#[path = "../../src/route/tests/rules.rs"]
mod rules;

const MOST_TARGETS: usize = 64;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|input: &[u8]| {
    // Bytes that run out give zeros: every input is a case.
    let Ok((route, ask, conditions)) = case(&mut Unstructured::new(input)) else {
        return;
    };
    rules::assert_kept(&route, ask, &conditions);
});

fn case(input: &mut Unstructured) -> Result<(Route, Ask, Vec<Condition>)> {
    let ask = Ask {
        turn: input.arbitrary()?,
        fallback: input.arbitrary()?,
    };
    let reach = *input.choose(&[Reach::Chain, Reach::SameModel])?;
    let (mut tiers, mut conditions) = (Vec::<Tier>::new(), Vec::new());
    while !input.is_empty() && conditions.len() < MOST_TARGETS {
        // Without a balance of its own a target joins the tier before.
        let balance = match input.int_in_range(0..=9)? {
            0 => Some(Balance::Weighted),
            1 => Some(Balance::RoundRobin),
            2 => Some(Balance::LeastBusy),
            3 => Some(Balance::LeastLatency),
            4 => Some(Balance::LeastCost),
            _ => None,
        };
        if let Some(balance) = balance {
            let targets = Vec::new();
            tiers.push(Tier { balance, targets });
        }
        let Some(tier) = tiers.last_mut() else {
            continue;
        };
        tier.targets.push(target(input)?);
        conditions.push(condition(input)?);
    }
    let policy = Policy {
        reach,
        ..Policy::default()
    };
    let route = Route {
        name: "route".into(),
        variant: None,
        tiers,
        policy,
        variants: Vec::new(),
    };
    Ok((route, ask, conditions))
}

fn target(input: &mut Unstructured) -> Result<Target> {
    let price = match input.arbitrary()? {
        Some(()) => Some(Price::plain(
            MicroUsd(number(input)?),
            MicroUsd(number(input)?),
        )),
        None => None,
    };
    Ok(Target {
        name: "provider/model".into(),
        provider: "provider".into(),
        model: (*input.choose(&["one", "other"])?).into(),
        dialect: Dialect::OpenAi,
        weight: number(input)?,
        price,
        timeouts: Timeouts::default(),
        profile: Arc::default(),
        abilities: Arc::default(),
        stream: StreamUse::default(),
        limits: TargetLimits::default(),
    })
}

fn condition(input: &mut Unstructured) -> Result<Condition> {
    let standing = match input.int_in_range(0..=9)? {
        0 => Standing::NoProvider,
        1 => Standing::Known(Admission::Probe),
        2 => Standing::Known(Admission::Probed),
        3 | 4 => Standing::Known(Admission::Shut {
            until: *START + Duration::from_secs(input.arbitrary::<u8>()?.into()),
        }),
        5 => Standing::Full {
            until: *START + Duration::from_secs(input.arbitrary::<u8>()?.into()),
        },
        _ => Standing::Known(Admission::Free),
    };
    let latency = match input.arbitrary()? {
        Some(()) => Some(Duration::from_nanos(number(input)?)),
        None => None,
    };
    Ok(Condition {
        standing,
        in_flight: number(input)?,
        latency,
    })
}

/// Most often a small number, so that there are equals.
fn number<'a, T: Arbitrary<'a> + From<u8>>(input: &mut Unstructured<'a>) -> Result<T> {
    match input.int_in_range(0..=3)? {
        0 => input.arbitrary(),
        _ => Ok(T::from(input.int_in_range(0..=3)?)),
    }
}
