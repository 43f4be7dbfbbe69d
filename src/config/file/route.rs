//! `routes` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::account::{BudgetFile, QuotaLimitsFile};
use super::policy::{
    BreakerFile, CheckFile, ContractFile, HedgeFile, HoldFile, JsonFile, KeepaliveFile,
    MalformedFile, OnBreakFile, RefusalsFile, RetriesFile, TimeoutsFile, VerdictsFile,
};
use super::profile::ProfileFile;
use super::value::{DurationFile, TargetName};

/// A route: its one target, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteFile {
    /// One target, all defaults.
    Target(TargetName),
    /// Targets and policy.
    Full(Box<FullRouteFile>),
}

/// A route with its policy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullRouteFile {
    /// The targets, in tiers that are tried in order; at most 16 in all, none twice.
    #[schemars(length(min = 1, max = 16))]
    pub tiers: Vec<TierFile>,
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
    /// What all its callers together may take. Default: anything.
    pub limits: Option<QuotaLimitsFile>,
    /// What they may cost over a period, attempts that are thrown away included.
    pub budget: Option<BudgetFile>,
    /// The same over several periods.
    #[schemars(length(min = 1, max = 3))]
    pub budgets: Option<Vec<BudgetFile>>,
    /// What serves some callers and tasks in its place: the first whose conditions hold.
    #[schemars(length(min = 1, max = 32))]
    pub variants: Option<Vec<VariantFile>>,
}

/// What serves some callers and tasks in place of a route. What it does not set is as in its route.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantFile {
    /// Its name, for the log and `explain`.
    pub name: String,
    /// What must hold, all of it: a text, or `in`, or `prefix`, for `key`, `tag.NAME`, `task`, `user`
    /// or `region`.
    pub when: BTreeMap<String, WhenFile>,
    /// The targets, in tiers that are tried in order. Default: those of the route.
    #[schemars(length(min = 1, max = 16))]
    pub tiers: Option<Vec<TierFile>>,
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

/// What a fact must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WhenFile {
    /// This text.
    Is(String),
    /// One of several, or a text with this beginning.
    Full(FullWhenFile),
}

/// What a fact must be: give either.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullWhenFile {
    /// One of these texts.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 256)))]
    pub r#in: Option<Vec<String>>,
    /// A text that begins with this one.
    #[schemars(length(min = 1, max = 256))]
    pub prefix: Option<String>,
}

/// A tier: its targets, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TierFile {
    /// The targets.
    Targets(#[schemars(length(min = 1, max = 16))] Vec<TargetFile>),
    /// With its balance.
    Full(FullTierFile),
}

/// A tier as a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullTierFile {
    /// In what order its targets are tried. Default: `weighted`.
    pub balance: Option<TierBalanceFile>,
    /// The targets.
    #[schemars(length(min = 1, max = 16))]
    pub targets: Vec<TargetFile>,
}

/// In what order the targets of a tier are tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TierBalanceFile {
    /// At random, by weight.
    Weighted,
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest attempts under way for its weight.
    LeastBusy,
    /// The one with the shortest expected time to its first token.
    LeastLatency,
    /// The cheapest; those without a price come last.
    LeastCost,
}

/// A target: its name, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TargetFile {
    /// `provider/model`.
    Name(TargetName),
    /// With what is its own.
    Full(Box<FullTargetFile>),
}

/// A target with its own bounds, weight and price.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullTargetFile {
    /// `provider/model`.
    pub target: TargetName,
    /// Its share among the equals of its tier. Default: 1.
    #[schemars(range(min = 1, max = 1000))]
    pub weight: Option<u32>,
    /// What it charges. Default: as in the catalogue, if the model is there.
    pub price: Option<PriceFile>,
    /// What its provider takes of us in a minute. Default: anything.
    pub limits: Option<TargetLimitsFile>,
    /// What its model can do, before what the catalogue says.
    pub capabilities: Option<CapabilitiesFile>,
    /// In what form it answers. Default: `as_asked`; `never` for a model that cannot stream.
    pub upstream_stream: Option<UpstreamStreamFile>,
    /// The bounds of one attempt, before those of the route.
    pub timeouts: Option<TimeoutsFile>,
    /// How this model differs from what its provider says of all of them.
    pub profile: Option<ProfileFile>,
}

/// What a provider takes of us in a minute; at least one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetLimitsFile {
    /// Requests.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub rpm: Option<u32>,
    /// Tokens, of prompts and answers.
    #[schemars(range(min = 1, max = 4_000_000_000_u32))]
    pub tpm: Option<u32>,
}

/// What a model can do. What is left out is as in the catalogue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapabilitiesFile {
    /// The window in tokens: prompt and answer.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub context: Option<u32>,
    /// The longest prompt in tokens, where it is less.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_input: Option<u32>,
    /// The longest answer in tokens.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_output: Option<u32>,
    /// What it cannot do.
    #[schemars(extend("uniqueItems" = true))]
    pub lacks: Option<Vec<AbilityFile>>,
    /// What it can do, whatever the catalogue says.
    #[schemars(extend("uniqueItems" = true))]
    pub has: Option<Vec<AbilityFile>>,
    /// Whether it takes `temperature` and its kin.
    pub sampling: Option<SamplingFile>,
    /// How it is told how long to think.
    pub thinking: Option<ThinkingFile>,
    /// What it does with an assistant turn at the end of a prompt.
    pub prefill: Option<PrefillFile>,
}

/// Something that a model can do or cannot.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbilityFile {
    /// Calls of functions.
    Tools,
    /// Several calls in one answer.
    ParallelTools,
    /// A call that must be made.
    ToolChoice,
    /// Tools whose input is no JSON, or that the provider runs itself.
    NativeTools,
    /// Pictures in the prompt.
    Images,
    /// Sound in the prompt.
    AudioIn,
    /// Sound or pictures in the answer.
    MediaOut,
    /// Files in the prompt.
    Documents,
    /// JSON objects.
    JsonMode,
    /// JSON of a schema.
    JsonSchema,
    /// More than one answer.
    Choices,
    /// Log-probabilities.
    Logprobs,
    /// Weights of single tokens.
    LogitBias,
    /// Texts that end the answer.
    Stop,
    /// Thoughts that are shown or steered.
    Reasoning,
    /// State, files or features that one vendor keeps.
    Native,
    /// Streamed answers.
    Streaming,
    /// Conversations.
    Chat,
    /// Plain completions.
    Completions,
    /// Embeddings.
    Embeddings,
}

/// Whether a model takes `temperature` and its kin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SamplingFile {
    /// It does.
    Freely,
    /// It refuses all but the default.
    Fixed,
}

/// How a model is told how long to think.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingFile {
    /// It does not think.
    Never,
    /// By a number of tokens.
    Budget,
    /// By a level.
    Level,
}

/// What a model does with an assistant turn at the end of a prompt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrefillFile {
    /// It goes on with it.
    Continues,
    /// It refuses it.
    Refuses,
}

/// In what form a target answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamStreamFile {
    /// As the client asks.
    AsAsked,
    /// As a stream: its clocks then watch over whole answers too.
    Always,
    /// Whole: it becomes a stream for a client that asked for one.
    Never,
}

/// What a target charges for a million tokens, in USD with at most six decimals.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceFile {
    /// For a million input tokens.
    #[schemars(range(min = 0, max = 10000))]
    pub input: f64,
    /// For a million output tokens.
    #[schemars(range(min = 0, max = 10000))]
    pub output: f64,
    /// For a million input tokens read from a prompt cache. Default: as other input.
    #[schemars(range(min = 0, max = 10000))]
    pub cache_read: Option<f64>,
    /// For a million input tokens written to a prompt cache. Default: as other input.
    #[schemars(range(min = 0, max = 10000))]
    pub cache_write: Option<f64>,
    /// What everything costs instead once a prompt is longer than a bound.
    pub above: Option<LongPriceFile>,
}

/// What a target charges for long prompts, in USD for a million tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongPriceFile {
    /// The longest prompt at the plain price, in tokens.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub input_tokens: u32,
    /// For a million input tokens.
    #[schemars(range(min = 0, max = 10000))]
    pub input: f64,
    /// For a million output tokens.
    #[schemars(range(min = 0, max = 10000))]
    pub output: f64,
    /// For a million input tokens read from a prompt cache.
    #[schemars(range(min = 0, max = 10000))]
    pub cache_read: Option<f64>,
    /// For a million input tokens written to a prompt cache.
    #[schemars(range(min = 0, max = 10000))]
    pub cache_write: Option<f64>,
}
