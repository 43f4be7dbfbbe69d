//! The Anthropic dialect (Messages, token counts, models) as the simulator reads and writes it.

mod ask;
mod blocks;
mod catalog;
mod error;
mod heard;
mod knobs;
mod order;
mod stream;
mod terms;
mod tools;
mod whole;

pub(crate) use ask::{asked, counted};
pub(crate) use catalog::{count, model, models};
pub(crate) use error::{headers, status_error};
pub(crate) use heard::heard;
pub(crate) use stream::Stream;
pub(crate) use terms::parts;
pub(crate) use whole::Whole;
