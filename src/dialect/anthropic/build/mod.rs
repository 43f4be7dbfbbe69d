//! A request for a provider of this format: spliced where the client speaks it too, else written
//! from a conversation.

mod body;
mod media;
mod schema;
mod thinking;
mod tools;
mod turns;
mod wishes;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use smallvec::{SmallVec, smallvec};

use crate::dialect::ask::{Ask, Recipient, Unfit};
use crate::dialect::carry::Segments;
use crate::exchange::{Conversation, Form, Need, Request, Task};
use crate::json::{self, Edit};

const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";
/// The version that everything here is written for (the vendor's page "Versioning").
const VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("anthropic-version"),
    HeaderValue::from_static("2023-06-01"),
);

/// Where a provider takes such a task, below the path of its base URL.
pub fn path(task: Task) -> Cow<'static, str> {
    Cow::Borrowed(match task {
        Task::Count => COUNT,
        Task::Chat | Task::Completion | Task::Embedding => MESSAGES,
    })
}

/// A request of this format: the client's own bytes but for the model, and for `stream` where the
/// provider is to answer in another form than the client.
///
/// # Errors
/// None: what this provider may lack is its own to say.
pub fn same(request: &Request, to: &Recipient<'_>) -> Result<Ask, Unfit> {
    let model = Edit::Set("model", json::string(to.model));
    let differs = request.task == Task::Chat && request.delivery.form() != to.form;
    let body = if differs {
        let streamed = match to.form {
            Form::Stream => "true",
            Form::Whole => "false",
        };
        let stream = Edit::Set("stream", Bytes::from_static(streamed.as_bytes()));
        request.fields.splice(&request.body, &[model, stream])
    } else {
        request.fields.splice(&request.body, &[model])
    };
    Ok(ask(request.task, body, SmallVec::new()))
}

/// Writes a conversation.
///
/// # Errors
/// [`Unfit::Lacks`] for what this format or this model has no words for.
pub fn translated(conversation: &Conversation<'_>, to: &Recipient<'_>) -> Result<Ask, Unfit> {
    if conversation.choices > 1 {
        return Err(Unfit::Lacks(Need::Choices));
    }
    let mut dropped = SmallVec::new();
    let body = body::body(conversation, to, &mut dropped)?;
    // Numbers, strings and checked JSON always serialise.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    Ok(ask(Task::Chat, smallvec![Bytes::from(body)], dropped))
}

fn ask(task: Task, body: Segments, dropped: SmallVec<[Cow<'static, str>; 2]>) -> Ask {
    Ask {
        task,
        path: path(task),
        headers: smallvec![VERSION],
        body,
        dropped,
    }
}
