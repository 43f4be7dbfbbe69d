//! One call for each thing a wire format can do, whichever it is: callers name no format.

use bytes::Bytes;

use super::carry::{Carry, Malformed, Segments, Sink};
use super::openai;
use super::promise::Promise;
use crate::exchange::{Dialect, Failure, Fault, Request};
use crate::sse::Frame;

/// Reads a client's request.
///
/// # Errors
/// A [`Fault`] of kind `BadRequest` that names the field to blame.
pub fn parse(dialect: Dialect, body: Bytes) -> Result<Request, Fault> {
    match dialect {
        Dialect::OpenAi => openai::parse::chat(body),
    }
}

/// What the request relies on an answer to be.
pub fn promise(request: &Request) -> Promise {
    match request.dialect {
        Dialect::OpenAi => openai::promise::promise(request),
    }
}

/// Where a provider of this format takes requests, below the path of its base URL.
pub fn path(provider: Dialect) -> &'static str {
    match provider {
        Dialect::OpenAi => openai::PATH,
    }
}

/// The body that asks a provider of this format for the model. It comes in pieces to be sent one
/// after the other; a long prompt is a slice of the request's body.
pub fn build(provider: Dialect, request: &Request, model: &str) -> Segments {
    match (request.dialect, provider) {
        (Dialect::OpenAi, Dialect::OpenAi) => openai::build::chat(request, model),
    }
}

/// Reads one attempt's stream.
#[derive(Debug)]
pub enum Stream {
    /// Chat Completions.
    OpenAi(openai::decode::Stream),
}

impl Stream {
    /// At the start of a stream of this format.
    pub fn new(provider: Dialect) -> Self {
        match provider {
            Dialect::OpenAi => Self::OpenAi(openai::decode::Stream::new()),
        }
    }

    /// Tells the sink what the frame says, at least one event for each frame, and how to carry
    /// the frame on.
    ///
    /// # Errors
    /// [`Malformed`], and then nothing has been told.
    pub fn frame(&mut self, frame: &Frame, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        match self {
            Self::OpenAi(stream) => stream.frame(frame, sink),
        }
    }

    /// Whether the answer has come to its own good end. Without it, the end of the connection or
    /// an end mark is a break.
    pub fn finished(&self) -> bool {
        match self {
            Self::OpenAi(stream) => stream.finished(),
        }
    }
}

/// Reads a whole answer and tells the sink its events. An error inside it is an event too.
///
/// # Errors
/// [`Malformed`], and then nothing has been told.
pub fn whole(provider: Dialect, body: &[u8], sink: &mut Sink<'_>) -> Result<(), Malformed> {
    match provider {
        Dialect::OpenAi => openai::decode::whole(body, sink),
    }
}

/// What the body of an error status says.
pub fn failure(provider: Dialect, status: u16, body: &[u8]) -> Failure {
    match provider {
        Dialect::OpenAi => openai::decode::failure(status, body),
    }
}

/// The body of an error status, for a client.
pub fn fault(client: Dialect, fault: &Fault) -> Bytes {
    match client {
        Dialect::OpenAi => openai::encode::fault(fault),
    }
}

/// The event that ends a broken stream so that a client's SDK raises. No end mark may follow it.
pub fn fault_event(client: Dialect, fault: &Fault) -> Bytes {
    match client {
        Dialect::OpenAi => openai::encode::fault_event(fault),
    }
}

/// The end mark of a stream that ended well.
pub fn end(client: Dialect) -> Bytes {
    match client {
        Dialect::OpenAi => Bytes::from_static(openai::encode::DONE),
    }
}

/// The list of the routes, as this format lists models.
pub fn models<'a>(client: Dialect, routes: impl IntoIterator<Item = &'a str>) -> Bytes {
    match client {
        Dialect::OpenAi => openai::encode::models(routes),
    }
}

/// One route, as this format describes a model.
pub fn model(client: Dialect, route: &str) -> Bytes {
    match client {
        Dialect::OpenAi => openai::encode::model(route),
    }
}
