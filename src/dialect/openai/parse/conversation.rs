//! A whole request in neutral words, borrowed from its body.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::{Place, field};
use super::text::Text;
use super::{message, tools};
use crate::dialect::ask::Unfit;
use crate::dialect::fate;
use crate::exchange::{
    Conversation, Effort, Format, Need, Part, Request, Sampling, Speaker, Task, Turn,
};
use crate::units::Tokens;

/// Reads all of a request.
///
/// # Errors
/// [`Unfit::Lacks`] for what has no neutral word and the caller relies on, [`Unfit::Unreadable`]
/// for a field that breaks the format's own rules.
pub fn conversation(request: &Request) -> Result<Conversation<'_>, Unfit> {
    if let Some(need) = fate::unspoken(request) {
        return Err(Unfit::Lacks(need));
    }
    let mut conversation = Conversation {
        max_output: request.max_output,
        choices: request.choices,
        sampling: sampling(request)?,
        stop: stop(request)?,
        user: user(request)?,
        ..Conversation::default()
    };
    match request.task {
        Task::Chat => {
            let messages = field(request, "messages").unwrap_or("[]");
            message::read(messages, &mut conversation)?;
            tools::read(request, &mut conversation)?;
            conversation.format = format(request)?;
            conversation.effort = effort(request)?;
        }
        Task::Completion => conversation.turns.push(Turn {
            speaker: Speaker::User,
            parts: vec![Part::Text(prompt(request)?)],
        }),
        Task::Embedding => return Err(Unfit::Lacks(Need::Embeddings)),
        Task::Count => return Err(Unfit::Lacks(Need::Native)),
    }
    Ok(conversation)
}

fn sampling(request: &Request) -> Result<Sampling<'_>, Unfit> {
    let number = |name| number(request, name);
    Ok(Sampling {
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        // Not `OpenAI`'s, but many servers' of its format.
        top_k: number("top_k")?,
        seed: number("seed")?,
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
    })
}

fn number<'a>(request: &'a Request, name: &'static str) -> Result<Option<&'a str>, Unfit> {
    let Some(json) = field(request, name) else {
        return Ok(None);
    };
    if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Ok(Some(json));
    }
    Err(Place::Field(name).refuse("must be a number"))
}

/// One text, or a list of them.
fn stop(request: &Request) -> Result<Vec<Cow<'_, str>>, Unfit> {
    let Some(json) = field(request, "stop") else {
        return Ok(Vec::new());
    };
    let at = Place::Field("stop");
    let texts = if json.starts_with('[') {
        at.read::<Vec<Text<'_>>>(json)?
    } else {
        vec![at.read(json)?]
    };
    Ok(texts.into_iter().filter_map(Text::filled).collect())
}

/// The newer name goes first.
fn user(request: &Request) -> Result<Option<Cow<'_, str>>, Unfit> {
    for name in ["safety_identifier", "user"] {
        if let Some(json) = field(request, name) {
            let text: Text<'_> = Place::Field(name).read(json)?;
            return Ok(text.filled());
        }
    }
    Ok(None)
}

/// `response_format`.
#[derive(Deserialize)]
struct Wanted<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    json_schema: Option<Wish<'a>>,
}

#[derive(Deserialize)]
struct Wish<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    strict: Option<bool>,
}

fn format(request: &Request) -> Result<Format<'_>, Unfit> {
    let Some(json) = field(request, "response_format") else {
        return Ok(Format::Text);
    };
    let at = Place::Field("response_format");
    let wanted: Wanted<'_> = at.read(json)?;
    match &*wanted.kind.0 {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let schema = wanted.json_schema;
            let schema = schema.ok_or_else(|| at.refuse("lacks its json_schema"))?;
            // Without one it asks for an object of any shape.
            let Some(json) = schema.schema else {
                return Ok(Format::Json);
            };
            Ok(Format::Schema {
                name: schema.name.map(|Text(name)| name).unwrap_or_default(),
                description: schema.description.map(|Text(text)| text),
                schema: json,
                strict: schema.strict,
            })
        }
        // Grammars and the like: what the caller goes on with.
        _ => Err(Unfit::Lacks(Need::Native)),
    }
}

/// `reasoning` of `OpenRouter`.
#[derive(Deserialize)]
struct Reasoning<'a> {
    #[serde(borrow)]
    effort: Option<Text<'a>>,
    max_tokens: Option<u64>,
}

/// What is no level that we know is a wish, and left to the model.
fn effort(request: &Request) -> Result<Option<Effort>, Unfit> {
    if let Some(json) = field(request, "reasoning_effort") {
        let word: Text<'_> = Place::Field("reasoning_effort").read(json)?;
        return Ok(level(&word.0));
    }
    let Some(json) = field(request, "reasoning") else {
        return Ok(None);
    };
    let reasoning: Reasoning<'_> = Place::Field("reasoning").read(json)?;
    let effort = reasoning.effort.and_then(|word| level(&word.0));
    let budget = reasoning
        .max_tokens
        .map(|budget| Effort::Budget(Tokens(budget)));
    Ok(effort.or(budget))
}

fn level(word: &str) -> Option<Effort> {
    Some(match word {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

/// The one text of a plain completion. Tokens belong to one tokenizer, and several prompts make
/// several answers: no conversation stands for these.
fn prompt(request: &Request) -> Result<Cow<'_, str>, Unfit> {
    let json = field(request, "prompt").ok_or(Unfit::Lacks(Need::Completions))?;
    if json.starts_with('"') {
        let text: Text<'_> = Place::Field("prompt").read(json)?;
        return Ok(text.0);
    }
    match serde_json::from_str::<[Text<'_>; 1]>(json) {
        Ok([Text(text)]) => Ok(text),
        Err(_) => Err(Unfit::Lacks(Need::Completions)),
    }
}
