//! The `OpenAI` dialect (Chat Completions, models, embeddings) as the simulator writes it.

mod catalog;
mod error;
mod stream;
mod terms;
mod whole;

pub(crate) use catalog::{embeddings, model, models};
pub(crate) use error::status_error;
pub(crate) use stream::Stream;
pub(crate) use terms::Origin;
pub(crate) use whole::Whole;
