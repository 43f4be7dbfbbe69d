//! Gemini `generateContent`, for providers: the Developer API, and Vertex by another base URL.

pub mod build;
pub mod decode;
mod model;
pub mod schema;
