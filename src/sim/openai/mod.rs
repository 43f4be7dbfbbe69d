//! The `OpenAI` dialect (Chat Completions, completions, models, embeddings; Azure's too) as the
//! simulator reads and writes it.

mod ask;
mod azure;
mod catalog;
mod completion;
mod embeddings;
mod error;
mod heard;
mod order;
mod stream;
mod terms;
mod whole;

pub(crate) use ask::{asked, completion_asked};
pub(crate) use azure::{checked as azure_checked, error as azure_error, headers as azure_headers};
pub(crate) use catalog::{model, models};
pub(crate) use completion::Completion;
pub(crate) use embeddings::{EmbeddingsAsked, embedded, embeddings};
pub(crate) use error::status_error;
pub(crate) use heard::{completion_heard, heard};
pub(crate) use stream::Stream;
pub(crate) use terms::parts;
pub(crate) use whole::Whole;
