//! What a request relies on: `response_format`, `tools`, and `functions`, which came before them.

use std::borrow::Cow;

use serde::Deserialize;

use crate::dialect::promise::{Offered, Promise, PromisedText, ToolInput};
use crate::exchange::Request;
use crate::json::Top;

/// `response_format`.
#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// An element of `tools`. One that is neither may be called by a name that we cannot know.
#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    function: Option<Named<'a>>,
    #[serde(borrow)]
    custom: Option<Named<'a>>,
}

/// A function or custom tool, or an element of `functions`.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Reads the promise. What cannot be read promises nothing: it is for the provider to refuse.
pub fn promise(request: &Request) -> Promise {
    Promise {
        text: text(request),
        tools: tools(request),
    }
}

fn text(request: &Request) -> PromisedText {
    let format = read::<Format<'_>>(request, "response_format");
    match format.as_ref().map(|format| format.kind.as_ref()) {
        Some("json_object") => PromisedText::Json(Top::Object),
        // Compatible servers take schemas of any kind at the top.
        Some("json_schema") => PromisedText::Json(Top::Any),
        Some(_) | None => PromisedText::Plain,
    }
}

fn tools(request: &Request) -> Option<Vec<Offered>> {
    let tools = list::<Tool<'_>>(request, "tools")?.into_iter().map(offered);
    let functions = list::<Named<'_>>(request, "functions")?
        .into_iter()
        .map(|named| Some(named.with(ToolInput::Json)));
    tools.chain(functions).collect()
}

fn offered(tool: Tool<'_>) -> Option<Offered> {
    let function = tool.function.map(|named| named.with(ToolInput::Json));
    function.or_else(|| Some(tool.custom?.with(ToolInput::Text)))
}

impl Named<'_> {
    fn with(self, input: ToolInput) -> Offered {
        Offered {
            name: self.name.into_owned(),
            input,
        }
    }
}

/// The elements of a list that may be left out; `None` if it is no list of such elements.
fn list<'a, T: Deserialize<'a>>(request: &'a Request, name: &str) -> Option<Vec<T>> {
    match request.fields.value(&request.body, name) {
        None | Some(b"null") => Some(Vec::new()),
        Some(_) => read(request, name),
    }
}

fn read<'a, T: Deserialize<'a>>(request: &'a Request, name: &str) -> Option<T> {
    let value = request.fields.value(&request.body, name)?;
    serde_json::from_slice(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::openai::parse;

    fn of(fields: &str) -> Promise {
        let body = format!(r#"{{"model":"m","messages":[{{}}]{fields}}}"#);
        promise(&parse::chat(body.into()).unwrap())
    }

    #[test]
    fn the_format_tells_what_the_text_must_be() {
        for (format, expected) in [
            (r#"{"type":"json_object"}"#, PromisedText::Json(Top::Object)),
            (
                r#"{"json_schema":{"name":"n","schema":{}},"type":"json_schem\u0061"}"#,
                PromisedText::Json(Top::Any),
            ),
            (r#"{"type":"text"}"#, PromisedText::Plain),
            (r#"{"type":7}"#, PromisedText::Plain),
            (r#""json_object""#, PromisedText::Plain),
            ("{}", PromisedText::Plain),
            ("null", PromisedText::Plain),
        ] {
            let promise = of(&format!(r#","response_format":{format}"#));
            assert_eq!(promise.text, expected, "{format}");
        }
        assert_eq!(of("").text, PromisedText::Plain);
    }

    #[test]
    fn the_tools_that_may_be_called_are_known_or_none_is() {
        let json = |name: &str| (name.to_owned(), ToolInput::Json);
        let text = |name: &str| (name.to_owned(), ToolInput::Text);
        for (fields, expected) in [
            ("", Some(vec![])),
            (r#","tools":null,"functions":[]"#, Some(vec![])),
            (
                r#","tools":[{"type":"function","function":{"name":"a","parameters":{"name":1}}},{"type":"custom","custom":{"name":"b"}}]"#,
                Some(vec![json("a"), text("b")]),
            ),
            (
                r#","functions":[{"name":"\u0061"}],"tools":[{"function":{"name":"b"},"custom":null}]"#,
                Some(vec![json("b"), json("a")]),
            ),
            (r#","tools":[{"type":"web_search"}]"#, None),
            (r#","tools":[{"function":{"name":"a"}},{}]"#, None),
            (r#","tools":[{"function":{}}]"#, None),
            (r#","tools":{}"#, None),
            (r#","functions":[1]"#, None),
        ] {
            let found = of(fields).tools.map(|tools| {
                let pairs = tools.into_iter().map(|tool| (tool.name, tool.input));
                pairs.collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{fields}");
        }
    }
}
