//! The tools that the model may call, and which of them it must.

use super::super::{model, schema};
use super::write::{Writer, string};
use crate::dialect::ask::{Recipient, Unfit};
use crate::exchange::{Conversation, Need, Tool, ToolChoice};

/// The longest name of a function.
const MAX_NAME: usize = 128;

/// Writes the declarations, all in one entry, and the choice among them.
pub(super) fn tools(
    conversation: &Conversation<'_>,
    to: &Recipient<'_>,
    body: &mut Writer<'_>,
) -> Result<(), Unfit> {
    if conversation.tools.is_empty() {
        return Ok(());
    }
    let mut list = Writer::list(body.key("tools"));
    let mut entry = Writer::object(list.item());
    let mut declarations = Writer::list(entry.key("functionDeclarations"));
    for tool in &conversation.tools {
        if offered(tool, conversation.tool_choice.as_ref()) {
            declare(tool, to, &mut declarations)?;
        }
    }
    declarations.end();
    entry.end();
    list.end();
    if let Some(choice) = &conversation.tool_choice {
        choose(choice, body);
    }
    Ok(())
}

/// Names narrow the choice only where a call must be made; where it may be, the tools that are not
/// allowed are left out.
fn offered(tool: &Tool<'_>, choice: Option<&ToolChoice<'_>>) -> bool {
    match choice {
        Some(ToolChoice::Allowed {
            names,
            required: false,
        }) => names.contains(&tool.name),
        _ => true,
    }
}

fn declare(tool: &Tool<'_>, to: &Recipient<'_>, list: &mut Writer<'_>) -> Result<(), Unfit> {
    if !is_name(&tool.name) {
        return Err(Unfit::Lacks(Need::Tools));
    }
    let mut declaration = Writer::object(list.item());
    declaration.text("name", &tool.name);
    if let Some(description) = &tool.description {
        declaration.text("description", description);
    }
    let schema = tool.schema.filter(|schema| schema.get().starts_with('{'));
    if let Some(schema) = schema {
        if model::wants_subset(to) {
            let subset = schema::subset(schema).map_err(|_| Unfit::Lacks(Need::Tools))?;
            // An object without fields is refused there, and no parameters mean the same.
            if subset.contains("\"properties\"") {
                declaration.raw("parameters", &subset);
            }
        } else {
            declaration.raw("parametersJsonSchema", &schema::without_marks(schema));
        }
    }
    declaration.end();
    Ok(())
}

/// Whether the API takes the name of a function: answers would come back with another one if it
/// were changed.
fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    begins && name.len() <= MAX_NAME && name.bytes().all(plain)
}

fn choose(choice: &ToolChoice<'_>, body: &mut Writer<'_>) {
    let (mode, names) = match choice {
        ToolChoice::None => ("NONE", &[][..]),
        ToolChoice::Auto
        | ToolChoice::Allowed {
            required: false, ..
        } => ("AUTO", &[][..]),
        ToolChoice::Required => ("ANY", &[][..]),
        ToolChoice::Named(name) => ("ANY", std::slice::from_ref(name)),
        ToolChoice::Allowed { names, .. } => ("ANY", &names[..]),
    };
    let mut config = Writer::object(body.key("toolConfig"));
    let mut calling = Writer::object(config.key("functionCallingConfig"));
    calling.text("mode", mode);
    if !names.is_empty() {
        let mut list = Writer::list(calling.key("allowedFunctionNames"));
        for name in names {
            string(list.item(), name);
        }
        list.end();
    }
    calling.end();
    config.end();
}
