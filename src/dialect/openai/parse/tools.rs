//! `tools`, `tool_choice`, and `functions` and `function_call`, which came before them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::{Place, field};
use super::text::Text;
use crate::dialect::ask::Unfit;
use crate::exchange::{Conversation, Need, Request, Tool, ToolChoice};

/// An element of `tools`.
#[derive(Deserialize)]
struct Offer<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

/// A function, or an element of `functions`.
#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
}

/// `tool_choice` where it is no word.
#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    function: Option<Named<'a>>,
    #[serde(borrow)]
    allowed_tools: Option<Allowed<'a>>,
}

#[derive(Deserialize)]
struct Allowed<'a> {
    #[serde(borrow)]
    mode: Text<'a>,
    #[serde(borrow)]
    tools: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

/// Reads all of them into the conversation.
pub(super) fn read<'a>(request: &'a Request, into: &mut Conversation<'a>) -> Result<(), Unfit> {
    if let Some(json) = field(request, "tools") {
        for offer in Place::list::<Offer<'a>>("tools", json)? {
            // Free text under a grammar, or what the vendor runs itself.
            let function = offer.function.ok_or(Unfit::Lacks(Need::NativeTools))?;
            into.tools.push(function.tool());
        }
    }
    if let Some(json) = field(request, "functions") {
        let functions = Place::list::<Function<'a>>("functions", json)?;
        into.tools.extend(functions.into_iter().map(Function::tool));
    }
    into.tool_choice = match (
        field(request, "tool_choice"),
        field(request, "function_call"),
    ) {
        (Some(json), _) => choice(json, Place::Field("tool_choice"))?,
        (None, Some(json)) => function_choice(json, Place::Field("function_call"))?,
        (None, None) => None,
    };
    if let Some(json) = field(request, "parallel_tool_calls") {
        into.parallel_tools = Some(Place::Field("parallel_tool_calls").read(json)?);
    }
    Ok(())
}

impl<'a> Function<'a> {
    fn tool(self) -> Tool<'a> {
        Tool {
            name: self.name.0,
            description: self.description.map(|Text(text)| text),
            schema: self.parameters,
            strict: self.strict,
        }
    }
}

fn choice(json: &str, at: Place) -> Result<Option<ToolChoice<'_>>, Unfit> {
    if json.starts_with('"') {
        return word(json, at).map(Some);
    }
    let choice: Choice<'_> = at.read(json)?;
    if let Some(named) = choice.function {
        return Ok(Some(ToolChoice::Named(named.name.0)));
    }
    let allowed = choice
        .allowed_tools
        .ok_or(Unfit::Lacks(Need::NativeTools))?;
    let names = allowed
        .tools
        .into_iter()
        .map(|tool| Some(tool.function?.name.0));
    Ok(Some(ToolChoice::Allowed {
        names: names
            .collect::<Option<_>>()
            .ok_or(Unfit::Lacks(Need::NativeTools))?,
        required: allowed.mode.0 == "required",
    }))
}

fn word<'a>(json: &'a str, at: Place) -> Result<ToolChoice<'a>, Unfit> {
    let word: Text<'a> = at.read(json)?;
    match &*word.0 {
        "none" => Ok(ToolChoice::None),
        "auto" => Ok(ToolChoice::Auto),
        // `any` is Mistral's.
        "required" | "any" => Ok(ToolChoice::Required),
        _ => Err(at.refuse("is a word that other formats do not know")),
    }
}

/// `none`, `auto`, or a name without a type.
fn function_choice(json: &str, at: Place) -> Result<Option<ToolChoice<'_>>, Unfit> {
    if json.starts_with('"') {
        return word(json, at).map(Some);
    }
    let named: Named<'_> = at.read(json)?;
    Ok(Some(ToolChoice::Named(named.name.0)))
}
