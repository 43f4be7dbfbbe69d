//! An error on its way to a client. Its status is chosen in `edge::fault`, its body in the dialect.

use std::borrow::Cow;
use std::time::Duration;

/// What went wrong, told to the client. The message never holds keys, addresses or bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The cause; status, type and code follow from it.
    pub kind: FaultKind,
    /// One or two plain sentences for a person.
    pub message: Cow<'static, str>,
    /// The request field to blame, if one is.
    pub param: Option<Cow<'static, str>>,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault with neither field nor time to name.
    pub fn new(kind: FaultKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            retry_after: None,
        }
    }

    /// Names the request field to blame.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

/// The causes that a client is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Malformed: framing, head, JSON, or a field with a value it cannot have.
    BadRequest,
    /// No key, or none that we know. The same for unknown, wrong, expired and disabled.
    Unauthorized,
    /// No such path.
    NotFound,
    /// No such model, or none that this key may use: the same answer for both.
    UnknownModel,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The body is over the limit.
    BodyTooLarge,
    /// The request head is over the limit.
    HeadTooLarge,
    /// A content type or encoding that we do not read.
    UnsupportedMediaType,
    /// The prompt is longer than the model's window.
    ContextLength,
    /// Refused for what it is about.
    ContentPolicy,
    /// Every provider asked said that it is busy or the limit is reached.
    RateLimited,
    /// The caller has reached a limit that the config sets it: time lifts it.
    OverLimit,
    /// The caller has spent what the config gives it: the next period lifts it.
    OverBudget,
    /// We are at a limit of our own, or draining.
    Overloaded,
    /// No provider gave an answer.
    ProviderFailed,
    /// No provider answered in time.
    ProviderTimeout,
    /// We are at fault.
    Internal,
}

impl FaultKind {
    /// The name in log and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::UnknownModel => "unknown_model",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::HeadTooLarge => "head_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ContextLength => "context_length",
            Self::ContentPolicy => "content_policy",
            Self::RateLimited => "rate_limited",
            Self::OverLimit => "over_limit",
            Self::OverBudget => "over_budget",
            Self::Overloaded => "overloaded",
            Self::ProviderFailed => "provider_failed",
            Self::ProviderTimeout => "provider_timeout",
            Self::Internal => "internal",
        }
    }
}
