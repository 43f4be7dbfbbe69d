//! A client's request: what routing, limits and the gate need; and all of it, for other formats.

mod blocks;
mod whole;

use bytes::Bytes;

use crate::dialect::ask::Unfit;
use crate::dialect::field;
use crate::exchange::{
    Conversation, Delivery, Dialect, Fault, FaultKind, Request, Task, UsageWish,
};
use crate::units::Tokens;

/// The fields that are read here, and so must be the ones that a provider obeys.
const READ: [&str; 4] = ["model", "messages", "max_tokens", "stream"];
const MAX_OUTPUT: u64 = 1 << 32;

/// Reads a request of `POST /v1/messages`, or of `/v1/messages/count_tokens`. A field that is `null`
/// counts as absent.
///
/// # Errors
/// A [`Fault`] of kind `BadRequest` for whatever is wrong with a field that we read, and for a body
/// that is not one JSON object or has a name twice. What is wrong elsewhere is the provider's to say.
pub fn request(task: Task, body: Bytes) -> Result<Request, Fault> {
    let fields = field::index(&body, &READ)?;
    let value = |name: &str| field::present(&fields, &body, name);
    let model = field::model(value("model"))?;
    field::check_list("messages", value("messages"), "element")?;
    let max_output = field::integer("max_tokens", value("max_tokens"), 0..=MAX_OUTPUT)?;
    let streamed = field::flag("stream", value("stream"))?.unwrap_or_default();
    let delivery = match task {
        Task::Chat if max_output.is_none() => return Err(field::missing("max_tokens")),
        // This format's streams always tell the usage.
        Task::Chat if streamed => Delivery::Stream(UsageWish::Asked),
        Task::Chat | Task::Count => Delivery::Whole,
        Task::Completion | Task::Embedding => {
            return Err(Fault::new(FaultKind::NotFound, "no such path"));
        }
    };
    Ok(Request {
        dialect: Dialect::Anthropic,
        task,
        model,
        delivery,
        max_output: max_output.map(Tokens),
        choices: 1,
        fields,
        body,
    })
}

/// Reads all of a request. Texts borrow from its body.
///
/// # Errors
/// [`Unfit::Unreadable`] for what is not of this format, [`Unfit::Lacks`] for what no other has.
pub fn conversation(request: &Request) -> Result<Conversation<'_>, Unfit> {
    whole::conversation(request)
}
