//! Token counts in the words of `OpenAI` and of those who followed it.

use crate::dialect::counted::Counted;
use crate::dialect::leaf::Leaf;
use crate::dialect::name::Name;
use crate::exchange::Usage;
use crate::units::Tokens;

#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: u64,
    cache_write: u64,
    reasoning: u64,
    audio: u64,
    counted: Counted,
}

/// The usage, if it says what both input and output took; `{}`, `null` and half ones say nothing.
///
/// `prompt_tokens` contains the cached ones and `completion_tokens` the reasoning (but at xAI,
/// where the total tells); a part that is larger than its total is cut to it. The cached part is in
/// `prompt_tokens_details` (`OpenAI`), `prompt_cache_hit_tokens` (`DeepSeek`) or `cached_tokens`
/// (Moonshot).
pub(super) fn read(usage: Leaf<'_>) -> Option<Usage> {
    let mut counts = Counts::default();
    usage.fields(|name, value| match name {
        Name::PromptTokens => counts.prompt = counts.counted.total(value),
        Name::CompletionTokens => counts.completion = counts.counted.total(value),
        Name::TotalTokens => counts.total = value.count(),
        Name::CachedTokens | Name::PromptCacheHitTokens => {
            let cached = counts.counted.part(value);
            counts.cached = counts.cached.max(cached);
        }
        Name::PromptTokensDetails | Name::CompletionTokensDetails => details(&mut counts, value),
        _ => {}
    });
    let input = counts.prompt?;
    let output = counts
        .completion
        .or_else(|| Some(counts.total?.saturating_sub(input)))?;
    let beside = input.saturating_add(output);
    let output = match counts.total {
        // xAI counts the reasoning beside the completion, not in it.
        Some(total) if counts.reasoning > 0 && total == beside + counts.reasoning => {
            output + counts.reasoning
        }
        _ => output,
    };
    let mut counted = counts.counted;
    let cached = counted.within(counts.cached, input);
    Some(Usage {
        input: Tokens(input),
        cached: Tokens(cached),
        cache_write: Tokens(counted.within(counts.cache_write, input - cached)),
        output: Tokens(output),
        reasoning: Tokens(counted.within(counts.reasoning, output)),
        audio: Tokens(counted.within(counts.audio, input.saturating_add(output))),
        trust: counted.trust(),
    })
}

/// Of two fields with the same meaning the larger one counts: a server that has both fills one.
fn details(counts: &mut Counts, details: Leaf<'_>) {
    let mut audio = 0;
    details.fields(|name, value| {
        let count = match name {
            Name::CachedTokens => &mut counts.cached,
            Name::CacheWriteTokens => &mut counts.cache_write,
            Name::ReasoningTokens => &mut counts.reasoning,
            Name::AudioTokens => &mut audio,
            _ => return,
        };
        *count = (*count).max(counts.counted.part(value));
    });
    counts.audio = counts.audio.saturating_add(audio);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Trust::{self, Absurd, Mended, Sound};

    /// The counts, and what they deserve.
    type Said = Option<([u64; 6], Trust)>;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn counts_are_taken_as_they_are_said_and_made_possible_where_they_are_not() {
        // Input, cached, written, output, reasoning, audio.
        let cases: [(&str, Said); 15] = [
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2,"audio_tokens":1},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":1}}"#,
                Some(([9, 4, 2, 5, 3, 2], Sound)),
            ),
            (
                r#"{"prompt_tokens":0,"completion_tokens":0}"#,
                Some(([0; 6], Sound)),
            ),
            // DeepSeek, Moonshot.
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":1}"#,
                Some(([9, 8, 0, 5, 0, 0], Sound)),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"cached_tokens":7}"#,
                Some(([9, 7, 0, 5, 0, 0], Sound)),
            ),
            // xAI counts the reasoning beside the completion.
            (
                r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}"#,
                Some(([32, 0, 0, 103, 94, 0], Sound)),
            ),
            // Embeddings.
            (
                r#"{"prompt_tokens":9,"total_tokens":9}"#,
                Some(([9, 0, 0, 0, 0, 0], Sound)),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":10}}"#,
                Some(([9, 9, 0, 5, 0, 0], Mended)),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}}"#,
                Some(([9, 0, 0, 5, 5, 0], Mended)),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":-3}}"#,
                Some(([9, 0, 0, 5, 0, 0], Mended)),
            ),
            (
                r#"{"prompt_tokens":9.5,"completion_tokens":5}"#,
                Some(([9, 0, 0, 5, 0, 0], Mended)),
            ),
            (
                r#"{"prompt_tokens":-9,"completion_tokens":5}"#,
                Some(([0, 0, 0, 5, 0, 0], Absurd)),
            ),
            (
                r#"{"prompt_tokens":9,"completion_tokens":1e30}"#,
                Some(([9, 0, 0, u64::from(u32::MAX), 0, 0], Absurd)),
            ),
            (r#"{"prompt_tokens":9}"#, None),
            (r#"{"prompt_tokens":"NaN","completion_tokens":5}"#, None),
            ("null", None),
        ];
        for (json, expected) in cases {
            let usage = read(Leaf::parse(json).unwrap());
            let found = usage.map(|usage| {
                let counts = [
                    usage.input,
                    usage.cached,
                    usage.cache_write,
                    usage.output,
                    usage.reasoning,
                    usage.audio,
                ];
                (counts.map(|count| count.0), usage.trust)
            });
            assert_eq!(found, expected, "{json}");
        }
    }
}
