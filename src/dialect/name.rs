//! The field names that are looked at, at any depth.
//!
//! An answer has a dozen of them in every frame, so a name is found by one look at a table: its hash gives the
//! only one that it can be.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

macro_rules! names {
    ($($name:ident = $text:literal,)*) => {
        /// A field's decoded name; the rest is `Other`, and ignored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Name {
            $($name,)*
            Other,
        }

        const NAMES: &[(&str, Name)] = &[$(($text, Name::$name),)*];
    };
}

names! {
    Annotations = "annotations",
    Arguments = "arguments",
    Audio = "audio",
    AudioTokens = "audio_tokens",
    Called = "name",
    CachedTokens = "cached_tokens",
    CacheWriteTokens = "cache_write_tokens",
    Choices = "choices",
    Code = "code",
    CompletionTokens = "completion_tokens",
    CompletionTokensDetails = "completion_tokens_details",
    Content = "content",
    Custom = "custom",
    Data = "data",
    Delta = "delta",
    Detail = "detail",
    Details = "details",
    Embedding = "embedding",
    Error = "error",
    ErrorCode = "error_code",
    ErrorType = "error_type",
    ExtraContent = "extra_content",
    FinishReason = "finish_reason",
    Function = "function",
    FunctionCall = "function_call",
    Google = "google",
    Id = "id",
    Images = "images",
    Index = "index",
    Innererror = "innererror",
    Input = "input",
    Logprobs = "logprobs",
    Message = "message",
    Metadata = "metadata",
    Moderation = "moderation",
    Msg = "msg",
    Object = "object",
    PromptAnnotations = "prompt_annotations",
    PromptCacheHitTokens = "prompt_cache_hit_tokens",
    PromptFilterResults = "prompt_filter_results",
    PromptTokens = "prompt_tokens",
    PromptTokensDetails = "prompt_tokens_details",
    QuotaId = "quotaId",
    QuotaValue = "quotaValue",
    Reason = "reason",
    Reasoning = "reasoning",
    ReasoningContent = "reasoning_content",
    ReasoningTokens = "reasoning_tokens",
    Refusal = "refusal",
    RetryDelay = "retryDelay",
    Status = "status",
    Text = "text",
    Thinking = "thinking",
    ThoughtSignature = "thought_signature",
    ToolCalls = "tool_calls",
    TotalTokens = "total_tokens",
    Transcript = "transcript",
    Type = "type",
    Usage = "usage",
    Violations = "violations",
    XGroq = "x_groq",
}

/// What no two of them have in common. The factor was found by trying: another name may need another.
const fn hash(name: &str) -> u8 {
    const FACTOR: u32 = 2_297;
    let mut bytes = name.as_bytes();
    let mut hash: u32 = 0;
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ *byte as u32).wrapping_mul(FACTOR);
        bytes = rest;
    }
    hash.to_be_bytes()[0]
}

static BY_HASH: [(&str, Name); 256] = by_hash();

#[expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "judged by the compiler"
)]
const fn by_hash() -> [(&'static str, Name); 256] {
    let mut all = [("", Name::Other); 256];
    let mut at = 0;
    while at < NAMES.len() {
        let slot = &mut all[hash(NAMES[at].0) as usize];
        assert!(slot.0.is_empty(), "two names have one hash");
        *slot = NAMES[at];
        at += 1;
    }
    all
}

impl Name {
    fn of(text: &str) -> Self {
        match BY_HASH.get(usize::from(hash(text))) {
            Some((known, name)) if *known == text => *name,
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_identifier(Identifier)
    }
}

struct Identifier;

impl Visitor<'_> for Identifier {
    type Value = Name;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a field's name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
        Ok(Name::of(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_and_what_is_almost_one_is_none() {
        for (text, name) in NAMES {
            assert_eq!(Name::of(text), *name);
            for other in [&text[1..], &text[..text.len() - 1], &format!("{text}x")] {
                let known = NAMES.iter().find(|(text, _)| *text == other);
                let expected = known.map_or(Name::Other, |(_, name)| *name);
                assert_eq!(Name::of(other), expected, "{other}");
            }
        }
        assert_eq!(Name::of(""), Name::Other);
    }

    #[test]
    fn a_name_with_escapes_is_read_as_what_it_says() {
        let name = |json| serde_json::from_str::<Name>(json).unwrap();
        assert_eq!(name(r#""usage""#), Name::Usage);
        assert_eq!(name(r#""us\u0061ge""#), Name::Usage);
        assert_eq!(name(r#""Usage""#), Name::Other);
    }
}
