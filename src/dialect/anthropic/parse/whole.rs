//! All fields of a request, in neutral words.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::blocks;
use crate::dialect::anthropic::text::Text;
use crate::dialect::ask::Unfit;
use crate::exchange::{
    Conversation, Effort, Format, Need, Request, Sampling, Speaker, Tool, ToolChoice, Turn,
};
use crate::units::Tokens;

/// What a schema is called by formats that want a name: this one has none.
const SCHEMA_NAME: &str = "response";

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct ToolField<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    input_schema: Option<&'a RawValue>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Deserialize)]
struct Thinking<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    budget_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct OutputConfig<'a> {
    #[serde(borrow)]
    effort: Option<Text<'a>>,
    #[serde(borrow)]
    format: Option<FormatField<'a>>,
}

#[derive(Deserialize)]
struct FormatField<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Management<'a> {
    #[serde(borrow)]
    edits: Option<Vec<Kind<'a>>>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
}

pub(super) fn conversation(request: &Request) -> Result<Conversation<'_>, Unfit> {
    check_native(request)?;
    let config = field::<OutputConfig<'_>>(request, "output_config")?.unwrap_or_default();
    let older = field::<FormatField<'_>>(request, "output_format")?;
    let (tool_choice, parallel_tools) = tool_choice(request)?;
    let metadata = field::<Metadata<'_>>(request, "metadata")?;
    let stop: Option<Vec<Text<'_>>> = field(request, "stop_sequences")?;
    Ok(Conversation {
        system: system(request)?,
        turns: turns(request)?,
        tools: tools(request)?,
        tool_choice,
        parallel_tools,
        format: format(config.format.or(older))?,
        max_output: max_output(request)?,
        stop: stop
            .unwrap_or_default()
            .into_iter()
            .map(|it| it.0)
            .collect(),
        sampling: Sampling {
            temperature: number(request, "temperature")?,
            top_p: number(request, "top_p")?,
            top_k: number(request, "top_k")?,
            ..Sampling::default()
        },
        effort: effort(request, config.effort.as_ref())?,
        user: metadata.and_then(|data| data.user_id).map(|id| id.0),
        choices: 1,
    })
}

/// State and features that Anthropic keeps. Clearing old thoughts and tool results from the context
/// is none of them: it saves tokens, and an answer does not rely on it.
fn check_native(request: &Request) -> Result<(), Unfit> {
    let native = Err(Unfit::Lacks(Need::Native));
    let servers: Option<Vec<&RawValue>> = field(request, "mcp_servers")?;
    if servers.is_some_and(|servers| !servers.is_empty()) || value(request, "container").is_some() {
        return native;
    }
    let management = field::<Management<'_>>(request, "context_management")?;
    let edits = management.and_then(|it| it.edits).unwrap_or_default();
    let clears = |edit: &Kind<'_>| edit.kind.0.starts_with("clear_");
    if edits.iter().all(clears) {
        Ok(())
    } else {
        native
    }
}

/// Nothing is to be said (`max_tokens` 0 only warms Anthropic's cache): no other format can.
fn max_output(request: &Request) -> Result<Option<Tokens>, Unfit> {
    match request.max_output {
        Some(Tokens(0)) => Err(Unfit::Lacks(Need::Native)),
        bound => Ok(bound),
    }
}

fn system(request: &Request) -> Result<Vec<Cow<'_, str>>, Unfit> {
    let Some(content) = value(request, "system") else {
        return Ok(Vec::new());
    };
    let texts = if content.starts_with('[') {
        let blocks: Vec<blocks::Words<'_>> = parsed(content, "system")?;
        blocks
            .into_iter()
            .map(blocks::Words::text)
            .collect::<Option<_>>()
    } else {
        let text: Text<'_> = parsed(content, "system")?;
        Some(vec![text.0])
    };
    let mut texts: Vec<_> = texts.ok_or_else(|| Unfit::unreadable("system", "must be text"))?;
    texts.retain(|text| !text.is_empty());
    Ok(texts)
}

fn turns(request: &Request) -> Result<Vec<Turn<'_>>, Unfit> {
    let messages: Vec<Message<'_>> = field(request, "messages")?.unwrap_or_default();
    let mut turns = Vec::with_capacity(messages.len());
    for (at, message) in messages.into_iter().enumerate() {
        let speaker = match &*message.role.0 {
            "user" => Speaker::User,
            "assistant" => Speaker::Assistant,
            "system" => Speaker::System,
            _ => {
                let param = format!("messages.{at}.role");
                return Err(Unfit::unreadable(param, "must be 'user' or 'assistant'"));
            }
        };
        let parts = blocks::parts(message.content, at)?;
        turns.push(Turn { speaker, parts });
    }
    Ok(turns)
}

fn tools(request: &Request) -> Result<Vec<Tool<'_>>, Unfit> {
    let tools: Vec<ToolField<'_>> = field(request, "tools")?.unwrap_or_default();
    let tools = tools.into_iter().enumerate();
    tools.map(|(at, field)| tool(at, field)).collect()
}

fn tool(at: usize, field: ToolField<'_>) -> Result<Tool<'_>, Unfit> {
    // Anthropic's own tools have a dated type.
    if field.kind.is_some_and(|kind| !kind.is("custom")) {
        return Err(Unfit::Lacks(Need::NativeTools));
    }
    let name = field.name.map(|name| name.0);
    Ok(Tool {
        name: name.ok_or_else(|| Unfit::unreadable(format!("tools.{at}.name"), "must be there"))?,
        description: field.description.map(|text| text.0),
        schema: field.input_schema,
        strict: field.strict,
    })
}

type Wish<'a> = (Option<ToolChoice<'a>>, Option<bool>);

fn tool_choice(request: &Request) -> Result<Wish<'_>, Unfit> {
    let Some(choice) = field::<Choice<'_>>(request, "tool_choice")? else {
        return Ok((None, None));
    };
    let parallel = choice.disable_parallel_tool_use.map(|disabled| !disabled);
    let choice = match (&*choice.kind.0, choice.name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Named(name.0),
        _ => {
            return Err(Unfit::unreadable(
                "tool_choice",
                "must be a choice that is known",
            ));
        }
    };
    Ok((Some(choice), parallel))
}

fn format(format: Option<FormatField<'_>>) -> Result<Format<'_>, Unfit> {
    match format {
        None => Ok(Format::Text),
        Some(FormatField {
            kind,
            schema: Some(schema),
        }) if kind.is("json_schema") => Ok(Format::Schema {
            name: Cow::Borrowed(SCHEMA_NAME),
            description: None,
            schema,
            strict: Some(true),
        }),
        Some(_) => Err(Unfit::unreadable(
            "output_config.format",
            "must be a JSON schema",
        )),
    }
}

/// A level goes before the budget that older models want beside it. A kind of thinking that is not
/// known is a wish like any other: left out.
fn effort(request: &Request, level: Option<&Text<'_>>) -> Result<Option<Effort>, Unfit> {
    let thinking = field::<Thinking<'_>>(request, "thinking")?;
    let level = level.and_then(|level| match &*level.0 {
        "none" => Some(Effort::None),
        "minimal" => Some(Effort::Minimal),
        "low" => Some(Effort::Low),
        "medium" => Some(Effort::Medium),
        "high" => Some(Effort::High),
        "xhigh" => Some(Effort::XHigh),
        "max" => Some(Effort::Max),
        _ => None,
    });
    let Some(thinking) = thinking else {
        return Ok(level);
    };
    Ok(match (&*thinking.kind.0, thinking.budget_tokens) {
        ("disabled", _) => Some(Effort::None),
        ("adaptive", _) => level.or(Some(Effort::Adaptive)),
        ("between_tools", _) => level.or(Some(Effort::Minimal)),
        ("enabled", Some(budget)) => level.or(Some(Effort::Budget(Tokens(budget)))),
        _ => level,
    })
}

fn number<'a>(request: &'a Request, name: &'static str) -> Result<Option<&'a str>, Unfit> {
    match value(request, name) {
        Some(number) if !number.starts_with(|it: char| it == '-' || it.is_ascii_digit()) => {
            Err(Unfit::unreadable(name, "must be a number"))
        }
        number => Ok(number),
    }
}

/// A field that may be absent, or null.
fn field<'a, T: Deserialize<'a>>(
    request: &'a Request,
    name: &'static str,
) -> Result<Option<T>, Unfit> {
    value(request, name)
        .map(|json| parsed(json, name))
        .transpose()
}

fn value<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let value = request.fields.value(&request.body, name)?;
    // The index has checked that all of it is UTF-8.
    std::str::from_utf8(value)
        .ok()
        .filter(|json| *json != "null")
}

fn parsed<'a, T: Deserialize<'a>>(json: &'a str, name: &'static str) -> Result<T, Unfit> {
    // What serde says may quote the value.
    serde_json::from_str(json).map_err(|_| Unfit::unreadable(name, "must be of this API's shape"))
}
