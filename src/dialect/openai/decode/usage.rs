//! Token counts in the words of `OpenAI` and of those who followed it.

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
}

/// The usage, if it says what both input and output took; `{}`, `null` and half ones say nothing.
///
/// `prompt_tokens` contains the cached ones and `completion_tokens` the reasoning; a part that is
/// larger than its total is cut to it. The cached part is in `prompt_tokens_details` (`OpenAI`),
/// `prompt_cache_hit_tokens` (`DeepSeek`) or `cached_tokens` (Moonshot).
pub(super) fn read(usage: Leaf<'_>) -> Option<Usage> {
    let mut counts = Counts::default();
    usage.fields(|name, value| match name {
        Name::PromptTokens => counts.prompt = value.count(),
        Name::CompletionTokens => counts.completion = value.count(),
        Name::TotalTokens => counts.total = value.count(),
        Name::CachedTokens | Name::PromptCacheHitTokens => raise(&mut counts.cached, value),
        Name::PromptTokensDetails | Name::CompletionTokensDetails => details(&mut counts, value),
        _ => {}
    });
    let input = counts.prompt?;
    let output = counts
        .completion
        .or_else(|| Some(counts.total?.saturating_sub(input)))?;
    Some(Usage {
        input: Tokens(input),
        cached: Tokens(counts.cached.min(input)),
        cache_write: Tokens(counts.cache_write.min(input)),
        output: Tokens(output),
        reasoning: Tokens(counts.reasoning.min(output)),
        audio: Tokens(counts.audio.min(input.saturating_add(output))),
    })
}

fn details(counts: &mut Counts, details: Leaf<'_>) {
    let mut audio = 0;
    details.fields(|name, value| match name {
        Name::CachedTokens => raise(&mut counts.cached, value),
        Name::CacheWriteTokens => raise(&mut counts.cache_write, value),
        Name::ReasoningTokens => raise(&mut counts.reasoning, value),
        Name::AudioTokens => raise(&mut audio, value),
        _ => {}
    });
    counts.audio = counts.audio.saturating_add(audio);
}

/// Of two fields with the same meaning the larger one counts: a server that has both fills one.
fn raise(count: &mut u64, value: Leaf<'_>) {
    *count = (*count).max(value.count().unwrap_or(0));
}
