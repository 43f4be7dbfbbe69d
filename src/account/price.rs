//! What targets charge, and what a usage comes to.
//!
//! Prices are as vendors print them, in USD for a million tokens; a cost is rounded up once, for the
//! whole of an attempt, and sums of costs are exact from there on.

use crate::exchange::Usage;
use crate::units::{MicroUsd, Tokens};

/// What a target charges for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// For input that no cache had.
    pub input: MicroUsd,
    /// For output, reasoning included.
    pub output: MicroUsd,
    /// For input read from a prompt cache; as other input where it is not known.
    pub cached: Option<MicroUsd>,
    /// For input written to a prompt cache; as other input where it is not known.
    pub cache_write: Option<MicroUsd>,
    /// What long prompts cost instead.
    pub long: Option<LongPrice>,
}

/// What every token of an exchange costs once its prompt is longer than a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongPrice {
    /// The longest prompt at the plain price.
    pub above: Tokens,
    /// For input that no cache had.
    pub input: MicroUsd,
    /// For output.
    pub output: MicroUsd,
    /// For input read from a prompt cache.
    pub cached: Option<MicroUsd>,
    /// For input written to a prompt cache.
    pub cache_write: Option<MicroUsd>,
}

impl Price {
    /// A price of input and output alone.
    pub fn plain(input: MicroUsd, output: MicroUsd) -> Self {
        Self {
            input,
            output,
            cached: None,
            cache_write: None,
            long: None,
        }
    }

    /// What a usage comes to, rounded up to the next millionth of a dollar. Parts that claim to be
    /// more than their total count as the total.
    pub fn cost(&self, usage: &Usage) -> MicroUsd {
        let rates = self.rates(usage.input);
        let cached = usage.cached.min(usage.input);
        let written = Tokens(usage.cache_write.0.min(usage.input.0 - cached.0));
        let fresh = Tokens(usage.input.0 - cached.0 - written.0);
        let due = [
            (fresh, rates.input),
            (cached, rates.cached.unwrap_or(rates.input)),
            (written, rates.cache_write.unwrap_or(rates.input)),
            (usage.output, rates.output),
        ];
        let millionths: u128 = due
            .iter()
            .map(|(tokens, rate)| u128::from(tokens.0) * u128::from(rate.0))
            .fold(0, u128::saturating_add);
        MicroUsd(u64::try_from(millionths.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }

    /// The most that a prompt of about this length can cost with an answer of at most that length:
    /// nothing of it cached, or all of it written to a cache, whichever is dearer.
    pub fn most(&self, input: Tokens, output: Tokens) -> MicroUsd {
        let plain = Usage {
            input,
            output,
            ..Usage::default()
        };
        let written = Usage {
            cache_write: input,
            ..plain
        };
        self.cost(&plain).max(self.cost(&written))
    }

    /// Three input tokens and one output token, to tell the cheap from the dear by: prompts, with
    /// their history, documents and tools, are as a rule some times longer than answers.
    pub fn typical(&self) -> u128 {
        3 * u128::from(self.input.0) + u128::from(self.output.0)
    }

    /// What holds for a prompt of this length.
    fn rates(&self, input: Tokens) -> Self {
        match self.long {
            Some(long) if input > long.above => Self {
                input: long.input,
                output: long.output,
                cached: long.cached,
                cache_write: long.cache_write,
                long: None,
            },
            _ => *self,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICE: Price = Price {
        input: MicroUsd(3_000_000),
        output: MicroUsd(15_000_000),
        cached: Some(MicroUsd(300_000)),
        cache_write: Some(MicroUsd(3_750_000)),
        long: Some(LongPrice {
            above: Tokens(200_000),
            input: MicroUsd(6_000_000),
            output: MicroUsd(22_500_000),
            cached: Some(MicroUsd(600_000)),
            cache_write: Some(MicroUsd(7_500_000)),
        }),
    };

    fn usage(input: u64, cached: u64, written: u64, output: u64) -> Usage {
        Usage {
            input: Tokens(input),
            cached: Tokens(cached),
            cache_write: Tokens(written),
            output: Tokens(output),
            ..Usage::default()
        }
    }

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        for (usage, expected) in [
            (usage(0, 0, 0, 0), 0),
            (usage(1_000_000, 0, 0, 0), 6_000_000),
            (usage(200_000, 0, 0, 0), 600_000),
            (usage(200_001, 0, 0, 0), 1_200_006),
            (usage(1_000, 400, 100, 10), 1_500 + 120 + 375 + 150),
            (usage(1, 0, 0, 0), 3),
            (usage(1, 1, 0, 0), 1),
            (usage(10, 20, 5, 0), 3),
            (usage(10, 4, 20, 0), 24),
        ] {
            assert_eq!(PRICE.cost(&usage), MicroUsd(expected), "{usage:?}");
        }
    }

    #[test]
    fn what_no_price_is_known_for_costs_what_input_costs() {
        let plain = Price::plain(MicroUsd(1_000_000), MicroUsd(2_000_000));
        assert_eq!(plain.cost(&usage(10, 5, 3, 1)), MicroUsd(12));
    }

    #[test]
    fn absurd_counts_do_not_wrap_around() {
        let absurd = usage(u64::MAX, 0, 0, u64::MAX);
        assert_eq!(PRICE.cost(&absurd), MicroUsd(u64::MAX));
    }

    proptest! {
        #[test]
        fn nothing_costs_more_than_the_most_that_was_foreseen(
            input in 0..1_000_000_u64, cached in 0..1_000_000_u64, written in 0..1_000_000_u64, output in 0..100_000_u64,
        ) {
            let cost = PRICE.cost(&usage(input, cached, written, output));
            prop_assert!(cost <= PRICE.most(Tokens(input), Tokens(output)));
        }
    }
}
