//! Models and token counts.

use serde_json::{Value, json};

/// The list of models.
pub(crate) fn models<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let models: Vec<_> = names.map(entry).collect();
    json!({ "models": models }).to_string().into_bytes()
}

/// One model.
pub(crate) fn model(name: &str) -> Vec<u8> {
    entry(name).to_string().into_bytes()
}

fn entry(name: &str) -> Value {
    json!({
        "name": format!("models/{name}"),
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

/// The tokens of a prompt: a quarter of its bytes, rounded up.
pub(crate) fn count(tokens: u64) -> Vec<u8> {
    json!({ "totalTokens": tokens }).to_string().into_bytes()
}
