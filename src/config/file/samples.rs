//! `samples` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{OffFile, PercentFile, SizeFile};

/// Exchanges that are told in full.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SamplesFile {
    /// None.
    Off(OffFile),
    /// Some.
    On(SamplesOnFile),
}

/// A file of samples.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplesOnFile {
    /// The file, with a slash in its path; its folder must be there.
    pub path: String,
    /// Of all exchanges, drawn by the request's id. Default: 5%.
    pub share: Option<PercentFile>,
    /// What is sampled whatever the share. Default: `[fell_back, failed]`.
    pub always: Option<Vec<AlwaysFile>>,
    /// Whether the first 64 KiB of prompts and answers are told. Default: false.
    pub bodies: Option<bool>,
    /// Regular expressions of what is replaced by `***`, beside keys. Default: none.
    #[schemars(length(max = 32), inner(length(min = 1, max = 1024)))]
    pub redact: Option<Vec<String>>,
    /// A file's size, at most. Default: 64MiB.
    pub size: Option<SizeFile>,
    /// How many files are kept, the newest included. Default: 4.
    #[schemars(range(min = 1, max = 100))]
    pub files: Option<u32>,
}

/// What is sampled whatever the share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlwaysFile {
    /// Another target than the first was asked, or one beside it.
    FellBack,
    /// A target was asked again.
    Retried,
    /// No answer came, or not all of it.
    Failed,
    /// The provider's error was handed on.
    ProviderError,
    /// The client left.
    Aborted,
}
