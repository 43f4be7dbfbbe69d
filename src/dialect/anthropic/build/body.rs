//! The fields of a translated request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::thinking::{self, Thinking};
use super::tools::{self, Choice, Tool};
use super::turns::{self, Last, Message};
use super::{schema, wishes};
use crate::dialect::ask::{Dropped, Recipient, Unfit};
use crate::exchange::{Conversation, Form, Format, Need, Prefill};
use crate::units::Tokens;

/// What an answer may have where neither the client nor the catalogue says more.
const USUAL_OUTPUT: Tokens = Tokens(4096);
/// Stands for JSON mode, which this format lacks.
const JSON_MODE: &str = "Answer with one valid JSON object and nothing else: no words before or \
after it, and no code fence around it.";

/// The body, in the order in which it is written.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<System<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum System<'a> {
    One(&'a str),
    Several(Vec<SystemBlock<'a>>),
}

#[derive(Serialize)]
struct SystemBlock<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<JsonSchema<'a>>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    r#type: &'static str,
    schema: Cow<'a, RawValue>,
}

pub(super) fn body<'a>(
    conversation: &'a Conversation<'a>,
    to: &Recipient<'a>,
    dropped: &mut Dropped,
) -> Result<Body<'a>, Unfit> {
    let abilities = to.abilities;
    let (tools, tool_choice) = tools::tools(conversation, abilities, dropped)?;
    let most = abilities.max_output.unwrap_or(Tokens(u64::MAX));
    let usual = abilities.max_output.unwrap_or(USUAL_OUTPUT);
    let max_output = conversation
        .max_output
        .unwrap_or(usual)
        .min(most)
        .max(Tokens(1));
    let plan = thinking::plan(conversation, to, max_output, tool_choice.as_ref(), dropped);
    let format = format(conversation, to)?;
    let thinks = plan.thinking.as_ref().is_some_and(Thinking::thinks);
    let last = match abilities.prefill {
        Prefill::Continues if format.is_none() && !thinks => Last::Either,
        Prefill::Continues | Prefill::Refuses | Prefill::Unknown => Last::User,
    };
    let messages = turns::messages(conversation, last)?;
    let drawn = wishes::drawn(conversation, abilities, plan.thinking.as_ref(), dropped);
    let output_config = OutputConfig {
        effort: plan.effort,
        format,
    };
    Ok(Body {
        model: to.model,
        max_tokens: plan.max_output.0,
        stream: (to.form == Form::Stream).then_some(true),
        system: system(conversation),
        temperature: drawn.temperature,
        top_p: drawn.top_p,
        top_k: drawn.top_k,
        stop_sequences: stop(conversation)?,
        metadata: conversation
            .user
            .as_deref()
            .map(|user_id| Metadata { user_id }),
        thinking: plan.thinking,
        output_config: Some(output_config).filter(OutputConfig::says_anything),
        messages,
        tools,
        tool_choice,
    })
}

impl OutputConfig<'_> {
    fn says_anything(&self) -> bool {
        self.effort.is_some() || self.format.is_some()
    }
}

fn system<'a>(conversation: &'a Conversation<'a>) -> Option<System<'a>> {
    let told = conversation.system.iter().map(|text| &**text);
    let mode = matches!(conversation.format, Format::Json).then_some(JSON_MODE);
    let texts: Vec<&str> = told
        .filter(|text| !text.trim().is_empty())
        .chain(mode)
        .collect();
    match *texts.as_slice() {
        [] => None,
        [text] => Some(System::One(text)),
        ref texts => {
            let block = |text: &&'a str| SystemBlock {
                r#type: "text",
                text,
            };
            Some(System::Several(texts.iter().map(block).collect()))
        }
    }
}

fn format<'a>(
    conversation: &'a Conversation<'a>,
    to: &Recipient<'_>,
) -> Result<Option<JsonSchema<'a>>, Unfit> {
    let Format::Schema { schema, .. } = &conversation.format else {
        return Ok(None);
    };
    if to.abilities.lacks.has(Need::JsonSchema) {
        return Err(Unfit::Lacks(Need::JsonSchema));
    }
    match schema::narrowed(schema) {
        Some(schema) => Ok(Some(JsonSchema {
            r#type: "json_schema",
            schema,
        })),
        None => Err(Unfit::Lacks(Need::JsonSchema)),
    }
}

/// Blank ones are refused, and a text that the caller wants to stop at is not to be left out.
fn stop<'a>(conversation: &'a Conversation<'a>) -> Result<Vec<&'a str>, Unfit> {
    let stop = conversation.stop.iter().map(|text| &**text);
    let stop: Vec<&str> = stop.filter(|text| !text.is_empty()).collect();
    if stop.iter().any(|text| text.trim().is_empty()) {
        return Err(Unfit::Lacks(Need::Stop));
    }
    Ok(stop)
}
