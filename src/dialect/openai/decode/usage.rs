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
