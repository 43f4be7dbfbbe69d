//! `OpenAI` Chat Completions.

pub mod build;
pub mod decode;
pub mod encode;
pub mod needs;
pub mod parse;
pub mod promise;

use bytes::Bytes;

use crate::sse::{self, Frame};

/// The frame as it may go to a client: fields that the SDKs stumble over (`id`, `retry`, a name
/// where the format has none) are left out.
pub fn clean(frame: &Frame) -> Bytes {
    match &frame.data {
        Some(data) if is_labelled(frame) => sse::encode(None, data),
        _ => frame.raw.clone(),
    }
}

/// Whether a frame has more to it than data and comments.
pub fn is_labelled(frame: &Frame) -> bool {
    frame.id.is_some() || frame.retry.is_some() || frame.event.is_some()
}

#[cfg(test)]
mod tests;
