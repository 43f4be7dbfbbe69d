//! The tools, and which of them must or may be called.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;

use super::schema;
use crate::dialect::anthropic::input::raw;
use crate::dialect::ask::Dropped;
use crate::dialect::ask::Unfit;
use crate::exchange::{self, Abilities, Conversation, Need, Part, ToolChoice};

/// The schema of a tool of which none is known.
const ANYTHING: &str = r#"{"type":"object"}"#;
/// The most tools that may be strict at once.
const MAX_STRICT: usize = 20;

/// An element of `tools`.
#[derive(Serialize)]
pub(super) struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// The field `tool_choice`.
#[derive(Serialize)]
pub(super) struct Choice<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

impl Choice<'_> {
    /// Whether a call must be made.
    pub(super) fn forces(&self) -> bool {
        matches!(self.r#type, "any" | "tool")
    }
}

/// Whether tools may be strict.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Kept,
    /// More than the API takes.
    TooMany,
}

type Offer<'a> = (Vec<Tool<'a>>, Option<Choice<'a>>);

/// Tools and choice. A history with calls has tools even where the client offers none.
pub(super) fn tools<'a>(
    conversation: &'a Conversation<'a>,
    abilities: &Abilities,
    dropped: &mut Dropped,
) -> Result<Offer<'a>, Unfit> {
    let wanted = conversation.tool_choice.as_ref();
    let allowed = |tool: &&exchange::Tool<'_>| match wanted {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    };
    let offered: Vec<_> = conversation.tools.iter().filter(allowed).collect();
    let strict = offered.iter().filter(|tool| tool.strict == Some(true));
    let strictness = if strict.count() > MAX_STRICT {
        Strictness::TooMany
    } else {
        Strictness::Kept
    };
    let tools: Vec<_> = offered
        .into_iter()
        .map(|of| tool(of, strictness, dropped))
        .collect();
    if tools.is_empty() {
        let tools = remembered(conversation);
        let choice = (!tools.is_empty()).then(|| plain("none"));
        return Ok((tools, choice));
    }
    let mut choice = wanted.map(choice);
    if choice.as_ref().is_some_and(Choice::forces) && abilities.lacks.has(Need::ToolChoice) {
        return Err(Unfit::Lacks(Need::ToolChoice));
    }
    if conversation.parallel_tools == Some(false) && wanted != Some(&ToolChoice::None) {
        let choice = choice.get_or_insert_with(|| plain("auto"));
        choice.disable_parallel_tool_use = Some(true);
    }
    Ok((tools, choice))
}

fn plain(kind: &'static str) -> Choice<'static> {
    Choice {
        r#type: kind,
        name: None,
        disable_parallel_tool_use: None,
    }
}

fn choice<'a>(choice: &'a ToolChoice<'a>) -> Choice<'a> {
    match choice {
        ToolChoice::None => plain("none"),
        ToolChoice::Auto
        | ToolChoice::Allowed {
            required: false, ..
        } => plain("auto"),
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => plain("any"),
        ToolChoice::Named(name) => Choice {
            name: Some(name),
            ..plain("tool")
        },
    }
}

fn tool<'a>(
    tool: &'a exchange::Tool<'a>,
    strictness: Strictness,
    dropped: &mut Dropped,
) -> Tool<'a> {
    let loose = tool.schema.map_or(Cow::Borrowed(raw(ANYTHING)), rooted);
    let wished = tool.strict == Some(true);
    let strict = tool
        .schema
        .filter(|_| wished && strictness == Strictness::Kept)
        .and_then(schema::narrowed);
    if wished && strict.is_none() {
        dropped.push(format!("tools.{}.strict", tool.name).into());
    }
    Tool {
        name: &tool.name,
        description: tool.description.as_deref(),
        strict: strict.is_some().then_some(true),
        input_schema: strict.unwrap_or(loose),
    }
}

/// The schema with the type that its root must have.
fn rooted(schema: &RawValue) -> Cow<'_, RawValue> {
    #[derive(serde::Deserialize)]
    struct Root<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    match serde_json::from_str(schema.get()) {
        Ok(Root { kind: Some(_) }) => return Cow::Borrowed(schema),
        Ok(Root { kind: None }) => {}
        Err(_) => return Cow::Borrowed(raw(ANYTHING)),
    }
    let rest = schema.get().trim_start_matches('{').trim_start();
    let comma = if rest.starts_with('}') { "" } else { "," };
    RawValue::from_string(format!(r#"{{"type":"object"{comma}{rest}"#))
        .map_or(Cow::Borrowed(raw(ANYTHING)), Cow::Owned)
}

/// The tools that the history has calls of.
fn remembered<'a>(conversation: &'a Conversation<'a>) -> Vec<Tool<'a>> {
    let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
    let mut known = HashSet::new();
    let called = parts.filter_map(|part| match part {
        Part::ToolCall { name, .. } => Some(&**name),
        _ => None,
    });
    called
        .filter(|name| known.insert(*name))
        .map(|name| Tool {
            name,
            description: None,
            input_schema: Cow::Borrowed(raw(ANYTHING)),
            strict: None,
        })
        .collect()
}
