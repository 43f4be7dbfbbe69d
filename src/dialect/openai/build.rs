//! A request of this format for a provider of this format: spliced, never rebuilt.

use bytes::Bytes;

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::dialect::ask::{Ask, Recipient, Unfit};
use crate::dialect::carry::Segments;
use crate::exchange::{Conversation, Delivery, Need, Request, Task, UsageWish};
use crate::json::{self, Edit, Fields};

/// The endpoint's path below a provider's base URL, which ends in `/v1`.
const PATH: &str = "/chat/completions";

/// Where a provider takes such a task, below the path of its base URL.
pub fn path(_: Task, _: &Recipient<'_>) -> Cow<'static, str> {
    Cow::Borrowed(PATH)
}

/// Whether a provider takes such a task in this format.
pub fn takes(task: Task, _: &Recipient<'_>) -> bool {
    task == Task::Chat
}

/// Splices a request of this format.
///
/// # Errors
/// None for now.
pub fn same(request: &Request, to: &Recipient<'_>) -> Result<Ask, Unfit> {
    Ok(Ask {
        task: request.task,
        path: path(request.task, to),
        headers: SmallVec::new(),
        body: chat(request, to.model),
        dropped: SmallVec::new(),
    })
}

/// Writes a conversation.
///
/// # Errors
/// What it cannot say.
pub fn translated(_: &Conversation<'_>, _: &Recipient<'_>) -> Result<Ask, Unfit> {
    Err(Unfit::Lacks(Need::Native))
}

/// The body for a provider, in pieces to be sent one after the other: with the target's model,
/// and for a stream with the usage asked for, which the ledger needs. All else, fields that we
/// have never heard of included, is the client's own bytes, and no copy of them.
pub fn chat(request: &Request, model: &str) -> Segments {
    let model = Edit::Set("model", json::string(model));
    match request.delivery {
        Delivery::Stream(UsageWish::NotAsked) => {
            let options = Edit::Set("stream_options", with_usage(request));
            request.fields.splice(&request.body, &[model, options])
        }
        Delivery::Stream(UsageWish::Asked) | Delivery::Whole => {
            request.fields.splice(&request.body, &[model])
        }
    }
}

/// The client's `stream_options`, or new ones, with `include_usage`.
fn with_usage(request: &Request) -> Bytes {
    let wished = Edit::Set("include_usage", Bytes::from_static(b"true"));
    request
        .fields
        .span("stream_options")
        .and_then(|span| request.body.get(span))
        .and_then(|options| {
            let pieces = Fields::index(options)
                .ok()?
                .splice(&request.body.slice_ref(options), &[wished]);
            Some(pieces.concat().into())
        })
        // None, or null.
        .unwrap_or(Bytes::from_static(br#"{"include_usage":true}"#))
}
