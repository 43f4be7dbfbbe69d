//! Gemini `generateContent`, for providers.

pub mod build;
pub mod decode;
