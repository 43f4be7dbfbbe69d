//! `routes` and `defaults` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{DurationFile, TargetName};

/// A route: its one target, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteFile {
    /// One target, all defaults.
    Target(TargetName),
    /// Target and policy.
    Full(Box<FullRouteFile>),
}

/// A route with its policy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullRouteFile {
    /// The targets; in this version one tier of one target.
    #[schemars(length(min = 1, max = 1))]
    pub tiers: Vec<TierFile>,
    /// How much of an answer's head is held back. Default: `none`.
    pub hold: Option<HoldFile>,
    /// What happens when an answer breaks off. Default: `error`.
    pub on_break: Option<OnBreakFile>,
    /// From the request's last byte to the answer's last. Default: 10m.
    pub deadline: Option<DurationFile>,
    /// The bounds of one attempt.
    pub timeouts: Option<TimeoutsFile>,
}

/// What routes inherit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultsFile {
    /// How much of an answer's head is held back. Default: `none`.
    pub hold: Option<HoldFile>,
    /// What happens when an answer breaks off. Default: `error`.
    pub on_break: Option<OnBreakFile>,
    /// From the request's last byte to the answer's last. Default: 10m.
    pub deadline: Option<DurationFile>,
    /// The bounds of one attempt.
    pub timeouts: Option<TimeoutsFile>,
}

/// How much of an answer's head is held back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldFile {
    /// Nothing.
    None,
}

/// What happens when an answer breaks off.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBreakFile {
    /// It ends with a well-formed error.
    Error,
}

/// A tier: its targets, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TierFile {
    /// The targets.
    Targets(#[schemars(length(min = 1, max = 1))] Vec<TargetFile>),
    /// The same as a map.
    Full(FullTierFile),
}

/// A tier as a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullTierFile {
    /// The targets.
    #[schemars(length(min = 1, max = 1))]
    pub targets: Vec<TargetFile>,
}

/// A target: its name, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TargetFile {
    /// `provider/model`.
    Name(TargetName),
    /// With its own bounds.
    Full(FullTargetFile),
}

/// A target with its own bounds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullTargetFile {
    /// `provider/model`.
    pub target: TargetName,
    /// The bounds of one attempt, before those of the route.
    pub timeouts: Option<TimeoutsFile>,
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
}
