//! A request for a provider of this format: spliced where it came in this format, never rebuilt;
//! else written from a conversation.

mod body;
mod deep;
mod draft;
mod ids;
mod message;
mod path;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use smallvec::SmallVec;

use self::draft::Draft;
pub use self::path::path;
use crate::dialect::ask::{Ask, Recipient, Unfit};
use crate::dialect::carry::Segments;
use crate::dialect::fate;
use crate::dialect::profile::{Completions, OutputName, UsageAsk};
use crate::exchange::{
    Conversation, Delivery, Form, Need, Request, Sampled, Task, ToolChoice, UsageWish,
};
use crate::json::{self, Edit, Fields};

const STREAM_OPTIONS: &str = "stream_options";
const WITH_USAGE: &[u8] = br#"{"include_usage":true}"#;

/// What models of a fixed temperature refuse to be told (API guide, "Reasoning models").
const KNOBS: [&str; 4] = [
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
];

/// Whether a provider takes such a task in this format.
pub fn takes(task: Task, to: &Recipient<'_>) -> bool {
    match task {
        Task::Chat | Task::Embedding => true,
        Task::Completion => to.profile.facts.completions == Completions::Native,
        Task::Count => false,
    }
}

/// Splices a request of this format.
///
/// # Errors
/// [`Unfit::Lacks`] for what its profile says that it has not.
pub fn same(request: &Request, to: &Recipient<'_>) -> Result<Ask, Unfit> {
    let facts = &to.profile.facts;
    for (name, need) in facts.lacks {
        if request.task == Task::Chat && fate::asks(request, name, *need) {
            return Err(Unfit::Lacks(*need));
        }
    }
    let mut draft = Draft::new(&request.fields, &request.body);
    draft.set("model", json::string(to.model));
    let changes = match request.task {
        Task::Embedding => facts.embeddings,
        Task::Chat => {
            deliver(&mut draft, request, to);
            bound(&mut draft, facts.output);
            facts.chat
        }
        Task::Completion | Task::Count => {
            deliver(&mut draft, request, to);
            &[]
        }
    };
    if request.task != Task::Embedding && to.abilities.sampling == Sampled::Fixed {
        for name in KNOBS {
            draft.drop_field(name);
        }
    }
    draft.profile(changes, to.profile);
    if request.task == Task::Chat {
        draft.tool_ids(facts.tool_ids);
    }
    let (body, dropped) = draft.finish();
    Ok(Ask {
        task: request.task,
        path: path(request.task, to),
        headers: SmallVec::new(),
        body,
        dropped,
    })
}

/// In the form that is asked of the recipient, and of a stream with its usage, which the ledger
/// needs.
fn deliver(draft: &mut Draft<'_>, request: &Request, to: &Recipient<'_>) {
    let usage = to.profile.facts.usage;
    match (request.delivery, to.form) {
        (Delivery::Whole, Form::Whole) => {}
        (Delivery::Stream(_), Form::Whole) => {
            draft.set("stream", Bytes::from_static(b"false"));
            draft.remove(STREAM_OPTIONS);
        }
        (Delivery::Whole, Form::Stream) => {
            draft.set("stream", Bytes::from_static(b"true"));
            if usage == UsageAsk::Asked {
                draft.set(STREAM_OPTIONS, Bytes::from_static(WITH_USAGE));
            }
        }
        (Delivery::Stream(wish), Form::Stream) => match (usage, wish) {
            (UsageAsk::Always, _) => draft.remove(STREAM_OPTIONS),
            (UsageAsk::Asked, UsageWish::NotAsked) => {
                draft.set(STREAM_OPTIONS, with_usage(request));
            }
            (UsageAsk::Asked, UsageWish::Asked) => {}
        },
    }
}

/// The bound on the answer under the name that the provider obeys. Of two the newer counts, as
/// it does where the request is read.
fn bound(draft: &mut Draft<'_>, name: OutputName) {
    const CURRENT: &str = "max_completion_tokens";
    const OLD: &str = "max_tokens";
    let (to, from) = match name {
        OutputName::Any => return,
        OutputName::Current => (CURRENT, OLD),
        OutputName::Old => (OLD, CURRENT),
    };
    let Some(other) = draft.value(from) else {
        return;
    };
    let stays = name == OutputName::Current && draft.said(CURRENT);
    draft.remove(from);
    if !stays && &*other != b"null" {
        draft.set(to, other);
    }
}

/// Writes a conversation.
///
/// # Errors
/// [`Unfit::Lacks`] for what the format or the provider cannot say.
pub fn translated(conversation: &Conversation<'_>, to: &Recipient<'_>) -> Result<Ask, Unfit> {
    refuse(conversation, to)?;
    let (written, unsaid) = body::write(conversation, to)?;
    let facts = &to.profile.facts;
    let (body, mut dropped) = if facts.chat.is_empty() && to.profile.own.is_empty() {
        (SmallVec::from_iter([written]), SmallVec::new())
    } else {
        // What we have written ourselves is an object.
        let fields = Fields::index(&written).unwrap_or_default();
        let mut draft = Draft::new(&fields, &written);
        draft.profile(facts.chat, to.profile);
        draft.finish()
    };
    dropped.extend(unsaid.into_iter().map(Into::into));
    Ok(Ask {
        task: Task::Chat,
        path: path(Task::Chat, to),
        headers: SmallVec::new(),
        body,
        dropped,
    })
}

/// What the caller relies on and the provider has not.
fn refuse(conversation: &Conversation<'_>, to: &Recipient<'_>) -> Result<(), Unfit> {
    let facts = &to.profile.facts;
    let lacks = |need| facts.lacks.iter().any(|(_, lacked)| *lacked == need);
    if conversation.choices > 1 && lacks(Need::Choices) {
        return Err(Unfit::Lacks(Need::Choices));
    }
    if conversation.stop.len() > facts.most_stops {
        return Err(Unfit::Lacks(Need::Stop));
    }
    let forced = matches!(
        conversation.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_))
    );
    if forced && lacks(Need::ToolChoice) {
        return Err(Unfit::Lacks(Need::ToolChoice));
    }
    Ok(())
}

/// The body for a provider that keeps to the format, in pieces to be sent one after the other:
/// with the target's model, and for a stream with the usage asked for. All else, fields that we
/// have never heard of included, is the client's own bytes, and no copy of them.
pub fn chat(request: &Request, model: &str) -> Segments {
    let model = Edit::Set("model", json::string(model));
    match request.delivery {
        Delivery::Stream(UsageWish::NotAsked) => {
            let options = Edit::Set(STREAM_OPTIONS, with_usage(request));
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
        .span(STREAM_OPTIONS)
        .and_then(|span| request.body.get(span))
        .and_then(|options| {
            let pieces = Fields::index(options)
                .ok()?
                .splice(&request.body.slice_ref(options), &[wished]);
            Some(pieces.concat().into())
        })
        // None, or null.
        .unwrap_or(Bytes::from_static(WITH_USAGE))
}
