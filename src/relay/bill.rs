//! What one attempt took: by its provider's word, or else by what was sent and what came. Pure.

use crate::account::Price;
use crate::exchange::{Bill, Measure, Trust, Usage};
use crate::relay::said::Said;
use crate::units::Tokens;

/// What an answer came to, as far as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// What its provider said last of its tokens.
    pub(super) word: Option<(Usage, Word)>,
    /// What it said itself.
    pub(super) said: Said,
}

/// What a provider's word on tokens is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The answer was not over: its output has grown since.
    SoFar,
    /// It is the last.
    Final,
}

impl Heard {
    /// What it took. `prompt` is asked for only where the provider did not say it.
    pub(super) fn bill(&self, prompt: impl FnOnce() -> Tokens, price: Option<&Price>) -> Bill {
        self.with(|| self.said.tokens(), prompt, price)
    }

    /// The same in a hurry: nothing is counted, for whatever counts may be what is failing.
    pub(super) fn bill_roughly(&self, body: usize, price: Option<&Price>) -> Bill {
        let body = u64::try_from(body).unwrap_or(u64::MAX);
        let said = || (self.said.roughly(), Tokens(0));
        self.with(said, || Tokens(body.div_ceil(4)), price)
    }

    fn with(
        &self,
        said: impl FnOnce() -> (Tokens, Tokens),
        prompt: impl FnOnce() -> Tokens,
        price: Option<&Price>,
    ) -> Bill {
        let (usage, measure) = match self.word {
            Some((usage, Word::Final)) if usage.trust != Trust::Absurd => {
                (usage, Measure::Reported)
            }
            word => {
                let (output, reasoning) = said();
                let usage = match word {
                    Some((usage, _)) if usage.trust != Trust::Absurd => Usage {
                        output: usage.output.max(output),
                        reasoning: usage.reasoning.max(reasoning),
                        ..usage
                    },
                    word => Usage {
                        input: prompt(),
                        output,
                        reasoning,
                        trust: word.map_or(Trust::Sound, |(usage, _)| usage.trust),
                        ..Usage::default()
                    },
                };
                (usage, Measure::Estimated)
            }
        };
        Bill {
            usage,
            measure,
            cost: price.map(|price| price.cost(&usage)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect;
    use crate::units::MicroUsd;

    fn usage(input: u64, output: u64, trust: Trust) -> Usage {
        Usage {
            input: Tokens(input),
            output: Tokens(output),
            trust,
            ..Usage::default()
        }
    }

    #[test]
    fn a_provider_is_believed_as_far_as_it_can_be() {
        use Measure::{Estimated, Reported};
        use Trust::{Absurd, Mended, Sound};

        dialect::load_tokenizer();
        let price = Price::plain(MicroUsd(1_000_000), MicroUsd(2_000_000));
        for (word, expected, measure) in [
            (None, usage(7, 6, Sound), Estimated),
            (
                Some((usage(3, 4, Sound), Word::Final)),
                usage(3, 4, Sound),
                Reported,
            ),
            (
                Some((usage(0, 0, Sound), Word::Final)),
                usage(0, 0, Sound),
                Reported,
            ),
            (
                Some((usage(3, 4, Mended), Word::Final)),
                usage(3, 4, Mended),
                Reported,
            ),
            (
                Some((usage(3, 1, Sound), Word::SoFar)),
                usage(3, 6, Sound),
                Estimated,
            ),
            (
                Some((usage(3, 9, Sound), Word::SoFar)),
                usage(3, 9, Sound),
                Estimated,
            ),
            (
                Some((usage(3, u64::from(u32::MAX), Absurd), Word::Final)),
                usage(7, 6, Absurd),
                Estimated,
            ),
        ] {
            let mut heard = Heard {
                word,
                ..Heard::default()
            };
            heard.said.text("tiktoken is great!");
            let bill = heard.bill(|| Tokens(7), Some(&price));
            assert_eq!((bill.usage, bill.measure), (expected, measure), "{word:?}");
            let cost = expected.input.0 + 2 * expected.output.0;
            assert_eq!(bill.cost, Some(MicroUsd(cost)), "{word:?}");
            assert_eq!(heard.bill(|| Tokens(7), None).cost, None);
        }
    }

    #[test]
    fn a_bill_made_in_a_hurry_goes_by_bytes_alone() {
        let mut heard = Heard::default();
        heard.said.text("12345678");
        let bill = heard.bill_roughly(41, None);
        assert_eq!(bill.usage, usage(11, 2, Trust::Sound));
    }
}
