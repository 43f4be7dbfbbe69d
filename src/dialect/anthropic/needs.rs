//! What a request of this format needs.

use std::borrow::Cow;

use crate::dialect::prompt::{Piece, Pieces, Prompt};
use crate::exchange::{Need, Needs, Request};
use crate::json::{Invalid, Walk, Written};

/// What only the vendor has.
const NATIVE: [&str; 3] = ["container", "mcp_servers", "context_management"];

/// What the top of a request tells.
pub(in crate::dialect) fn named(request: &Request) -> Needs {
    let value = |name: &str| value(request, name);
    let mut needs = Needs::NONE;
    let mut need = |need: Need, there: bool| {
        if there {
            needs = needs.with(need);
        }
    };
    if let Some(tools) = value("tools") {
        let _ = Walk::new(tools).items(|walk| {
            let kind = string(walk.pass()?, "type");
            let own = kind.is_none_or(|kind| kind == "custom");
            need(if own { Need::Tools } else { Need::NativeTools }, true);
            Ok(())
        });
    }
    let choice = value("tool_choice").and_then(|choice| string(choice, "type"));
    let forced = matches!(choice.as_deref(), Some("any" | "tool"));
    need(Need::ToolChoice, forced);
    let mut schema = value("output_format").is_some();
    let mut effort = false;
    if let Some(config) = value("output_config") {
        let _ = Walk::new(config).fields(|walk, name| {
            match &*name.text() {
                "format" => schema |= walk.peek() == Some(b'{'),
                "effort" => effort |= walk.peek() == Some(b'"'),
                _ => {}
            }
            Ok(())
        });
    }
    need(Need::JsonSchema, schema);
    let thinking = value("thinking").and_then(|thinking| string(thinking, "type"));
    let thinks = thinking.is_some_and(|kind| kind != "disabled");
    need(Need::Reasoning, thinks || effort);
    need(Need::Stop, value("stop_sequences").is_some_and(filled));
    let native = |name: &&str| value(name).is_some_and(|value| value != b"[]" && value != b"{}");
    need(Need::Native, NATIVE.iter().any(native));
    needs
}

/// The schema of the JSON that is asked for.
pub(in crate::dialect) fn schema(request: &Request) -> Option<&[u8]> {
    let format = value(request, "output_config").and_then(|config| field(config, "format"));
    field(
        format.or_else(|| value(request, "output_format"))?,
        "schema",
    )
}

/// A field of an object.
fn field<'a>(value: &'a [u8], field: &str) -> Option<&'a [u8]> {
    let mut found = None;
    let _ = Walk::new(value).fields(|walk, name| {
        if name.text() == field {
            found = Some(walk.pass()?);
        }
        Ok(())
    });
    found
}

/// Walks over the prompt.
pub(in crate::dialect) fn prompt(request: &Request, pieces: &mut Pieces<'_>) -> Prompt {
    let mut found = Prompt::default();
    // The document has been checked: no walk ends early.
    if let Some(system) = value(request, "system") {
        let _ = content(&mut Walk::new(system), &mut found, pieces);
    }
    if let Some(messages) = value(request, "messages") {
        let _ = Walk::new(messages).items(|walk| {
            found.turns += 1;
            walk.fields(|walk, name| match &*name.text() {
                "content" => content(walk, &mut found, pieces),
                _ => Ok(()),
            })
        });
    }
    found
}

fn content(
    walk: &mut Walk<'_>,
    found: &mut Prompt,
    pieces: &mut Pieces<'_>,
) -> Result<(), Invalid> {
    if walk.peek() != Some(b'[') {
        tell(walk.string()?, pieces);
        return Ok(());
    }
    let mut calls = 0_u32;
    walk.items(|walk| {
        let block = Block::read(walk)?;
        match block.kind.map(Written::text).as_deref() {
            Some("tool_use") => {
                calls += 1;
                found.needs = found.needs.with(Need::Tools);
                tell(block.name, pieces);
                if let Some(input) = block.input {
                    pieces(Piece::Json(input));
                }
            }
            Some("tool_result") => {
                found.needs = found.needs.with(Need::Tools);
                if let Some(result) = block.content {
                    inner(&mut Walk::new(result), found, pieces)?;
                }
            }
            // What was thought is not always read again.
            Some("thinking" | "redacted_thinking") | None => {}
            Some(kind) => simple(kind, &block, found, pieces),
        }
        Ok(())
    })?;
    if calls > 1 {
        found.needs = found.needs.with(Need::ParallelTools);
    }
    Ok(())
}

/// What a tool's result holds.
fn inner(walk: &mut Walk<'_>, found: &mut Prompt, pieces: &mut Pieces<'_>) -> Result<(), Invalid> {
    if walk.peek() != Some(b'[') {
        tell(walk.string()?, pieces);
        return Ok(());
    }
    walk.items(|walk| {
        let block = Block::read(walk)?;
        if let Some(kind) = block.kind {
            simple(&kind.text(), &block, found, pieces);
        }
        Ok(())
    })
}

/// A block without others in it.
fn simple(kind: &str, block: &Block<'_>, found: &mut Prompt, pieces: &mut Pieces<'_>) {
    let need = match kind {
        "text" => {
            tell(block.text, pieces);
            return;
        }
        "image" => Need::Images,
        "document" => Need::Documents,
        _ => {
            found.needs = found.needs.with(Need::Native);
            return;
        }
    };
    found.media += 1;
    found.needs = found.needs.with(need);
    if block.source.is_some_and(|source| source.text() == "file") {
        found.needs = found.needs.with(Need::Native);
    }
}

/// A block, as far as it tells what it is.
#[derive(Default)]
struct Block<'a> {
    kind: Option<Written<'a>>,
    text: Option<Written<'a>>,
    name: Option<Written<'a>>,
    /// The kind of its source.
    source: Option<Written<'a>>,
    input: Option<&'a [u8]>,
    content: Option<&'a [u8]>,
}

impl<'a> Block<'a> {
    fn read(walk: &mut Walk<'a>) -> Result<Self, Invalid> {
        let mut block = Self::default();
        walk.fields(|walk, name| {
            match &*name.text() {
                "type" => block.kind = walk.string()?,
                "text" => block.text = walk.string()?,
                "name" => block.name = walk.string()?,
                "input" => block.input = Some(walk.pass()?),
                "content" => block.content = Some(walk.pass()?),
                "source" => walk.fields(|walk, name| {
                    if name.text() == "type" {
                        block.source = walk.string()?;
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(block)
    }
}

fn tell(text: Option<Written<'_>>, pieces: &mut Pieces<'_>) {
    if let Some(text) = text {
        pieces(Piece::Text(text));
    }
}

/// A string field of an object.
fn string<'a>(value: &'a [u8], field: &str) -> Option<Cow<'a, str>> {
    let mut found = None;
    let _ = Walk::new(value).fields(|walk, name| {
        if name.text() == field {
            found = walk.string()?.map(Written::text);
        }
        Ok(())
    });
    found
}

/// Whether there is something in an array.
fn filled(value: &[u8]) -> bool {
    let rest = value.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| !rest.starts_with(b"]"))
}

fn value<'a>(request: &'a Request, name: &str) -> Option<&'a [u8]> {
    let value = request.fields.value(&request.body, name);
    value.filter(|value| *value != b"null")
}
