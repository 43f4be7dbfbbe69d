//! Models.

use serde_json::json;

use crate::sim::openai::terms::CREATED;

/// The list of models.
pub(crate) fn models<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let models: Vec<_> = names.map(entry).collect();
    json!({ "object": "list", "data": models })
        .to_string()
        .into_bytes()
}

/// One model.
pub(crate) fn model(name: &str) -> Vec<u8> {
    entry(name).to_string().into_bytes()
}

fn entry(name: &str) -> serde_json::Value {
    let created: u64 = std::str::from_utf8(CREATED)
        .ok()
        .and_then(|c| c.parse().ok())
        .unwrap_or(0);
    json!({ "id": name, "object": "model", "created": created, "owned_by": "sim" })
}
