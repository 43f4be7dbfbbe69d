//! Models and token counts.

use serde_json::{Value, json};

/// The list of models.
pub(crate) fn models<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let models: Vec<_> = names.map(entry).collect();
    let id = |entry: Option<&Value>| entry.and_then(|entry| entry.get("id")).cloned();
    let (first, last) = (id(models.first()), id(models.last()));
    json!({ "data": models, "first_id": first, "last_id": last, "has_more": false })
        .to_string()
        .into_bytes()
}

/// One model.
pub(crate) fn model(name: &str) -> Vec<u8> {
    entry(name).to_string().into_bytes()
}

fn entry(name: &str) -> Value {
    json!({
        "type": "model", "id": name, "display_name": name, "created_at": "2026-11-21T08:00:00Z",
    })
}

/// The tokens of a prompt: a quarter of its bytes, rounded up.
pub(crate) fn count(tokens: u64) -> Vec<u8> {
    json!({ "input_tokens": tokens }).to_string().into_bytes()
}
