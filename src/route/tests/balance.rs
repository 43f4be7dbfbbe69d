//! The order inside a tier.

use super::*;

fn tier(balance: Balance, weights: &[u32]) -> Route {
    let targets = weights.iter().enumerate();
    let targets = targets.map(|(number, weight)| target(&number.to_string(), *weight));
    route([(balance, targets.collect())])
}

/// The orders of these turns.
fn in_turn(
    route: &Route,
    turns: impl IntoIterator<Item = u64>,
    conditions: &[Condition],
) -> Vec<Vec<usize>> {
    let asks = turns.into_iter().map(|turn| Ask { turn, ..ASK });
    asks.map(|ask| order(route, ask, conditions)).collect()
}

fn firsts(orders: &[Vec<usize>]) -> Vec<usize> {
    orders
        .iter()
        .filter_map(|order| order.first().copied())
        .collect()
}

fn busy(in_flight: u32) -> Condition {
    Condition { in_flight, ..IDLE }
}

fn answers_after(millis: u64) -> Condition {
    Condition {
        latency: Some(Duration::from_millis(millis)),
        ..IDLE
    }
}

/// The chance of an order, when each place is drawn by weight from those left.
fn chance(order: &[usize], weights: &[u32]) -> f64 {
    let (chance, _) = order.iter().fold(
        (1.0, f64::from(weights.iter().sum::<u32>())),
        |(chance, left), target| {
            let weight = f64::from(weights[*target]);
            (chance * weight / left, left - weight)
        },
    );
    chance
}

#[test]
fn weighted_gives_every_place_by_weight() {
    const TURNS: u32 = 100_000;
    let weights = [5, 3, 2];
    let runs = [
        (0, 1),
        (1 << 40, 1),
        (u64::MAX - 1000, 1),
        (3, 2),
        (0, 1024),
    ];
    for (first, step) in runs {
        let turns = (0..u64::from(TURNS)).map(|turn| (turn * step).wrapping_add(first));
        let orders = orders(&tier(Balance::Weighted, &weights), turns, &[IDLE; 3]);
        assert_eq!(orders.len(), 6);
        let chi_square: f64 = orders
            .iter()
            .map(|(order, seen)| {
                let expected = chance(order, &weights) * f64::from(TURNS);
                (f64::from(*seen) - expected).powi(2) / expected
            })
            .sum();
        // Five degrees of freedom: true chance stays below it in 999 of 1,000 runs.
        assert!(
            chi_square < 20.5,
            "{chi_square} from {first} by {step}: {orders:?}"
        );
    }
}

#[test]
fn weighted_draws_anew_for_each_tier() {
    let tier = || {
        (
            Balance::Weighted,
            vec![target("one", 1), target("other", 1)],
        )
    };
    let orders = orders(&route([tier(), tier()]), 0..10_000, &[IDLE; 4]);
    assert_eq!(orders.len(), 4);
    assert!(
        orders.values().all(|seen| (2_300..2_700).contains(seen)),
        "{orders:?}"
    );
}

#[test]
fn weighted_keeps_its_order_when_one_is_gone() {
    let route = tier(Balance::Weighted, &[1, 2, 3, 4]);
    for turn in 0..100 {
        let ask = Ask { turn, ..ASK };
        let mut all = order(&route, ask, &[IDLE; 4]);
        all.retain(|target| *target != 1);
        assert_eq!(order(&route, ask, &[IDLE, GONE, IDLE, IDLE]), all);
    }
}

#[test]
fn round_robin_rotates_equal_weights() {
    for weight in [1, 2, u32::MAX] {
        let route = tier(Balance::RoundRobin, &[weight; 3]);
        let orders = in_turn(&route, 0..4, &[IDLE; 3]);
        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    }
}

#[test]
fn round_robin_gives_a_turn_for_each_unit_of_weight() {
    let orders = in_turn(&tier(Balance::RoundRobin, &[3, 1]), 0..8, &[IDLE; 2]);
    assert_eq!(firsts(&orders), [0, 0, 1, 0, 0, 0, 1, 0]);
    let orders = in_turn(&tier(Balance::RoundRobin, &[0, 2]), 0..3, &[IDLE; 2]);
    assert_eq!(firsts(&orders), [1, 0, 1], "no weight counts as the least");
    let orders = in_turn(&tier(Balance::RoundRobin, &[1000, 1]), 0..1001, &[IDLE; 2]);
    let rare: Vec<_> = (0..1001)
        .filter(|turn| firsts(&orders)[*turn] == 1)
        .collect();
    assert_eq!(rare, [500]);
}

#[test]
fn round_robin_shares_the_turns_of_one_that_is_shut() {
    let until = Instant::now();
    let conditions = [IDLE, shut(until), IDLE];
    let orders = in_turn(&tier(Balance::RoundRobin, &[1; 3]), 0..4, &conditions);
    assert_eq!(orders, [[0, 2, 1], [2, 0, 1], [0, 2, 1], [2, 0, 1]]);
}

#[test]
fn last_resorts_of_one_moment_take_turns_too() {
    let conditions = [shut(Instant::now()); 2];
    let orders = in_turn(&tier(Balance::RoundRobin, &[1; 2]), 0..2, &conditions);
    assert_eq!(orders, [[0, 1], [1, 0]]);
}

proptest! {
    /// As if the turns of two cycles were written down and sorted: the next is the first place,
    /// and whoever comes next after it the second.
    #[test]
    fn round_robin_is_a_list_of_turns(weights in prop::collection::vec(1..9_u32, 1..6)) {
        let mut list: Vec<(u32, u32, usize)> = Vec::new();
        for (target, weight) in weights.iter().enumerate() {
            list.extend((0..2 * weight).map(|turn| (2 * turn + 1, *weight, target)));
        }
        list.sort_by_key(|(half, weight, target)| (half * (2520 / weight), *target));
        let route = tier(Balance::RoundRobin, &weights);
        let conditions = vec![IDLE; weights.len()];
        let cycle: u32 = weights.iter().sum();
        for turn in 0..u64::from(cycle) {
            let mut expected = Vec::new();
            for (_, _, target) in list.iter().skip(usize::try_from(turn).unwrap()) {
                if !expected.contains(target) {
                    expected.push(*target);
                }
            }
            for turn in [turn, turn + 7 * u64::from(cycle)] {
                prop_assert_eq!(&order(&route, Ask { turn, ..ASK }, &conditions), &expected);
            }
        }
    }
}

#[test]
fn least_busy_looks_at_what_is_under_way_for_the_weight() {
    let route = tier(Balance::LeastBusy, &[1, 1, 4]);
    // 3, 2 and 1 attempts for each unit of weight, with the one to come.
    for turn in 0..4 {
        let ask = Ask { turn, ..ASK };
        assert_eq!(order(&route, ask, &[busy(2), busy(1), busy(3)]), [2, 1, 0]);
        assert_eq!(order(&route, ask, &[busy(0), busy(1), busy(9)]), [0, 1, 2]);
        // Only one in 2^64 apart.
        let close = tier(Balance::LeastBusy, &[u32::MAX, u32::MAX - 1]);
        let conditions = [busy(u32::MAX - 2), busy(u32::MAX - 3)];
        assert_eq!(order(&close, ask, &conditions), [1, 0]);
    }
}

#[test]
fn equals_take_turns_by_weight_among_themselves() {
    let route = tier(Balance::LeastBusy, &[1, 1, 1]);
    let orders = in_turn(&route, 0..4, &[busy(1), busy(0), busy(0)]);
    assert_eq!(orders, [[1, 2, 0], [2, 1, 0], [1, 2, 0], [2, 1, 0]]);

    let route = tier(Balance::LeastBusy, &[3, 1]);
    let orders = in_turn(&route, 0..4, &[busy(2), busy(0)]);
    assert_eq!(firsts(&orders), [0, 0, 1, 0]);
}

#[test]
fn least_latency_prefers_the_quickest_and_tries_the_unknown() {
    let route = tier(Balance::LeastLatency, &[1; 4]);
    let [slow, quick] = [900, 100].map(answers_after);
    for turn in 0..4 {
        let ask = Ask { turn, ..ASK };
        let order = |conditions: [Condition; 4]| order(&route, ask, &conditions);
        assert_eq!(order([slow, IDLE, busy(1), quick]), [1, 3, 0, 2]);
        assert_eq!(order([slow, answers_after(0), IDLE, quick]), [2, 1, 3, 0]);
    }
    let orders = in_turn(&route, 0..2, &[slow, IDLE, IDLE, quick]);
    assert_eq!(orders, [[1, 2, 3, 0], [2, 1, 3, 0]]);
    let orders = in_turn(&route, 0..2, &[slow, busy(1), busy(5), slow]);
    assert_eq!(orders, [[0, 3, 1, 2], [3, 0, 2, 1]]);
}

#[test]
fn least_cost_counts_input_three_times() {
    let priced = |prices: [Option<(u64, u64)>; 3]| {
        let targets = prices.map(|price| Target {
            price: price.map(|(input, output)| Price::plain(MicroUsd(input), MicroUsd(output))),
            ..target("model", 1)
        });
        route([(Balance::LeastCost, targets.into())])
    };
    for turn in 0..3 {
        let ask = Ask { turn, ..ASK };
        let order = |prices| order(&priced(prices), ask, &[IDLE; 3]);
        // 17, nothing known, 16
        assert_eq!(order([Some((5, 2)), None, Some((2, 10))]), [2, 0, 1]);
        // 18, 17, 19
        assert_eq!(
            order([Some((4, 6)), Some((5, 2)), Some((3, 10))]),
            [1, 0, 2]
        );
        let most = Some((u64::MAX, u64::MAX));
        assert_eq!(order([None, most, Some((u64::MAX, 0))]), [2, 1, 0]);
    }
    let equal = priced([Some((1, 3)), None, Some((2, 0))]);
    let orders = in_turn(&equal, 0..2, &[IDLE; 3]);
    assert_eq!(orders, [[0, 2, 1], [2, 0, 1]]);
}
