//! `traces` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::policy::ShareFile;
use super::value::{DurationFile, SecretFile};

/// OpenTelemetry traces, sent over OTLP/HTTP as JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TracesFile {
    /// The collector's address for spans; without a path, `/v1/traces`.
    pub otlp: String,
    /// The share of exchanges that are recorded, of those whose client is in no trace. Default:
    /// 100%.
    pub share: Option<ShareFile>,
    /// What the collector wants to see, each value a secret. Default: nothing.
    pub headers: Option<BTreeMap<String, SecretFile>>,
    /// One export, at most. Default: 10s.
    pub timeout: Option<DurationFile>,
}
