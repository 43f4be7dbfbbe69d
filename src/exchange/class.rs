//! What kind of failure a provider's error is, whatever its words.

/// The classes of provider errors. What follows from each is decided in `relay::verdict`; how each
/// is recognised, in `dialect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A fault of the moment: a connection, a reset, a 5xx, a broken answer.
    Transient,
    /// The provider is out of capacity.
    Overloaded,
    /// Our rate: requests or tokens a minute.
    RateLimited,
    /// Money, or a day's or month's amount.
    Quota,
    /// Our credential, its permissions, a region.
    Auth,
    /// The model or deployment does not exist there.
    NotFound,
    /// The prompt is too long for this model.
    ContextLength,
    /// Refused for what it is about.
    ContentPolicy,
    /// The body is too large for this provider.
    TooLarge,
    /// The client's fault, or a parameter that this target does not know.
    BadRequest,
    /// The model wrote a broken call, broken JSON or nothing.
    BadModelOutput,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 11] = [
        Self::Transient,
        Self::Overloaded,
        Self::RateLimited,
        Self::Quota,
        Self::Auth,
        Self::NotFound,
        Self::ContextLength,
        Self::ContentPolicy,
        Self::TooLarge,
        Self::BadRequest,
        Self::BadModelOutput,
    ];

    /// The name in config, log and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Overloaded => "overloaded",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::ContextLength => "context_length",
            Self::ContentPolicy => "content_policy",
            Self::TooLarge => "too_large",
            Self::BadRequest => "bad_request",
            Self::BadModelOutput => "bad_model_output",
        }
    }
}
