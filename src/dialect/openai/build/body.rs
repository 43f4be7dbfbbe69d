//! A conversation written as the body of a chat request.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::message;
use crate::dialect::ask::{Recipient, Unfit};
use crate::dialect::profile::{Efforts, OutputName, TopK, UsageAsk};
use crate::exchange::{
    Conversation, Effort, Form, Format, Part, Sampled, Sampling, Source, Thinking, Tool, ToolChoice,
};
use crate::json::put_string;
use crate::units::Tokens;

/// Names that the client said and the body does not.
pub(super) type Unsaid = Vec<&'static str>;

/// The name of a schema that has none; the format wants one.
const SCHEMA_NAME: &str = "answer";

/// Writes the body.
pub(super) fn write(
    conversation: &Conversation<'_>,
    to: &Recipient<'_>,
) -> Result<(Bytes, Unsaid), Unfit> {
    let mut out = BytesMut::with_capacity(room(conversation));
    let mut unsaid = Unsaid::new();
    out.put_slice(b"{\"model\":");
    put_string(&mut out, to.model);
    out.put_slice(b",\"messages\":[");
    message::write(conversation, to, &mut out)?;
    out.put_u8(b']');
    tools(conversation, &mut out);
    format(&conversation.format, &mut out);
    limits(conversation, to, &mut out);
    sampling(&conversation.sampling, to, &mut out, &mut unsaid);
    if let Some(effort) = conversation.effort {
        match level(effort, to) {
            Some(level) => field(&mut out, "reasoning_effort", level),
            // What is to be thought about as the model sees fit needs no word.
            None if effort == Effort::Adaptive => {}
            None => unsaid.push("reasoning_effort"),
        }
    }
    if let Some(user) = &conversation.user {
        field(&mut out, "user", user);
    }
    if to.form == Form::Stream {
        out.put_slice(b",\"stream\":true");
        if to.profile.facts.usage == UsageAsk::Asked {
            out.put_slice(b",\"stream_options\":{\"include_usage\":true}");
        }
    }
    out.put_slice(message::ending(conversation, to).fields());
    out.put_u8(b'}');
    Ok((out.freeze(), unsaid))
}

/// About as many bytes as the body will have.
fn room(conversation: &Conversation<'_>) -> usize {
    fn of(part: &Part<'_>) -> usize {
        64 + match part {
            Part::Text(text) => text.len(),
            Part::Image { source, .. } | Part::Document { source, .. } => match source {
                Source::Inline { data, .. } => data.len(),
                Source::Url(text) | Source::Text(text) => text.len(),
            },
            Part::Audio { data, .. } => data.len(),
            Part::Reasoning { .. } => 0,
            Part::ToolCall { arguments, .. } => arguments.len() + 64,
            Part::ToolResult { parts, .. } => parts.iter().map(of).sum(),
        }
    }
    let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
    let said: usize = parts.map(of).sum();
    let system: usize = conversation.system.iter().map(|text| text.len()).sum();
    let schemas = conversation.tools.iter().filter_map(|tool| tool.schema);
    let tools: usize = schemas.map(|schema| schema.get().len() + 256).sum();
    // A sixteenth for escapes.
    let all = said + system + tools;
    all + all / 16 + 64 * conversation.turns.len() + 512
}

/// A field after others, with a text.
fn field(out: &mut BytesMut, name: &str, text: &str) {
    out.put_slice(b",\"");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\":");
    put_string(out, text);
}

/// A field after others, with raw JSON.
fn raw(out: &mut BytesMut, name: &str, json: &str) {
    out.put_slice(b",\"");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\":");
    out.put_slice(json.as_bytes());
}

fn flag(out: &mut BytesMut, name: &str, value: Option<bool>) {
    match value {
        Some(true) => raw(out, name, "true"),
        Some(false) => raw(out, name, "false"),
        None => {}
    }
}

fn tools(conversation: &Conversation<'_>, out: &mut BytesMut) {
    if conversation.tools.is_empty() {
        return;
    }
    out.put_slice(b",\"tools\":");
    let mut before = b'[';
    for one in &conversation.tools {
        out.put_u8(before);
        before = b',';
        tool(one, out);
    }
    out.put_u8(b']');
    if let Some(choice) = &conversation.tool_choice {
        out.put_slice(b",\"tool_choice\":");
        tool_choice(choice, out);
    }
    flag(out, "parallel_tool_calls", conversation.parallel_tools);
}

fn tool(tool: &Tool<'_>, out: &mut BytesMut) {
    out.put_slice(b"{\"type\":\"function\",\"function\":{\"name\":");
    put_string(out, &tool.name);
    if let Some(description) = &tool.description {
        field(out, "description", description);
    }
    if let Some(schema) = tool.schema {
        raw(out, "parameters", schema.get());
    }
    flag(out, "strict", tool.strict);
    out.put_slice(b"}}");
}

fn tool_choice(choice: &ToolChoice<'_>, out: &mut BytesMut) {
    match choice {
        ToolChoice::None => out.put_slice(b"\"none\""),
        ToolChoice::Auto => out.put_slice(b"\"auto\""),
        ToolChoice::Required => out.put_slice(b"\"required\""),
        ToolChoice::Named(name) => named(name, out),
        ToolChoice::Allowed { names, required } => {
            out.put_slice(b"{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":");
            put_string(out, if *required { "required" } else { "auto" });
            out.put_slice(b",\"tools\":[");
            for (at, name) in names.iter().enumerate() {
                if at > 0 {
                    out.put_u8(b',');
                }
                named(name, out);
            }
            out.put_slice(b"]}}");
        }
    }
}

fn named(name: &str, out: &mut BytesMut) {
    out.put_slice(b"{\"type\":\"function\",\"function\":{\"name\":");
    put_string(out, name);
    out.put_slice(b"}}");
}

fn format(format: &Format<'_>, out: &mut BytesMut) {
    match format {
        Format::Text => {}
        Format::Json => raw(out, "response_format", "{\"type\":\"json_object\"}"),
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            raw(
                out,
                "response_format",
                "{\"type\":\"json_schema\",\"json_schema\":{\"name\":",
            );
            let name = if name.is_empty() { SCHEMA_NAME } else { name };
            put_string(out, name);
            if let Some(description) = description {
                field(out, "description", description);
            }
            raw(out, "schema", schema.get());
            flag(out, "strict", *strict);
            out.put_slice(b"}}");
        }
    }
}

/// How long, until what, and how many.
fn limits(conversation: &Conversation<'_>, to: &Recipient<'_>, out: &mut BytesMut) {
    if let Some(Tokens(wished)) = conversation.max_output {
        let most = to.abilities.max_output.map_or(wished, |Tokens(most)| most);
        let name = match to.profile.facts.output {
            OutputName::Any | OutputName::Current => "max_completion_tokens",
            OutputName::Old => "max_tokens",
        };
        raw(out, name, &wished.min(most).to_string());
    }
    if !conversation.stop.is_empty() {
        out.put_slice(b",\"stop\":");
        let mut before = b'[';
        for text in &conversation.stop {
            out.put_u8(before);
            before = b',';
            put_string(out, text);
        }
        out.put_u8(b']');
    }
    if conversation.choices > 1 {
        raw(out, "n", &conversation.choices.to_string());
    }
}

fn sampling(sampling: &Sampling<'_>, to: &Recipient<'_>, out: &mut BytesMut, unsaid: &mut Unsaid) {
    let free = to.abilities.sampling == Sampled::Freely;
    let top_k = to.profile.facts.top_k == TopK::Taken;
    for (name, value, is_taken) in [
        ("temperature", sampling.temperature, free),
        ("top_p", sampling.top_p, free),
        ("top_k", sampling.top_k, free && top_k),
        ("seed", sampling.seed, true),
        ("presence_penalty", sampling.presence_penalty, free),
        ("frequency_penalty", sampling.frequency_penalty, free),
    ] {
        match value {
            Some(value) if is_taken => raw(out, name, value),
            Some(_) => unsaid.push(name),
            None => {}
        }
    }
}

/// The nearest level that the provider knows. Budgets become levels by the usual convention
/// (1,024, 8,192 and 24,576 tokens for low, medium and high).
fn level(effort: Effort, to: &Recipient<'_>) -> Option<&'static str> {
    if to.abilities.thinking == Thinking::Never {
        return None;
    }
    let exact = match effort {
        Effort::Adaptive => return None,
        Effort::Budget(Tokens(0)) => Effort::None,
        Effort::Budget(Tokens(..=1024)) => Effort::Low,
        Effort::Budget(Tokens(..=8192)) => Effort::Medium,
        Effort::Budget(_) => Effort::High,
        level => level,
    };
    let known = match (to.profile.facts.efforts, exact) {
        (Efforts::All, level) => level,
        (Efforts::LowToHigh, Effort::None) => return None,
        (_, Effort::Minimal) => Effort::Low,
        (_, Effort::XHigh | Effort::Max) => Effort::High,
        (_, level) => level,
    };
    Some(match known {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
        Effort::High | Effort::Budget(_) | Effort::Adaptive => "high",
    })
}
