//! The fields of a request that routing, limits and the gate need.

use bytes::Bytes;

use super::fault::{bad, missing, wrong, wrong_type};
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
/// Longer than any model's name, short enough for a log line.
const MAX_MODEL: usize = 256;
const MAX_OUTPUT: u64 = 1 << 32;
/// `OpenAI`'s own bound (API reference, `n`).
const MAX_CHOICES: u32 = 128;

/// Reads a client's request. A field that is `null` counts as absent.
///
/// # Errors
/// A [`Fault`] of kind `BadRequest` for whatever is wrong with a field that we read, and for a body
/// that is not one JSON object or has a name twice. What is wrong elsewhere is the provider's to say.
pub fn request(task: Task, body: Bytes) -> Result<Request, Fault> {
    let fields = Fields::index(&body)
        .map_err(|invalid| bad(format!("The body is not a valid JSON object: {invalid}.")))?;
    let value = |name: &str| present(&fields, &body, name);
    let asked = match task {
        Task::Chat => {
            refuse_lookalikes(&fields, &READ)?;
            let model = model(value("model"))?;
            check_messages(value("messages"))?;
            Asked::read(model, &value)?
        }
        Task::Completion => {
            refuse_lookalikes(&fields, &READ_OF_COMPLETIONS)?;
            let model = model(value("model"))?;
            value("prompt").ok_or_else(|| missing("prompt"))?;
            Asked::read(model, &value)?
        }
        Task::Embedding => {
            refuse_lookalikes(&fields, &["model", "input"])?;
            let model = model(value("model"))?;
            value("input").ok_or_else(|| missing("input"))?;
            Asked::plain(model)
        }
        // Another format's.
        Task::Count => return Err(Fault::new(FaultKind::NotFound, "no such path")),
    };
    Ok(Request {
        dialect: Dialect::OpenAi,
        task,
        model: asked.model,
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
    model: String,
    delivery: Delivery,
    max_output: Option<Tokens>,
    choices: u32,
}

impl Asked {
    fn plain(model: String) -> Self {
        Self {
            model,
            delivery: Delivery::Whole,
            max_output: None,
            choices: 1,
        }
    }

    fn read<'a>(model: String, value: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Self, Fault> {
        let delivery = delivery(value("stream"), value(STREAM_OPTIONS))?;
        let output = |name| integer(name, value(name), MAX_OUTPUT);
        let (completion, older) = (output("max_completion_tokens")?, output("max_tokens")?);
        let choices = integer("n", value("n"), MAX_CHOICES.into())?;
        Ok(Self {
            model,
            delivery,
            max_output: completion.or(older).map(Tokens),
            choices: choices
                .and_then(|choices| u32::try_from(choices).ok())
                .unwrap_or(1),
        })
    }
}

/// Some servers match names without regard to case (Go's `encoding/json`, and with it Ollama) and
/// obey the last match: `"Model"` after `"model"` would be a model that nobody here has seen.
fn refuse_lookalikes(fields: &Fields, known: &[&'static str]) -> Result<(), Fault> {
    for name in fields.names() {
        let alike = |known: &&&str| **known != name && folded(name).eq(known.chars());
        if let Some(known) = known.iter().find(alike) {
            let name = name.escape_debug();
            return Err(bad(format!(
                "Unknown parameter: '{name}'. It is spelt '{known}'."
            ))
            .param(*known));
        }
    }
    Ok(())
}

/// As `encoding/json` folds it: the two letters beyond ASCII that fold into it are the long s and
/// the Kelvin sign.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    })
}

fn present<'a>(fields: &Fields, document: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields
        .value(document, name)
        .filter(|value| *value != b"null")
}

fn model(value: Option<&[u8]>) -> Result<String, Fault> {
    let value = value.ok_or_else(|| missing("model"))?;
    if !value.starts_with(b"\"") {
        return Err(wrong_type("model", "a string", value));
    }
    let model: String = serde_json::from_slice(value)
        .map_err(|_| wrong("model", "must be text: half a surrogate pair is none"))?;
    if model.is_empty() {
        return Err(wrong("model", "must not be empty"));
    }
    if model.len() > MAX_MODEL {
        return Err(wrong(
            "model",
            format!("must have at most {MAX_MODEL} bytes"),
        ));
    }
    if model.contains(char::is_control) {
        return Err(wrong("model", "must not contain control characters"));
    }
    Ok(model)
}

/// There must be a message; what is in it is between the client and the provider.
fn check_messages(value: Option<&[u8]>) -> Result<(), Fault> {
    let value = value.ok_or_else(|| missing("messages"))?;
    let Some(items) = value.strip_prefix(b"[") else {
        return Err(wrong_type("messages", "an array", value));
    };
    if items.trim_ascii_start().starts_with(b"]") {
        return Err(wrong("messages", "must contain at least one message"));
    }
    Ok(())
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

fn flag(param: &'static str, value: Option<&[u8]>) -> Result<Option<bool>, Fault> {
    match value {
        None => Ok(None),
        Some(b"true") => Ok(Some(true)),
        Some(b"false") => Ok(Some(false)),
        Some(value) => Err(wrong_type(param, "a boolean", value)),
    }
}

fn integer(param: &'static str, value: Option<&[u8]>, most: u64) -> Result<Option<u64>, Fault> {
    let Some(value) = value else {
        return Ok(None);
    };
    if !value.starts_with(b"-") && !value.first().is_some_and(u8::is_ascii_digit) {
        return Err(wrong_type(param, "an integer", value));
    }
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|digits| digits.parse().ok());
    match number {
        Some(number) if (1..=most).contains(&number) => Ok(Some(number)),
        _ => Err(wrong(param, format!("must be an integer from 1 to {most}"))),
    }
}
