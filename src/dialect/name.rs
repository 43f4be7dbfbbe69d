//! The field names that are looked at, at any depth.

use serde::Deserialize;

/// A field's decoded name; the rest is `Other`, and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
pub(super) enum Name {
    Arguments,
    Audio,
    AudioTokens,
    #[serde(rename = "name")]
    Called,
    CachedTokens,
    CacheWriteTokens,
    Choices,
    Code,
    CompletionTokens,
    CompletionTokensDetails,
    Content,
    Custom,
    Data,
    Delta,
    Detail,
    Details,
    Error,
    ErrorCode,
    ErrorType,
    FinishReason,
    Function,
    FunctionCall,
    Id,
    Images,
    Index,
    Innererror,
    Input,
    Message,
    Metadata,
    Moderation,
    Msg,
    Object,
    PromptAnnotations,
    PromptCacheHitTokens,
    PromptFilterResults,
    PromptTokens,
    PromptTokensDetails,
    #[serde(rename = "quotaId")]
    QuotaId,
    #[serde(rename = "quotaValue")]
    QuotaValue,
    Reason,
    Reasoning,
    ReasoningContent,
    ReasoningTokens,
    Refusal,
    #[serde(rename = "retryDelay")]
    RetryDelay,
    Status,
    Text,
    Thinking,
    ToolCalls,
    TotalTokens,
    Transcript,
    Type,
    Usage,
    Violations,
    XGroq,
    #[serde(other)]
    Other,
}
