//! What a script's error is about, in no format's words. Pure.

use crate::sim::script::ErrorText;

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    BadRequest,
    ContextLength,
    ContentPolicy,
    TooLarge,
    BadKey,
    Forbidden,
    UnknownModel,
    Quota,
    RateLimited,
    Overloaded,
    Timeout,
    Conflict,
    Internal,
}

impl Trouble {
    /// By the script's own words where they are known, else by the status.
    pub(crate) fn of(status: Option<u16>, text: &ErrorText) -> Self {
        let mut words = [&text.code, &text.kind].into_iter().flatten();
        let named = words.find_map(|word| Self::named(word));
        named.unwrap_or_else(|| Self::of_status(status.unwrap_or(500)))
    }

    /// What one of the words that scripts use means.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "invalid_request_error" => Self::BadRequest,
            "context_length_exceeded" => Self::ContextLength,
            "content_policy_violation" | "content_filter" => Self::ContentPolicy,
            "request_too_large" => Self::TooLarge,
            "invalid_api_key" | "authentication_error" => Self::BadKey,
            "permission_error" | "request_forbidden" => Self::Forbidden,
            "model_not_found" | "not_found_error" => Self::UnknownModel,
            "insufficient_quota" | "billing_error" | "credit_balance_exhausted" => Self::Quota,
            "rate_limit_exceeded" | "rate_limit_error" => Self::RateLimited,
            "server_is_overloaded" | "overloaded_error" => Self::Overloaded,
            "timeout_error" => Self::Timeout,
            "conflict_error" => Self::Conflict,
            "server_error" | "api_error" => Self::Internal,
            _ => return None,
        })
    }

    fn of_status(status: u16) -> Self {
        match status {
            401 => Self::BadKey,
            402 => Self::Quota,
            403 => Self::Forbidden,
            404 => Self::UnknownModel,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    /// The status that says it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::ContextLength | Self::ContentPolicy => 400,
            Self::BadKey => 401,
            Self::Forbidden => 403,
            Self::UnknownModel => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Quota | Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }
}

/// The message: the script's, behind the usual one where only its words tell what it is about.
pub(crate) fn message(trouble: Trouble, usual: &str, text: &ErrorText) -> String {
    match (&text.message, trouble) {
        (None, _) => usual.to_owned(),
        (Some(message), Trouble::ContextLength | Trouble::ContentPolicy) => {
            format!("{usual} {message}")
        }
        (Some(message), _) => message.clone(),
    }
}
