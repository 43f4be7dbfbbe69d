//! `profile` and `auth` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// How a provider differs from its dialect: a built-in profile's name, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ProfileFile {
    /// A built-in one: `openai`, `azure`, `mistral`, `deepseek`, `groq`, `together`, `openrouter`,
    /// `xai`, `ollama`, `vllm`, `llamacpp`, `cohere`, `gemini-compatible`.
    Named(String),
    /// What is different. Places in a request are JSON pointers; `*` stands for every element.
    Full(FullProfileFile),
}

/// What is different about a provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullProfileFile {
    /// The built-in profile that it is otherwise like. Default: none.
    pub like: Option<String>,
    /// What is left out of requests.
    #[schemars(length(min = 1), inner(regex(pattern = "^/.*[^/]$")))]
    pub drop: Option<Vec<String>>,
    /// What has another name in the same object.
    #[schemars(extend("minProperties" = 1))]
    pub rename: Option<BTreeMap<String, String>>,
    /// What has this value, whatever the client wrote.
    #[schemars(extend("minProperties" = 1))]
    pub set: Option<BTreeMap<String, Value>>,
}

/// The header of a credential.
#[derive(Debug, Deserialize, JsonSchema)]
pub enum AuthFile {
    /// `authorization: Bearer …`.
    #[serde(rename = "bearer")]
    Bearer,
    /// `api-key: …`.
    #[serde(rename = "api-key")]
    ApiKey,
    /// `x-api-key: …`.
    #[serde(rename = "x-api-key")]
    XApiKey,
    /// `x-goog-api-key: …`.
    #[serde(rename = "x-goog-api-key")]
    XGoogApiKey,
}
