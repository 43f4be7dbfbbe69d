//! A request for a provider of this format.
//!
//! What the API lacks: a tool must be named as it names them, stop texts are five at most,
//! candidates eight, and what lies behind an address must be known to Google, for nothing is
//! fetched here.

mod config;
mod contents;
mod tools;
mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;

use smallvec::{SmallVec, smallvec};

use self::write::Writer;
use super::model;
use crate::dialect::ask::{Ask, Dropped, Recipient, Unfit};
use crate::exchange::{Conversation, Form, Part, Source, Task};

/// What is written around the texts of a small conversation.
const AROUND: usize = 1024;

/// Writes a conversation.
///
/// # Errors
/// [`Unfit::Lacks`] for what the API cannot be told and the caller relies on.
pub fn translated(conversation: &Conversation<'_>, to: &Recipient<'_>) -> Result<Ask, Unfit> {
    let mut dropped = Dropped::new();
    let mut out = Vec::with_capacity(size(conversation));
    let mut body = Writer::object(&mut out);
    contents::system(conversation, &mut body);
    contents::contents(conversation, to, &mut body)?;
    tools::tools(conversation, to, &mut body)?;
    config::config(conversation, to, &mut body, &mut dropped)?;
    body.end();
    Ok(Ask {
        task: Task::Chat,
        path: path(to),
        headers: SmallVec::new(),
        body: smallvec![out.into()],
        dropped,
    })
}

/// Where a provider takes requests, below the path of its base URL: the model and what it is to do
/// are in it.
pub fn path(to: &Recipient<'_>) -> Cow<'static, str> {
    let mut path = String::from("/models/");
    for byte in model::bare(to.model).bytes() {
        let letter = char::from(byte);
        // What RFC 3986 leaves alone, and `@` before a version on Vertex.
        if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | '~' | '@') {
            path.push(letter);
        } else {
            // Writing to a string does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path.push_str(match to.form {
        Form::Whole => ":generateContent",
        Form::Stream => ":streamGenerateContent?alt=sse",
    });
    Cow::Owned(path)
}

/// About how long the body gets, so that it seldom moves while it grows.
fn size(conversation: &Conversation<'_>) -> usize {
    let system: usize = conversation.system.iter().map(|text| text.len()).sum();
    let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
    let turns: usize = parts.map(part_size).sum();
    let schema = |schema: &serde_json::value::RawValue| schema.get().len();
    let tools = conversation.tools.iter().map(|tool| {
        let words = tool.description.as_deref().map_or(0, str::len);
        words + tool.schema.map_or(0, schema) + 64
    });
    let tools: usize = tools.sum();
    // Some letters are escaped.
    AROUND + (system + turns + tools) / 8 * 9
}

fn part_size(part: &Part<'_>) -> usize {
    let about = match part {
        Part::Text(text) => text.len(),
        Part::Image { source, .. } | Part::Document { source, .. } => match source {
            Source::Inline { data, .. } => data.len(),
            Source::Url(text) | Source::Text(text) => text.len(),
        },
        Part::Audio { data, .. } => data.len(),
        Part::Reasoning { .. } => 0,
        Part::ToolCall {
            arguments,
            signature,
            ..
        } => arguments.len() + signature.as_deref().map_or(0, str::len) + 128,
        Part::ToolResult { parts, .. } => parts.iter().map(part_size).sum::<usize>() + 128,
    };
    about + 32
}
