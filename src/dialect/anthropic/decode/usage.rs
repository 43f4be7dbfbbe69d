//! Token counts in the words of this format.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::leaf::Leaf;
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
    input: Option<u64>,
    cache_write: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
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
        for (total, count) in [
            (&mut self.input, counts.input_tokens),
            (&mut self.cache_write, counts.cache_creation_input_tokens),
            (&mut self.cache_read, counts.cache_read_input_tokens),
            (&mut self.output, counts.output_tokens),
            (&mut self.thinking, thinking),
        ] {
            *total = count.and_then(|count| Leaf::from(count).count()).or(*total);
        }
    }

    /// The usage so far, once both sides are known. `input_tokens` is only what no cache was asked
    /// for: the total is the sum of the three.
    pub(super) fn told(&self) -> Option<Usage> {
        let (fresh, output) = (self.input?, self.output?);
        let cached = self.cache_read.unwrap_or_default();
        let cache_write = self.cache_write.unwrap_or_default();
        Some(Usage {
            input: Tokens(fresh) + Tokens(cached) + Tokens(cache_write),
            cached: Tokens(cached),
            cache_write: Tokens(cache_write),
            output: Tokens(output),
            reasoning: Tokens(self.thinking.unwrap_or_default().min(output)),
            audio: Tokens(0),
        })
    }

    /// The usage that a count of tokens tells.
    pub(super) fn counted(&mut self, document: &str) -> Option<Usage> {
        let document = serde_json::from_str::<&RawValue>(document).ok();
        self.take(document);
        self.output = self.output.or(Some(0));
        self.told()
    }
}
