//! Gemini `generateContent`, for providers: the Developer API, and Vertex by another base URL.

pub mod build;
pub mod decode;
mod model;
pub mod schema;

/// Adds a text as a JSON string.
fn quote(text: &str, out: &mut String) {
    // A string is always JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
