//! The fields of a request that routing, limits and the gate need.

use bytes::Bytes;

use crate::dialect::field::{
    check_list, flag, index, integer, missing, model, present, refuse_lookalikes, wrong, wrong_type,
};
use crate::exchange::{Delivery, Dialect, Fault, FaultKind, Request, Task, UsageWish};
use crate::json::Fields;
use crate::units::Tokens;

/// The fields that are read here, and so must be the ones that a provider obeys.
const READ: [&str; 7] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
    "n",
];
/// The same for plain completions.
const READ_OF_COMPLETIONS: [&str; 6] = [
    "model",
    "prompt",
    "stream",
    "stream_options",
    "max_tokens",
    "n",
];
const STREAM_OPTIONS: &str = "stream_options";
const INCLUDE_USAGE: &str = "include_usage";
const MAX_OUTPUT: u64 = 1 << 32;
/// `OpenAI`'s own bound (API reference, `n`).
const MAX_CHOICES: u32 = 128;

/// Reads a client's request. A field that is `null` counts as absent.
///
/// # Errors
/// A [`Fault`] of kind `BadRequest` for whatever is wrong with a field that we read, and for a body
/// that is not one JSON object or has a name twice. What is wrong elsewhere is the provider's to say.
pub fn request(task: Task, body: Bytes) -> Result<Request, Fault> {
    let known: &[&'static str] = match task {
        Task::Chat => &READ,
        Task::Completion => &READ_OF_COMPLETIONS,
        Task::Embedding => &["model", "input"],
        // Another format's.
        Task::Count => return Err(Fault::new(FaultKind::NotFound, "no such path")),
    };
    let fields = index(&body, known)?;
    let value = |name: &str| present(&fields, &body, name);
    let model = model(value("model"))?;
    let asked = match task {
        Task::Chat => {
            check_list("messages", value("messages"), "message")?;
            Asked::read(&value)?
        }
        Task::Completion => {
            value("prompt").ok_or_else(|| missing("prompt"))?;
            Asked::read(&value)?
        }
        Task::Embedding | Task::Count => {
            value("input").ok_or_else(|| missing("input"))?;
            Asked::plain()
        }
    };
    Ok(Request {
        dialect: Dialect::OpenAi,
        task,
        model,
        delivery: asked.delivery,
        max_output: asked.max_output,
        choices: asked.choices,
        fields,
        body,
    })
}

/// Reads a request of `POST /v1/chat/completions`.
///
/// # Errors
/// As [`request`].
pub fn chat(body: Bytes) -> Result<Request, Fault> {
    request(Task::Chat, body)
}

/// What was read.
struct Asked {
    delivery: Delivery,
    max_output: Option<Tokens>,
    choices: u32,
}

impl Asked {
    fn plain() -> Self {
        Self {
            delivery: Delivery::Whole,
            max_output: None,
            choices: 1,
        }
    }

    fn read<'a>(value: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Self, Fault> {
        let delivery = delivery(value("stream"), value(STREAM_OPTIONS))?;
        let output = |name| integer(name, value(name), 1..=MAX_OUTPUT);
        let (completion, older) = (output("max_completion_tokens")?, output("max_tokens")?);
        let choices = integer("n", value("n"), 1..=MAX_CHOICES.into())?;
        Ok(Self {
            delivery,
            max_output: completion.or(older).map(Tokens),
            choices: choices
                .and_then(|choices| u32::try_from(choices).ok())
                .unwrap_or(1),
        })
    }
}

fn delivery(stream: Option<&[u8]>, options: Option<&[u8]>) -> Result<Delivery, Fault> {
    let streamed = flag("stream", stream)?.unwrap_or_default();
    let Some(options) = options else {
        let whole_or_stream = if streamed {
            Delivery::Stream(UsageWish::NotAsked)
        } else {
            Delivery::Whole
        };
        return Ok(whole_or_stream);
    };
    if !streamed {
        return Err(wrong(
            STREAM_OPTIONS,
            "is only allowed when 'stream' is true",
        ));
    }
    if !options.starts_with(b"{") {
        return Err(wrong_type(STREAM_OPTIONS, "an object", options));
    }
    let fields = Fields::index(options)
        .map_err(|invalid| wrong(STREAM_OPTIONS, format!("{invalid} of the object")))?;
    refuse_lookalikes(&fields, &[INCLUDE_USAGE])?;
    let include = present(&fields, options, INCLUDE_USAGE);
    Ok(Delivery::Stream(
        match flag("stream_options.include_usage", include)? {
            Some(true) => UsageWish::Asked,
            Some(false) | None => UsageWish::NotAsked,
        },
    ))
}
