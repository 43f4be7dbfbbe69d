//! One call for each thing a wire format can do, whichever it is: callers name no format.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::ask::{Ask, Recipient, Unfit};
use super::carry::{Carry, Malformed, Sink};
use super::promise::Promise;
use super::voices::{Label, Voices};
use super::{anthropic, failure as wording, gemini, openai};
use crate::exchange::{
    Answer, Conversation, Dialect, Event, Failure, Fault, FaultKind, Need, Request, Task,
};
use crate::sse::{self, Frame};
use crate::units::Tokens;

/// Reads a client's request.
///
/// # Errors
/// A [`Fault`] of kind `BadRequest` that names the field to blame.
pub fn parse(dialect: Dialect, task: Task, body: Bytes) -> Result<Request, Fault> {
    match dialect {
        Dialect::OpenAi => openai::parse::request(task, body),
        Dialect::Anthropic => anthropic::parse::request(task, body),
        // No client speaks it here.
        Dialect::Gemini => Err(Fault::new(FaultKind::NotFound, "no such path")),
    }
}

/// What the request relies on an answer to be.
pub fn promise(request: &Request) -> Promise {
    match request.dialect {
        Dialect::OpenAi => openai::promise::promise(request),
        Dialect::Anthropic => anthropic::promise::promise(request),
        Dialect::Gemini => Promise::default(),
    }
}

/// The whole request in neutral words.
///
/// # Errors
/// [`Unfit::Unreadable`] for what cannot be read, [`Unfit::Lacks`] for what no other format has.
pub fn conversation(request: &Request) -> Result<Conversation<'_>, Unfit> {
    match (request.dialect, request.task) {
        (Dialect::OpenAi, Task::Chat | Task::Completion) => openai::parse::conversation(request),
        (Dialect::Anthropic, Task::Chat | Task::Count) => anthropic::parse::conversation(request),
        (_, Task::Embedding) => Err(Unfit::Lacks(Need::Embeddings)),
        _ => Err(Unfit::Lacks(Need::Native)),
    }
}

/// Where a recipient takes conversations: path and query, below the path of its base URL.
pub fn path(to: &Recipient<'_>) -> Cow<'static, str> {
    match to.dialect {
        Dialect::OpenAi => openai::build::path(Task::Chat, to),
        Dialect::Anthropic => anthropic::build::path(Task::Chat),
        Dialect::Gemini => gemini::build::path(to),
    }
}

/// What a recipient is sent.
///
/// # Errors
/// [`Unfit`] when this request cannot be put to it.
pub fn build(request: &Request, to: &Recipient<'_>) -> Result<Ask, Unfit> {
    if request.dialect == to.dialect {
        match to.dialect {
            Dialect::OpenAi if openai::build::takes(request.task, to) => {
                return openai::build::same(request, to);
            }
            Dialect::Anthropic => return anthropic::build::same(request, to),
            Dialect::OpenAi | Dialect::Gemini => {}
        }
    }
    if let Some(need) = super::fate::disqualifying(request, to.dialect) {
        return Err(Unfit::Lacks(need));
    }
    if request.task == Task::Count {
        return Err(Unfit::Lacks(Need::Native));
    }
    let conversation = conversation(request)?;
    let mut ask = match to.dialect {
        Dialect::OpenAi => openai::build::translated(&conversation, to),
        Dialect::Anthropic => anthropic::build::translated(&conversation, to),
        Dialect::Gemini => gemini::build::translated(&conversation, to),
    }?;
    ask.dropped
        .extend(super::fate::dropped(request, to.dialect));
    Ok(ask)
}

/// Reads one attempt's stream.
#[derive(Debug)]
pub(super) enum Reader {
    OpenAi(openai::decode::Stream),
    Anthropic(anthropic::decode::Stream),
    Gemini(gemini::decode::Stream),
}

impl Reader {
    pub(super) fn new(provider: Dialect, task: Task) -> Self {
        match provider {
            Dialect::OpenAi => Self::OpenAi(openai::decode::Stream::new(task)),
            Dialect::Anthropic => Self::Anthropic(anthropic::decode::Stream::new()),
            Dialect::Gemini => Self::Gemini(gemini::decode::Stream::new()),
        }
    }

    pub(super) fn frame(&mut self, frame: &Frame, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        match self {
            Self::OpenAi(stream) => stream.frame(frame, sink),
            Self::Anthropic(stream) => stream.frame(frame, sink),
            Self::Gemini(stream) => stream.frame(frame, sink),
        }
    }

    pub(super) fn finished(&self) -> bool {
        match self {
            Self::OpenAi(stream) => stream.finished(),
            Self::Anthropic(stream) => stream.finished(),
            Self::Gemini(stream) => stream.finished(),
        }
    }
}

/// Reads a whole answer and tells the sink its events. An error inside it is an event too.
///
/// # Errors
/// [`Malformed`], and then nothing has been told.
pub(super) fn read_whole(
    provider: Dialect,
    task: Task,
    body: &[u8],
    sink: &mut Sink<'_>,
) -> Result<(), Malformed> {
    match provider {
        Dialect::OpenAi => openai::decode::whole(task, body, sink),
        Dialect::Anthropic => anthropic::decode::whole(task, body, sink),
        Dialect::Gemini => gemini::decode::whole(body, sink),
    }
}

/// Tells an answer in the client's words, as a stream.
#[derive(Debug)]
pub(super) enum Teller {
    OpenAi(openai::encode::Teller),
    Anthropic(anthropic::encode::Teller),
}

impl Teller {
    pub(super) fn new(voices: &Voices<'_>) -> Self {
        match voices.client {
            Dialect::OpenAi | Dialect::Gemini => Self::OpenAi(openai::encode::Teller::new(voices)),
            Dialect::Anthropic => Self::Anthropic(anthropic::encode::Teller::new(voices)),
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        match self {
            Self::OpenAi(teller) => teller.event(event, out),
            Self::Anthropic(teller) => teller.event(event, out),
        }
    }

    pub(super) fn end(&mut self, out: &mut BytesMut) {
        match self {
            Self::OpenAi(teller) => teller.end(out),
            Self::Anthropic(teller) => teller.end(out),
        }
    }
}

/// A whole answer in the client's words.
pub(super) fn answer(client: Dialect, task: Task, answer: &Answer, label: &Label<'_>) -> Bytes {
    match client {
        Dialect::OpenAi | Dialect::Gemini => openai::encode::whole(task, answer, label),
        Dialect::Anthropic => anthropic::encode::whole(answer, label),
    }
}

/// The answer to a question for a prompt's length, by our own estimate.
pub fn count(input: Tokens) -> Bytes {
    anthropic::encode::count(input)
}

/// What the body of an error status says.
pub fn failure(provider: Dialect, status: u16, body: &[u8]) -> Failure {
    match provider {
        // They word errors alike, or wrap the same words: one reader knows all of them.
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Gemini => wording::failure(status, body),
    }
}

/// The body of an error status, for a client.
pub fn fault(client: Dialect, fault: &Fault) -> Bytes {
    match client {
        Dialect::OpenAi | Dialect::Gemini => openai::encode::fault(fault),
        Dialect::Anthropic => anthropic::encode::fault(fault),
    }
}

/// The event that ends a broken stream so that a client's SDK raises. No end mark may follow it.
pub fn fault_event(client: Dialect, fault: &Fault) -> Bytes {
    match client {
        Dialect::OpenAi | Dialect::Gemini => openai::encode::fault_event(fault),
        Dialect::Anthropic => anthropic::encode::fault_event(fault),
    }
}

/// The end mark of a stream that ended well, where the provider left it out.
pub(super) fn end(client: Dialect) -> Bytes {
    Bytes::from_static(match client {
        Dialect::OpenAi | Dialect::Gemini => openai::encode::DONE,
        Dialect::Anthropic => anthropic::encode::STOP,
    })
}

/// Whether the provider's own end mark is the client's, because it may hold more than the mark.
pub(super) fn keeps_end(client: Dialect) -> bool {
    client == Dialect::Anthropic
}

/// The frame without the fields that would set a client's event id or its reconnection time.
pub(super) fn unnumbered(frame: &Frame) -> Bytes {
    if frame.id.is_none() && frame.retry.is_none() {
        return frame.raw.clone();
    }
    let name = frame
        .event
        .as_deref()
        .and_then(|name| std::str::from_utf8(name).ok());
    sse::encode(name, frame.data.as_deref().unwrap_or_default())
}

/// The list of the routes, as this format lists models.
pub fn models<'a>(client: Dialect, routes: impl IntoIterator<Item = &'a str>) -> Bytes {
    match client {
        Dialect::OpenAi | Dialect::Gemini => openai::encode::models(routes),
        Dialect::Anthropic => anthropic::encode::models(routes),
    }
}

/// One route, as this format describes a model.
pub fn model(client: Dialect, route: &str) -> Bytes {
    match client {
        Dialect::OpenAi | Dialect::Gemini => openai::encode::model(route),
        Dialect::Anthropic => anthropic::encode::model(route),
    }
}
