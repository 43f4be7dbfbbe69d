//! Token counts in the words of this format.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::counted::Counted;
use crate::exchange::Usage;
use crate::units::Tokens;

/// A usage object; each count may be missing, or null, or nonsense.
#[derive(Default, Deserialize)]
struct Counts<'a> {
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_creation_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_read_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    thinking_tokens: Option<&'a RawValue>,
}

/// The last value of each count. They are totals: never to be added up.
#[derive(Debug, Default)]
pub(super) struct Totals {
    input: Option<Count>,
    cache_write: Option<Count>,
    cache_read: Option<Count>,
    output: Option<Count>,
    thinking: Option<Count>,
}

/// A count, and what it deserves.
#[derive(Clone, Copy, Debug, Default)]
struct Count(u64, Counted);

impl Count {
    /// A count that is said; all of them are totals but the thinking.
    fn read(value: &RawValue, is_part: IsPart) -> Option<Self> {
        let mut counted = Counted::default();
        let count = match is_part {
            IsPart::No => counted.total(value.into())?,
            IsPart::Yes => counted.part(value.into()),
        };
        Some(Self(count, counted))
    }
}

#[derive(Clone, Copy)]
enum IsPart {
    No,
    Yes,
}

impl Totals {
    /// Takes what a usage object says.
    pub(super) fn take(&mut self, usage: Option<&RawValue>) {
        let counts = usage.and_then(|usage| serde_json::from_str::<Counts<'_>>(usage.get()).ok());
        let counts = counts.unwrap_or_default();
        let details = counts
            .output_tokens_details
            .and_then(|details| serde_json::from_str::<Details<'_>>(details.get()).ok());
        let thinking = details.and_then(|details| details.thinking_tokens);
        for (total, count, is_part) in [
            (&mut self.input, counts.input_tokens, IsPart::No),
            (
                &mut self.cache_write,
                counts.cache_creation_input_tokens,
                IsPart::No,
            ),
            (
                &mut self.cache_read,
                counts.cache_read_input_tokens,
                IsPart::No,
            ),
            (&mut self.output, counts.output_tokens, IsPart::No),
            (&mut self.thinking, thinking, IsPart::Yes),
        ] {
            *total = count
                .and_then(|count| Count::read(count, is_part))
                .or(*total);
        }
    }

    /// The usage so far, once both sides are known. `input_tokens` is only what no cache was asked
    /// for: the total is the sum of the three.
    pub(super) fn told(&self) -> Option<Usage> {
        let (fresh, output) = (self.input?, self.output?);
        let cached = self.cache_read.unwrap_or_default();
        let cache_write = self.cache_write.unwrap_or_default();
        let thinking = self.thinking.unwrap_or_default();
        let mut counted = Counted::default();
        for Count(_, each) in [fresh, output, cached, cache_write, thinking] {
            counted.note(each.trust());
        }
        Some(Usage {
            input: Tokens(fresh.0) + Tokens(cached.0) + Tokens(cache_write.0),
            cached: Tokens(cached.0),
            cache_write: Tokens(cache_write.0),
            output: Tokens(output.0),
            reasoning: Tokens(counted.within(thinking.0, output.0)),
            audio: Tokens(0),
            trust: counted.trust(),
        })
    }

    /// The usage that a count of tokens tells.
    pub(super) fn counted(&mut self, document: &str) -> Option<Usage> {
        let document = serde_json::from_str::<&RawValue>(document).ok();
        self.take(document);
        self.output = self.output.or(Some(Count::default()));
        self.told()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Trust::{self, Absurd, Mended, Sound};

    /// What several usage objects come to, the counts without the audio, of which there is none.
    fn totals(usages: &[&str]) -> Option<([u64; 5], Trust)> {
        let mut totals = Totals::default();
        for usage in usages {
            totals.take(Some(serde_json::from_str(usage).unwrap()));
        }
        let usage = totals.told()?;
        let counts = [
            usage.input,
            usage.cached,
            usage.cache_write,
            usage.output,
            usage.reasoning,
        ];
        Some((counts.map(|count| count.0), usage.trust))
    }

    #[test]
    fn the_last_of_each_count_holds_and_the_input_is_the_sum_of_its_kinds() {
        let start = r#"{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":1}"#;
        for (usages, expected) in [
            (&[start][..], Some(([60, 30, 20, 1, 0], Sound))),
            (
                &[
                    start,
                    r#"{"output_tokens":15,"output_tokens_details":{"thinking_tokens":4}}"#,
                ],
                Some(([60, 30, 20, 15, 4], Sound)),
            ),
            // The input may be corrected at the end.
            (
                &[start, r#"{"input_tokens":12,"output_tokens":15}"#],
                Some(([62, 30, 20, 15, 0], Sound)),
            ),
            (
                &[start, r#"{"input_tokens":0,"output_tokens":0}"#],
                Some(([50, 30, 20, 0, 0], Sound)),
            ),
            (
                &[start, r#"{"output_tokens":null}"#],
                Some(([60, 30, 20, 1, 0], Sound)),
            ),
            (
                &[
                    start,
                    r#"{"output_tokens":5,"output_tokens_details":{"thinking_tokens":6}}"#,
                ],
                Some(([60, 30, 20, 5, 5], Mended)),
            ),
            (
                &[start, r#"{"output_tokens":-5}"#],
                Some(([60, 30, 20, 0, 0], Absurd)),
            ),
            (
                &[start, r#"{"output_tokens":-5}"#, r#"{"output_tokens":5}"#],
                Some(([60, 30, 20, 5, 0], Sound)),
            ),
            (&[r#"{"output_tokens":5}"#], None),
        ] {
            assert_eq!(totals(usages), expected, "{usages:?}");
        }
    }
}
