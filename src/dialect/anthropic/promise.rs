//! What a request relies on: `output_config.format` (or the older `output_format`), and `tools`.

use serde::Deserialize;

use super::text::Text;
use crate::dialect::promise::{Offered, Promise, PromisedText, ToolInput};
use crate::exchange::Request;
use crate::json::Top;

#[derive(Deserialize)]
struct OutputConfig<'a> {
    #[serde(borrow)]
    format: Option<Format<'a>>,
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
}

/// An element of `tools`. Whoever runs it: one without a name is a set of them.
#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

/// Reads the promise. What cannot be read promises nothing: it is for the provider to refuse.
pub fn promise(request: &Request) -> Promise {
    Promise {
        text: text(request),
        tools: tools(request),
    }
}

fn text(request: &Request) -> PromisedText {
    let config = read::<OutputConfig<'_>>(request, "output_config");
    let format = config
        .and_then(|config| config.format)
        .or_else(|| read(request, "output_format"));
    match format {
        Some(Format { kind }) if kind.is("json_schema") => PromisedText::Json(Top::Any),
        Some(_) | None => PromisedText::Plain,
    }
}

fn tools(request: &Request) -> Option<Vec<Offered>> {
    let tools = match request.fields.value(&request.body, "tools") {
        None | Some(b"null") => Vec::new(),
        Some(_) => read::<Vec<Tool<'_>>>(request, "tools")?,
    };
    let offered = |tool: Tool<'_>| Offered {
        name: tool.name.0.into_owned(),
        input: ToolInput::Json,
    };
    Some(tools.into_iter().map(offered).collect())
}

fn read<'a, T: Deserialize<'a>>(request: &'a Request, name: &str) -> Option<T> {
    let value = request.fields.value(&request.body, name)?;
    serde_json::from_slice(value).ok()
}
