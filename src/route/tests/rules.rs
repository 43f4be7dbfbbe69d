//! What every plan keeps, whatever the route, the question and the conditions. The fuzz target
//! includes this file too, so it takes its names from the module above.

use super::{
    Admission, Ask, Balance, Condition, Dialect, LeftOut, Omission, Place, Plan, Reach, Resort,
    Route, Standing, Target, Wants, plan,
};

/// Plans, and checks the plan against a plain reading of what it promises.
pub(super) fn assert_kept(route: &Route, ask: Ask, conditions: &[Condition]) -> Plan {
    let wants = Wants::nothing(Dialect::OpenAi);
    let planned = |ask| plan(route, ask, &wants, |target, _| conditions[target]);
    let got = planned(ask);
    assert_eq!(got, planned(ask), "the same question has the same plan");

    let ask_all = Ask {
        fallback: true,
        ..ask
    };
    let whole = planned(ask_all);
    assert_members(route, conditions, &whole);
    assert_order(route, conditions, &whole);
    if ask.fallback {
        assert_eq!(got, whole);
    } else {
        assert_one(&got, &whole);
    }
    got
}

/// Each target is exactly once in the plan, or left out, for the reason that holds for it.
fn assert_members(route: &Route, conditions: &[Condition], plan: &Plan) {
    let own = route.targets().next().map(|target| &*target.model);
    for (target, named) in route.targets().enumerate() {
        let other_model = own != Some(&*named.model);
        let expected = match conditions[target].standing {
            Standing::NoProvider => Err(LeftOut::NoProvider),
            Standing::Known(_) | Standing::Full { .. }
                if route.policy.reach == Reach::SameModel && other_model =>
            {
                Err(LeftOut::FailClosed)
            }
            Standing::Known(Admission::Free | Admission::Probe) => Ok(None),
            Standing::Full { until } => Ok(Some(Resort::Full { until })),
            Standing::Known(Admission::Probed) => Ok(Some(Resort::Probed)),
            Standing::Known(Admission::Shut { until }) => Ok(Some(Resort::Shut { until })),
        };
        let kept = plan
            .places
            .iter()
            .map(|place| (place.target, Ok(place.resort)));
        let left_out = plan
            .left_out
            .iter()
            .map(|one| (one.target, Err(one.reason)));
        let found: Vec<_> = kept
            .chain(left_out)
            .filter(|(place, _)| *place == target)
            .map(|(_, found)| found)
            .collect();
        assert_eq!(found, [expected], "target {target}");
    }
    let members = plan.places.len() + plan.left_out.len();
    assert_eq!(members, route.targets().count());
}

/// Last resorts are last, the better first; those that can be asked keep the order of their tiers,
/// and within a tier that of its balance.
fn assert_order(route: &Route, conditions: &[Condition], plan: &Plan) {
    let tiers = route.tiers.iter().enumerate();
    let seats: Vec<(usize, Balance, &Target)> = tiers
        .flat_map(|(number, tier)| {
            let targets = tier.targets.iter();
            targets.map(move |target| (number, tier.balance, target))
        })
        .collect();
    for pair in plan.places.windows(2) {
        let (one, other) = (&pair[0], &pair[1]);
        assert!(one.resort <= other.resort, "{one:?} before {other:?}");
        if one.resort != other.resort {
            continue;
        }
        let (tier, balance, target) = seats[one.target];
        let (other_tier, _, other_target) = seats[other.target];
        assert!(tier <= other_tier, "{one:?} before {other:?}");
        if tier == other_tier {
            let (condition, other) = (&conditions[one.target], &conditions[other.target]);
            let fits = fits(balance, (target, condition), (other_target, other));
            assert!(fits, "{balance:?}: {one:?} before {other:?}");
        }
    }
}

/// Whether the one may stand before the other.
fn fits(balance: Balance, one: (&Target, &Condition), other: (&Target, &Condition)) -> bool {
    match balance {
        Balance::Weighted | Balance::RoundRobin => true,
        Balance::LeastBusy => {
            let busy = |(_, known): (&Target, &Condition)| u128::from(known.in_flight) + 1;
            let weight = |(target, _): (&Target, &Condition)| u128::from(target.weight.max(1));
            busy(one) * weight(other) <= busy(other) * weight(one)
        }
        Balance::LeastLatency => match (one.1.latency, other.1.latency) {
            (Some(one), Some(other)) => one <= other,
            (None, Some(_)) => one.1.in_flight == 0,
            (Some(_), None) => other.1.in_flight > 0,
            (None, None) => one.1.in_flight == 0 || other.1.in_flight > 0,
        },
        Balance::LeastCost => match (one.0.price, other.0.price) {
            (Some(one), Some(other)) => {
                let cost = |input, output| u128::from(input) * 3 + u128::from(output);
                cost(one.input.0, one.output.0) <= cost(other.input.0, other.output.0)
            }
            (None, Some(_)) => false,
            (_, None) => true,
        },
    }
}

/// Without fallback only the first place of the whole plan is left, and the others say why.
fn assert_one(one: &Plan, whole: &Plan) {
    let (kept, rest) = whole.places.split_at(whole.places.len().min(1));
    assert_eq!(one.places.as_slice(), kept);
    let off = rest.iter().map(|place: &Place| Omission {
        target: place.target,
        reason: LeftOut::FallbackOff,
    });
    let left_out: Vec<_> = whole.left_out.iter().copied().chain(off).collect();
    assert_eq!(one.left_out.as_slice(), left_out);
}
