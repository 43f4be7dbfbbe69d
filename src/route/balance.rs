//! The order of the targets of one tier.
//!
//! Pure: chance and turn come from a number. Every order is a rank, and targets of equal rank take
//! turns by weight.

use smallvec::SmallVec;

use crate::route::condition::{Condition, Resort};
use crate::route::{Balance, Target};

/// The targets of a tier that are to be put in order.
pub(super) type Seats = SmallVec<[Seat; 4]>;

/// A target of a tier, on its way to a place in a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    /// Its place in [`crate::route::Route::targets`].
    pub(super) target: usize,
    /// Set when it stands behind all that can be asked.
    pub(super) resort: Option<Resort>,
    weight: u32,
    /// The lesser comes first.
    rank: u128,
}

impl Seat {
    /// The target at place `target` of its route, ranked among its tier.
    pub(super) fn new(
        target: usize,
        named: &Target,
        resort: Option<Resort>,
        balance: Balance,
        turn: u64,
        condition: &Condition,
    ) -> Self {
        let weight = named.weight.max(1);
        let rank = match balance {
            Balance::RoundRobin => 0,
            Balance::Weighted => draw(turn, target, weight),
            Balance::LeastBusy => load(condition.in_flight, weight),
            Balance::LeastLatency => wait(condition),
            Balance::LeastCost => named.price.map_or(u128::MAX, |price| price.typical()),
        };
        Self {
            target,
            resort,
            weight,
            rank,
        }
    }
}

/// Puts the targets of a tier in order: those that can be asked before the last resorts, each by
/// rank, and equals in turn.
pub(super) fn arrange(seats: &mut [Seat], turn: u64) {
    let key = |seat: &Seat| (seat.resort, seat.rank);
    seats.sort_by_key(key);
    for equals in seats.chunk_by_mut(|one, other| key(one) == key(other)) {
        take_turns(equals, turn);
    }
}

/// A rank by chance. Whoever has weight w comes first with a chance of w among the sum of all
/// weights, and the same holds for the second place among those left, and so on: the times to the
/// first event of Poisson processes with rates w, as in Efraimidis and Spirakis, "Weighted random
/// sampling with a reservoir" (2006). What one target draws does not hang on who else is there.
fn draw(turn: u64, target: usize, weight: u32) -> u128 {
    // The output of splitmix64 number `target`, with the turn as its seed.
    let state = turn.wrapping_add((target as u64).wrapping_mul(GOLDEN));
    let bits = (mix(state) >> 32) as u32;
    // Above 0 and below 1, so that the time is finite and above 0.
    let chance = (f64::from(bits) + 0.5) / 2_f64.powi(32);
    // Bits of floats above 0 are in the order of the floats.
    u128::from((chance.recip().ln() / f64::from(weight)).to_bits())
}

/// 2^64 divided by the golden ratio, odd: the step of splitmix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output of splitmix64 for a state (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014; constants of Vigna's reference).
fn mix(state: u64) -> u64 {
    let bits = state.wrapping_add(GOLDEN);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The load with one attempt more, for its weight. Exact enough that only equal ones are equal:
/// fractions with denominators below 2^32 differ by more than 2^-64.
fn load(in_flight: u32, weight: u32) -> u128 {
    ((u128::from(in_flight) + 1) << 64) / u128::from(weight)
}

/// The expected wait. A target of which nothing is known comes first, so that something becomes
/// known; but one attempt is enough for that, and while it is under way the target comes last.
fn wait(condition: &Condition) -> u128 {
    match (condition.latency, condition.in_flight) {
        (Some(latency), _) => latency.as_nanos() + 1,
        (None, 0) => 0,
        (None, _) => u128::MAX,
    }
}

/// Puts equals in the order of their next turns. A cycle has a turn for each unit of weight; those
/// of one target lie evenly over it, and turns due at one moment are taken in the written order.
/// So equal weights simply rotate, and 3:1 gives A A B A.
fn take_turns(equals: &mut [Seat], turn: u64) {
    if equals.len() < 2 {
        return;
    }
    let weights = equals.iter().map(|seat| u128::from(seat.weight));
    let turn = u128::from(turn) % weights.sum::<u128>();
    let taken = |equals: &[Seat], moment| -> u128 {
        let taken = equals.iter().map(|seat| turns_until(moment, seat.weight));
        taken.sum()
    };
    // The last moment, bit by bit, until which no turn after this one is due: this one, or one due
    // at the same time, comes right behind it.
    let mut moment = 0;
    for bit in (0..u64::BITS).rev() {
        let later = moment + (1 << bit);
        if taken(equals, later) <= turn {
            moment = later;
        }
    }
    // So many of those that come right behind it were before this one.
    let mut over = turn.saturating_sub(taken(equals, moment));
    for seat in &mut *equals {
        let turns = turns_until(moment, seat.weight);
        seat.rank = due(turns, seat.weight);
        if over > 0 && seat.rank == u128::from(moment) + 1 {
            over -= 1;
            seat.rank = due(turns + 1, seat.weight);
        }
    }
    equals.sort_by_key(|seat| seat.rank);
}

/// When a target's turn number `turns`, from 0, is due, in moments of 2^-64 of a cycle: in the
/// middle of its part of the cycle.
fn due(turns: u128, weight: u32) -> u128 {
    ((2 * turns + 1) << 63).div_ceil(u128::from(weight))
}

/// How many turns of a target are due until `moment`, that included.
fn turns_until(moment: u64, weight: u32) -> u128 {
    ((u128::from(moment) * u128::from(weight)) >> 63).div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_is_splitmix64() {
        // The first outputs of the reference for the seed 0.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(GOLDEN), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(mix(GOLDEN.wrapping_mul(2)), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn turns_lie_evenly_over_the_cycle() {
        let moments = |weight| (0..3).map(move |turns| due(turns, weight));
        let half = 1 << 63;
        assert!(moments(1).eq([half, 3 * half, 5 * half]));
        assert!(moments(2).eq([half / 2, 3 * (half / 2), 5 * (half / 2)]));
        assert_eq!(
            due(0, 3),
            (1_u128 << 63).div_ceil(3),
            "never before its time"
        );
    }

    #[test]
    fn a_turn_counts_from_its_moment_on() {
        for weight in [1, 2, 3, 7, 1000, u32::MAX] {
            let last = u128::from(weight) - 1;
            for turns in [0, last / 2, last] {
                let moment = u64::try_from(due(turns, weight)).unwrap();
                assert_eq!(turns_until(moment, weight), turns + 1, "{weight}, {turns}");
                assert_eq!(turns_until(moment - 1, weight), turns, "{weight}, {turns}");
            }
            assert_eq!(turns_until(0, weight), 0);
            assert_eq!(turns_until(u64::MAX, weight), u128::from(weight));
        }
    }
}
