//! The field names that are looked at, at any depth.

use crate::json::Written;

macro_rules! names {
    ($($name:ident = $text:literal,)*) => {
        /// A field's decoded name; the rest is `Other`, and ignored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Name {
            $($name,)*
            Other,
        }

        impl Name {
            fn read(text: &[u8]) -> Self {
                match text {
                    $($text => Self::$name,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

names! {
    Annotations = b"annotations",
    Arguments = b"arguments",
    Audio = b"audio",
    AudioTokens = b"audio_tokens",
    Called = b"name",
    CachedTokens = b"cached_tokens",
    CacheWriteTokens = b"cache_write_tokens",
    Choices = b"choices",
    Code = b"code",
    CompletionTokens = b"completion_tokens",
    CompletionTokensDetails = b"completion_tokens_details",
    Content = b"content",
    Custom = b"custom",
    Data = b"data",
    Delta = b"delta",
    Detail = b"detail",
    Details = b"details",
    Embedding = b"embedding",
    Error = b"error",
    ErrorCode = b"error_code",
    ErrorType = b"error_type",
    ExtraContent = b"extra_content",
    FinishReason = b"finish_reason",
    Function = b"function",
    FunctionCall = b"function_call",
    Google = b"google",
    Id = b"id",
    Images = b"images",
    Index = b"index",
    Innererror = b"innererror",
    Input = b"input",
    Logprobs = b"logprobs",
    Message = b"message",
    Metadata = b"metadata",
    Moderation = b"moderation",
    Msg = b"msg",
    Object = b"object",
    PromptAnnotations = b"prompt_annotations",
    PromptCacheHitTokens = b"prompt_cache_hit_tokens",
    PromptFilterResults = b"prompt_filter_results",
    PromptTokens = b"prompt_tokens",
    PromptTokensDetails = b"prompt_tokens_details",
    QuotaId = b"quotaId",
    QuotaValue = b"quotaValue",
    Reason = b"reason",
    Reasoning = b"reasoning",
    ReasoningContent = b"reasoning_content",
    ReasoningTokens = b"reasoning_tokens",
    Refusal = b"refusal",
    RetryDelay = b"retryDelay",
    Status = b"status",
    Text = b"text",
    Thinking = b"thinking",
    ThoughtSignature = b"thought_signature",
    ToolCalls = b"tool_calls",
    TotalTokens = b"total_tokens",
    Transcript = b"transcript",
    Type = b"type",
    Usage = b"usage",
    Violations = b"violations",
    XGroq = b"x_groq",
}

impl Name {
    /// The name as it stands in a document.
    pub(super) fn of(name: Written<'_>) -> Self {
        match Self::read(name.raw()) {
            Self::Other if name.has_escapes() => Self::read(name.text().as_bytes()),
            name => name,
        }
    }
}
