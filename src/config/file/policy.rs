//! What a route promises, as written; `defaults` has the same keys.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{DurationFile, OffFile, PercentFile};

/// What routes inherit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultsFile {
    /// How much of an answer's head is held back. Default: 12 tokens, at most 400ms.
    pub hold: Option<HoldFile>,
    /// What happens when an answer breaks off after it has begun. Default: `error`.
    pub on_break: Option<OnBreakFile>,
    /// The longest silence towards a streaming client, 1s to 5m. Default: `off`.
    pub keepalive: Option<KeepaliveFile>,
    /// From the request's last byte to the answer's last. Default: 10m.
    pub deadline: Option<DurationFile>,
    /// The bounds of one attempt.
    pub timeouts: Option<TimeoutsFile>,
    /// How often and for how long an exchange is tried again.
    pub retries: Option<RetriesFile>,
    /// When a target is left alone.
    pub breaker: Option<BreakerFile>,
    /// When a second target is asked beside a silent first. Default: `off`.
    pub hedge: Option<HedgeFile>,
    /// Verdicts in place of the built-in ones, by the class of the error.
    pub verdicts: Option<VerdictsFile>,
    /// What a refusal or a content filter's finish means. Default: `surface`.
    pub refusals: Option<RefusalsFile>,
    /// Texts that are a refusal when an answer begins with one; with `refusals: fall_back` only.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub refusal_texts: Option<Vec<String>>,
    /// What else is looked at while an answer is held. Default: nothing.
    #[schemars(extend("uniqueItems" = true))]
    pub checks: Option<Vec<CheckFile>>,
    /// Whether no other model than the first target's may answer. Default: false.
    pub fail_closed: Option<bool>,
    /// What a frame that cannot be read does to a stream that has begun. Default: `break`.
    pub malformed: Option<MalformedFile>,
    /// Whether a parameter that a target would not hear of leaves it out. Default: false.
    pub strict_params: Option<bool>,
    /// Whether the bound on an answer is lowered to what a target can give. Default: false.
    pub fit_output: Option<bool>,
    /// Whether whole JSON answers are held against the request's schema. Default: `off`.
    pub contract: Option<ContractFile>,
    /// How JSON comes from targets without a mode for it. Default: `emulate`.
    pub json: Option<JsonFile>,
}

/// Whether whole JSON answers are held against the request's schema.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContractFile {
    /// They are not.
    Off,
    /// What breaks it is a failure to fall back from.
    Enforce,
}

/// How JSON comes from targets without a mode for it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonFile {
    /// It is made up for, where the request is translated for the target.
    Emulate,
    /// Not at all: the target is left out.
    Native,
}

/// How much of an answer's head is held back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HoldFile {
    /// Nothing, or all of it.
    Word(HoldWordFile),
    /// A head.
    Head(HoldHeadFile),
}

/// How much, in a word.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldWordFile {
    /// Nothing.
    None,
    /// The whole answer.
    All,
}

/// The head: so many tokens, or so long, whichever is first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldHeadFile {
    /// Tokens of content. Default: 12.
    #[schemars(range(min = 1, max = 10000))]
    pub tokens: Option<u32>,
    /// From the first content, 1ms to 1m, at most the deadline. Default: 400ms.
    pub at_most: Option<DurationFile>,
}

/// What happens when an answer breaks off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBreakFile {
    /// It ends with a well-formed error.
    Error,
}

/// The longest silence towards a streaming client.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeepaliveFile {
    /// Any.
    Off(OffFile),
    /// 1s to 5m, at most the deadline.
    Every(DurationFile),
}

/// The bounds of one attempt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsFile {
    /// Address, TCP and TLS together. Default: 5s.
    pub connect: Option<DurationFile>,
    /// From the request's last byte to the first token. Default: 1m.
    pub first_token: Option<DurationFile>,
    /// The longest silence after the first token. Default: 30s.
    pub stall: Option<DurationFile>,
    /// The whole attempt. Default: 10m.
    pub total: Option<DurationFile>,
    /// The longest time in which the provider takes no byte of the request. Default: 30s.
    pub write: Option<DurationFile>,
    /// Tokens a second, at least, over ten seconds. Default: 0, any rate.
    #[schemars(range(min = 0, max = 10000))]
    pub min_rate: Option<f64>,
}

/// How often and for how long an exchange is tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetriesFile {
    /// Tries of one target beyond the first. Default: 1.
    #[schemars(range(min = 0, max = 10))]
    pub same_target: Option<u32>,
    /// Attempts of an exchange in all. Default: 4.
    #[schemars(range(min = 1, max = 16))]
    pub max_attempts: Option<u32>,
    /// The longest Retry-After worth waiting for, 0s to 1m, at most the deadline. Default: 2s.
    pub patience: Option<DurationFile>,
}

/// When a target is left alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BreakerFile {
    /// Never.
    Off(OffFile),
    /// After failures.
    On(BreakerOnFile),
}

/// A breaker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerOnFile {
    /// Failures in a row until it opens. Default: 3.
    #[schemars(range(min = 1, max = 1000))]
    pub failures: Option<u32>,
    /// How long it is open the first time, 100ms to 1h. Default: 30s.
    pub open: Option<DurationFile>,
    /// How long it is open at most, `open` to 1h. Default: 5m, or `open` if that is longer.
    pub longest: Option<DurationFile>,
}

/// When a second target is asked beside a silent first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HedgeFile {
    /// Never.
    Off(OffFile),
    /// After a silence.
    On(HedgeOnFile),
}

/// Hedging.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HedgeOnFile {
    /// The silence without a first token; must be here or in `defaults`.
    pub after: Option<HedgeAfterFile>,
    /// The share of exchanges that may be hedged. Default: 5%.
    pub share: Option<ShareFile>,
}

/// The silence after which a second target is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HedgeAfterFile {
    /// What the target is used to.
    P95(P95File),
    /// A fixed time, 10ms to 1h, at most the deadline.
    Fixed(DurationFile),
}

/// The word `p95`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum P95File {
    /// The 95th percentile of the target's recent times to a first token.
    P95,
}

/// A share above 0 and at most 1.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ShareFile {
    /// In per cent.
    Percent(PercentFile),
    /// As a fraction.
    Fraction(#[schemars(range(max = 1), extend("exclusiveMinimum" = 0))] f64),
}

/// A route's own verdicts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictsFile {
    /// A fault of the moment: a connection, a reset, a 5xx, a broken answer.
    pub transient: Option<ChoiceFile>,
    /// The provider is out of capacity.
    pub overloaded: Option<ChoiceFile>,
    /// Requests or tokens a minute.
    pub rate_limited: Option<ChoiceFile>,
    /// Money, or a day's or month's amount.
    pub quota: Option<ChoiceFile>,
    /// Our credential, its permissions, a region.
    pub auth: Option<ChoiceFile>,
    /// The model does not exist there.
    pub not_found: Option<ChoiceFile>,
    /// The prompt is too long for the model.
    pub context_length: Option<ChoiceFile>,
    /// Refused for what it is about.
    pub content_policy: Option<ChoiceFile>,
    /// The body is too large for the provider.
    pub too_large: Option<ChoiceFile>,
    /// The client's fault, or a parameter that the target does not know.
    pub bad_request: Option<ChoiceFile>,
    /// The model wrote a broken call, broken JSON or nothing.
    pub bad_model_output: Option<ChoiceFile>,
}

/// What is done about a class of error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceFile {
    /// The same target again, within the limits; then the next.
    Retry,
    /// The next target.
    FallBack,
    /// The client is told.
    Surface,
}

/// What a refusal means.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalsFile {
    /// It is an answer.
    Surface,
    /// While it is held, the next target is asked.
    FallBack,
}

/// What is looked at while an answer is held.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckFile {
    /// Text that cannot become JSON although the request asked for JSON.
    Json,
    /// A call of a tool that was not offered, or whose arguments are not JSON.
    Tools,
}

/// What a frame that cannot be read does to a stream that has begun.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MalformedFile {
    /// The stream is broken.
    Break,
    /// The frame is left out.
    Skip,
}
