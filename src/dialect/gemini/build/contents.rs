//! What was said: turns become contents that change between the user and the model.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::super::model;
use super::write::{Writer, string};
use crate::dialect::ask::{Recipient, Unfit};
use crate::exchange::{Conversation, Need, Part, Prefill, Source, Speaker, Turn};

/// What the API takes for the signature of a call that another model made (documentation,
/// "Thought signatures").
const BYPASS: &str = "skip_thought_signature_validator";
/// What a user says where one must speak and none did.
const FILLER: &str = ".";
/// What a user says after a turn of the model that is not to be gone on with in its words.
const GO_ON: &str = "Continue.";

/// Writes the instructions.
pub(super) fn system(conversation: &Conversation<'_>, body: &mut Writer<'_>) {
    let mut texts = conversation.system.iter().filter(|text| !text.is_empty());
    let Some(first) = texts.next() else { return };
    let mut system = Writer::object(body.key("systemInstruction"));
    let mut parts = Writer::list(system.key("parts"));
    for text in std::iter::once(first).chain(texts) {
        text_part(&mut parts, text);
    }
    parts.end();
    system.end();
}

/// Writes the turns. Neighbours of one side are merged, and of the user's parts the results of
/// calls come first: the API wants all of them in the content after the calls.
pub(super) fn contents(
    conversation: &Conversation<'_>,
    to: &Recipient<'_>,
    body: &mut Writer<'_>,
) -> Result<(), Unfit> {
    let mut list = Writer::list(body.key("contents"));
    let mut called = Called::new();
    let bypass = model::wants_signatures(to).then_some(BYPASS);
    let mut latest = None;
    let said = |turn: &&Turn<'_>| turn.parts.iter().any(says_something);
    let turns: Vec<_> = conversation.turns.iter().filter(said).collect();
    for group in turns.chunk_by(|one, next| side(one) == side(next)) {
        let Some(first) = group.first() else { continue };
        match side(first) {
            Side::User => user(group, &called, &mut list)?,
            Side::Model => {
                if latest.is_none() {
                    user_text(FILLER, &mut list);
                }
                assistant(group, &mut called, bypass, &mut list);
            }
        }
        latest = Some((side(first), group));
    }
    match latest {
        None => user_text(FILLER, &mut list),
        Some((Side::Model, group))
            if to.abilities.prefill != Prefill::Continues && !has_call(group) =>
        {
            user_text(GO_ON, &mut list);
        }
        Some(_) => {}
    }
    list.end();
    Ok(())
}

/// The names of the tools by the ids of their calls so far.
type Called<'c> = HashMap<&'c str, &'c str>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    User,
    Model,
}

/// Instructions between turns are the user's: there is no third role.
fn side(turn: &Turn<'_>) -> Side {
    match turn.speaker {
        Speaker::User | Speaker::System => Side::User,
        Speaker::Assistant => Side::Model,
    }
}

/// Thoughts are for the model that had them.
fn says_something(part: &Part<'_>) -> bool {
    match part {
        Part::Text(text)
        | Part::Document {
            source: Source::Text(text),
            ..
        } => !text.is_empty(),
        Part::Reasoning { .. } => false,
        Part::Image { .. }
        | Part::Document { .. }
        | Part::Audio { .. }
        | Part::ToolCall { .. }
        | Part::ToolResult { .. } => true,
    }
}

fn parts<'g, 'a>(group: &'g [&'g Turn<'a>]) -> impl Iterator<Item = &'g Part<'a>> + Clone {
    let parts = group.iter().flat_map(|turn| &turn.parts);
    parts.filter(|part| says_something(part))
}

fn has_call(group: &[&Turn<'_>]) -> bool {
    parts(group).any(|part| matches!(part, Part::ToolCall { .. }))
}

fn user_text(text: &str, list: &mut Writer<'_>) {
    let mut content = Writer::object(list.item());
    let mut parts = Writer::list(content.text("role", "user").key("parts"));
    text_part(&mut parts, text);
    parts.end();
    content.end();
}

fn user(group: &[&Turn<'_>], called: &Called<'_>, list: &mut Writer<'_>) -> Result<(), Unfit> {
    let mut content = Writer::object(list.item());
    let mut out = Writer::list(content.text("role", "user").key("parts"));
    let results = parts(group).filter_map(|part| match part {
        Part::ToolResult {
            id,
            parts,
            is_error,
        } => Some(Came {
            id,
            name: called.get(&**id).copied(),
            parts,
            is_error: *is_error,
        }),
        _ => None,
    });
    for came in results.clone() {
        // A result of no known call cannot be one here: it goes on as text, below.
        if let Some(name) = came.name {
            result(&came, name, &mut out);
        }
    }
    for came in results {
        if came.name.is_none() {
            let words = format!("Result of a tool call: {}", texts(came.parts));
            text_part(&mut out, &words);
        }
        attached(came.parts, &mut out)?;
    }
    for part in parts(group) {
        user_part(part, &mut out)?;
    }
    if out.is_empty() {
        text_part(&mut out, FILLER);
    }
    out.end();
    content.end();
    Ok(())
}

/// What a call came to.
struct Came<'p, 'a> {
    id: &'p str,
    /// The tool, if the call is known.
    name: Option<&'p str>,
    parts: &'p [Part<'a>],
    is_error: bool,
}

fn user_part(part: &Part<'_>, out: &mut Writer<'_>) -> Result<(), Unfit> {
    match part {
        Part::Text(text) => text_part(out, text),
        Part::Image { source, .. } => media(source, Need::Images, out)?,
        Part::Document { source, .. } => media(source, Need::Documents, out)?,
        Part::Audio { media_type, data } => inline(media_type, data, out),
        // Results have been written; the rest is not the user's to say.
        Part::ToolResult { .. } | Part::ToolCall { .. } | Part::Reasoning { .. } => {}
    }
    Ok(())
}

/// Writes the result of a call: an object as it is, anything else wrapped in one.
fn result(came: &Came<'_, '_>, name: &str, out: &mut Writer<'_>) {
    let text = texts(came.parts);
    let mut part = Writer::object(out.item());
    let mut result = Writer::object(part.key("functionResponse"));
    if !came.id.is_empty() {
        result.text("id", came.id);
    }
    result.text("name", name);
    match object(&text) {
        Some(json) if !came.is_error => {
            result.raw("response", json);
        }
        _ => {
            let mut response = Writer::object(result.key("response"));
            let key = if came.is_error { "error" } else { "output" };
            response.text(key, &text);
            response.end();
        }
    }
    result.end();
    part.end();
}

/// The text of a result.
fn texts<'p>(inner: &'p [Part<'_>]) -> Cow<'p, str> {
    let mut texts = inner.iter().filter_map(|part| match part {
        Part::Text(text)
        | Part::Document {
            source: Source::Text(text),
            ..
        } => Some(&**text),
        _ => None,
    });
    let first = texts.next().unwrap_or_default();
    match texts.next() {
        None => Cow::Borrowed(first),
        Some(second) => {
            let mut all = [first, second].join("\n");
            for text in texts {
                all.push('\n');
                all.push_str(text);
            }
            Cow::Owned(all)
        }
    }
}

/// Writes what a result has besides texts, which follows the results: older models take nothing
/// but an object in the result itself.
fn attached(inner: &[Part<'_>], out: &mut Writer<'_>) -> Result<(), Unfit> {
    let written = |part: &&Part<'_>| {
        let is_text = matches!(
            part,
            Part::Text(_)
                | Part::Document {
                    source: Source::Text(_),
                    ..
                }
        );
        !is_text
    };
    inner
        .iter()
        .filter(written)
        .try_for_each(|part| user_part(part, out))
}

/// Writes the model's turns. Of the calls side by side only the first has a signature.
fn assistant<'c>(
    group: &[&'c Turn<'_>],
    called: &mut Called<'c>,
    mut bypass: Option<&str>,
    list: &mut Writer<'_>,
) {
    let mut content = Writer::object(list.item());
    let mut out = Writer::list(content.text("role", "model").key("parts"));
    for part in group.iter().flat_map(|turn| &turn.parts) {
        match part {
            Part::Text(text) if !text.is_empty() => text_part(&mut out, text),
            Part::ToolCall {
                id,
                name,
                arguments,
                signature,
            } => {
                called.insert(id, name);
                let given = signature.as_deref().filter(|seal| !seal.is_empty());
                let seal = given.or(bypass);
                bypass = None;
                call((id, name), arguments, seal, &mut out);
            }
            Part::Image {
                source: Source::Inline { media_type, data },
                ..
            } => inline(media_type, data, &mut out),
            // Nothing else is the model's to say.
            _ => {}
        }
    }
    if out.is_empty() {
        text_part(&mut out, FILLER);
    }
    out.end();
    content.end();
}

fn call((id, name): (&str, &str), arguments: &str, seal: Option<&str>, out: &mut Writer<'_>) {
    let mut part = Writer::object(out.item());
    let mut call = Writer::object(part.key("functionCall"));
    if !id.is_empty() {
        call.text("id", id);
    }
    call.text("name", name);
    if let Some(json) = object(arguments) {
        call.raw("args", json);
    } else {
        // What is no object is kept as a text: a call is never dropped.
        let mut args = Writer::object(call.key("args"));
        if !arguments.trim().is_empty() {
            args.text("arguments", arguments);
        }
        args.end();
    }
    call.end();
    if let Some(seal) = seal {
        part.text("thoughtSignature", seal);
    }
    part.end();
}

/// The text, if it is a JSON object.
fn object(text: &str) -> Option<&str> {
    let text = text.trim();
    if !text.starts_with('{') {
        return None;
    }
    let value: &RawValue = serde_json::from_str(text).ok()?;
    Some(value.get())
}

fn text_part(parts: &mut Writer<'_>, text: &str) {
    if text.is_empty() {
        return;
    }
    let out = parts.item();
    out.extend_from_slice(b"{\"text\":");
    string(out, text);
    out.push(b'}');
}

fn media(source: &Source<'_>, need: Need, out: &mut Writer<'_>) -> Result<(), Unfit> {
    match source {
        Source::Inline { media_type, data } => inline(media_type, data, out),
        Source::Text(text) => text_part(out, text),
        Source::Url(url) => {
            let file = File::known(url).ok_or(Unfit::Lacks(need))?;
            let mut part = Writer::object(out.item());
            let mut data = Writer::object(part.key("fileData"));
            data.text("fileUri", url);
            if let File::Typed(media_type) = file {
                data.text("mimeType", media_type);
            }
            data.end();
            part.end();
        }
    }
    Ok(())
}

fn inline(media_type: &str, data: &str, out: &mut Writer<'_>) {
    let mut part = Writer::object(out.item());
    let mut inline = Writer::object(part.key("inlineData"));
    let media_type = if media_type.eq_ignore_ascii_case("image/jpg") {
        "image/jpeg"
    } else {
        media_type
    };
    inline.text("mimeType", media_type).text("data", data);
    inline.end();
    part.end();
}

/// A file that the API reaches by its address. Those of the open web it reaches only on some
/// models, and which is not documented.
enum File {
    /// It knows the type.
    Known,
    /// It must be told the type.
    Typed(&'static str),
}

impl File {
    fn known(url: &str) -> Option<Self> {
        const UPLOADED: &str = "https://generativelanguage.googleapis.com/";
        const VIDEOS: [&str; 2] = ["https://www.youtube.com/watch?", "https://youtu.be/"];
        if url.starts_with(UPLOADED) || VIDEOS.iter().any(|video| url.starts_with(video)) {
            return Some(Self::Known);
        }
        let (_, ending) = url.strip_prefix("gs://")?.rsplit_once('.')?;
        Some(Self::Typed(match &*ending.to_ascii_lowercase() {
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "webp" => "image/webp",
            "gif" => "image/gif",
            "pdf" => "application/pdf",
            "mp4" => "video/mp4",
            "mp3" => "audio/mp3",
            "wav" => "audio/wav",
            "txt" => "text/plain",
            _ => return None,
        }))
    }
}
