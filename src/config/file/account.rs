//! `keys`, `quotas` and `accounts` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::shared::SharedFile;
use super::store::StoreFile;
use super::value::{DigestFile, MomentFile, NetworkFile, SecretFile, TagFile};

/// A client key. Give one of `secret`, `secrets`, `digest` and `digests`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// The name, for log and metrics.
    #[schemars(regex(pattern = r"^[!-~]{1,64}$"))]
    pub name: String,
    /// What the client sends.
    pub secret: Option<SecretFile>,
    /// Several, so that one can be replaced without a gap.
    #[schemars(length(min = 1))]
    pub secrets: Option<Vec<KeySecretFile>>,
    /// The SHA-256 of what the client sends.
    pub digest: Option<DigestFile>,
    /// Several of them.
    #[schemars(length(min = 1))]
    pub digests: Option<Vec<KeyDigestFile>>,
    /// The routes that the key may use. Default: all.
    #[schemars(length(min = 1))]
    pub routes: Option<Vec<String>>,
    /// What is said of it: tier, team, anything. Quotas go by it. Default: nothing.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16))]
    pub tags: Option<BTreeMap<String, TagFile>>,
    /// Until when it holds. Default: as long as it is here.
    pub expires: Option<MomentFile>,
    /// The networks that it may come from. Default: all.
    #[schemars(length(min = 1))]
    pub networks: Option<Vec<NetworkFile>>,
    /// Whether it is refused for now. Default: false.
    pub disabled: Option<bool>,
    /// What it may take. Default: anything.
    pub limits: Option<QuotaLimitsFile>,
    /// What it may cost over a period. 0: it is refused.
    pub budget: Option<BudgetFile>,
    /// The same over several periods.
    #[schemars(length(min = 1, max = 3))]
    pub budgets: Option<Vec<BudgetFile>>,
}

/// One of several secrets of a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeySecretFile {
    /// One that holds as long as it is here.
    Lasting(SecretFile),
    /// One with an end.
    Dated(DatedSecretFile),
}

/// A secret with an end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatedSecretFile {
    /// The secret.
    pub secret: SecretFile,
    /// Until when it holds.
    pub not_after: Option<MomentFile>,
}

/// One of several digests of a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeyDigestFile {
    /// One that holds as long as it is here.
    Lasting(DigestFile),
    /// One with an end.
    Dated(DatedDigestFile),
}

/// A digest with an end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatedDigestFile {
    /// The digest.
    pub digest: DigestFile,
    /// Until when it holds.
    pub not_after: Option<MomentFile>,
}

/// A quota. It has limits, a budget or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaFile {
    /// The name, for clients, log and metrics.
    #[schemars(regex(pattern = r"^[!-~]{1,64}$"))]
    pub name: String,
    /// Whom it holds for.
    pub r#for: ScopeFile,
    /// Who has a count of his own. Default: `together`.
    pub each: Option<EachFile>,
    /// What they may take.
    pub limits: Option<QuotaLimitsFile>,
    /// What they may cost over a period.
    pub budget: Option<BudgetFile>,
    /// The same over several periods.
    #[schemars(length(min = 1, max = 3))]
    pub budgets: Option<Vec<BudgetFile>>,
}

/// Whom a quota holds for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScopeFile {
    /// Everybody.
    Everybody(EverybodyFile),
    /// Some.
    Some(TaggedFile),
}

/// The word `all`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EverybodyFile {
    /// Everybody.
    All,
}

/// Some callers. Give one of the three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaggedFile {
    /// A key, by its name.
    pub key: Option<String>,
    /// A route, by its name.
    pub route: Option<String>,
    /// The keys that have this tag, such as `{ tier: free }`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    pub tag: Option<BTreeMap<String, TagFile>>,
}

/// Who has a count of his own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EachFile {
    /// Nobody.
    Together,
    /// Each key.
    Key,
    /// Each user that requests name; those that name none share one count.
    User,
    /// Each session, by `x-segue-session`; requests without one share one count.
    Session,
}

/// What callers may take; at least one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaLimitsFile {
    /// Requests in a minute.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub requests_per_minute: Option<u32>,
    /// Tokens in a minute, of prompts and answers.
    #[schemars(range(min = 1, max = 4_000_000_000_u32))]
    pub tokens_per_minute: Option<u32>,
    /// Exchanges at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrent: Option<u32>,
    /// What one exchange may cost, in USD, all its attempts together.
    #[schemars(range(min = 0, max = 10000))]
    pub usd_per_exchange: Option<f64>,
}

/// An amount of money for a period.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetFile {
    /// The amount in USD, with at most six decimals.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub usd: f64,
    /// The period.
    pub per: PeriodFile,
}

/// A period of the UTC calendar.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeriodFile {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

/// The rules between all quotas.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountsFile {
    /// What becomes of an exchange whose first target is too dear for what is left. Default: `stop`.
    pub on_budget: Option<OnBudgetFile>,
    /// Who pays for attempts that were thrown away. Default: `route`.
    pub waste: Option<WasteFile>,
    /// Tokens that are set aside for an answer that a request sets no bound to. Default: 4096.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub assumed_output: Option<u32>,
    /// Where usage is kept, or `off`. Default: `usage.db` in the folder that systemd gives
    /// (`StateDirectory=`); without one, off.
    pub store: Option<StoreFile>,
    /// Where machines share their counts. Default: each counts for itself.
    pub shared: Option<SharedFile>,
}

/// What becomes of an exchange whose first target is too dear for what is left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBudgetFile {
    /// Its targets are tried in their order, but for those that are too dear.
    Stop,
    /// The cheapest goes first.
    Cheapest,
}

/// Who pays for attempts that were thrown away.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WasteFile {
    /// The quotas of routes, and those of everybody.
    Route,
    /// The caller's as well.
    Caller,
}
