//! The turns of a conversation written as `messages`.

use std::borrow::Cow;

use bytes::{BufMut as _, BytesMut};

use super::ids;
use crate::dialect::ask::{Recipient, Unfit};
use crate::dialect::profile::{self, History};
use crate::exchange::{Conversation, Need, Part, Prefill, Source, Speaker, Turn};
use crate::json::{put_string, put_text};

/// Asked of a model that would begin anew where the conversation ends with its own words.
const GO_ON: &str = "Continue from where you left off.";

/// Before the result of a tool that failed: the format has no field for it.
const FAILED: &str = "Error: ";

/// What is done where the conversation ends with the model's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing: it does not, or the model goes on by itself.
    Plain,
    /// The model is told by two fields of the request.
    Told,
    /// The model is asked by one more message.
    Asked,
}

impl Ending {
    /// What it adds to the fields of the request.
    pub(super) fn fields(self) -> &'static [u8] {
        match self {
            Self::Plain | Self::Asked => b"",
            Self::Told => b",\"continue_final_message\":true,\"add_generation_prompt\":false",
        }
    }
}

/// What is done at this conversation's end.
pub(super) fn ending(conversation: &Conversation<'_>, to: &Recipient<'_>) -> Ending {
    let last = conversation.turns.last();
    let is_open = last.is_some_and(|turn| {
        let calls = |part: &Part<'_>| matches!(part, Part::ToolCall { .. });
        turn.speaker == Speaker::Assistant && !turn.parts.iter().any(calls)
    });
    match (to.profile.facts.ending, to.abilities.prefill) {
        _ if !is_open => Ending::Plain,
        (profile::Ending::Anew, _) | (_, Prefill::Refuses) => Ending::Asked,
        (profile::Ending::Continued, _) => Ending::Plain,
        (profile::Ending::ContinuedWhenTold, _) => Ending::Told,
    }
}

/// Writes all messages, with commas between.
pub(super) fn write(
    conversation: &Conversation<'_>,
    to: &Recipient<'_>,
    out: &mut BytesMut,
) -> Result<(), Unfit> {
    let mut messages = Messages {
        out,
        to,
        first: true,
    };
    if !conversation.system.is_empty() {
        let texts: Vec<_> = conversation.system.iter().collect();
        messages.open("system");
        messages.joined(&texts);
        messages.close();
    }
    let mut turns = conversation.turns.as_slice();
    while let Some(first) = turns.first() {
        let is_run = first.speaker == Speaker::User;
        let length = if is_run {
            let others = turns
                .iter()
                .take_while(|turn| turn.speaker == Speaker::User);
            others.count()
        } else {
            1
        };
        let (run, rest) = turns.split_at(length);
        turns = rest;
        match first.speaker {
            Speaker::User => messages.user(run)?,
            Speaker::Assistant => messages.assistant(first),
            Speaker::System => messages.system(first),
        }
    }
    if ending(conversation, to) == Ending::Asked {
        messages.open("user");
        put_string(messages.out, GO_ON);
        messages.close();
    }
    Ok(())
}

struct Messages<'o, 'r> {
    out: &'o mut BytesMut,
    to: &'o Recipient<'r>,
    first: bool,
}

impl Messages<'_, '_> {
    /// Begins a message, up to its content.
    fn open(&mut self, role: &str) {
        if !self.first {
            self.out.put_u8(b',');
        }
        self.first = false;
        self.out.put_slice(b"{\"role\":\"");
        self.out.put_slice(role.as_bytes());
        self.out.put_slice(b"\",\"content\":");
    }

    fn close(&mut self) {
        self.out.put_u8(b'}');
    }

    /// Texts one after the other, a blank line between, as one string.
    fn joined(&mut self, texts: &[&Cow<'_, str>]) {
        self.out.put_u8(b'"');
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                self.out.put_slice(b"\\n\\n");
            }
            put_text(self.out, text);
        }
        self.out.put_u8(b'"');
    }

    fn system(&mut self, turn: &Turn<'_>) {
        let texts = texts(&turn.parts);
        if texts.is_empty() {
            return;
        }
        self.open("system");
        self.joined(&texts);
        self.close();
    }

    /// Turns of the user's with nothing between. The results go first, all of them: between calls
    /// and their results nothing may stand.
    fn user(&mut self, turns: &[Turn<'_>]) -> Result<(), Unfit> {
        let parts = || turns.iter().flat_map(|turn| &turn.parts);
        for part in parts() {
            if let Part::ToolResult {
                id,
                parts,
                is_error,
            } = part
            {
                self.result(id, parts, if *is_error { FAILED } else { "" })?;
            }
        }
        for part in parts() {
            if let Part::ToolResult { id, parts, .. } = part {
                self.pictures(id, parts)?;
            }
        }
        for turn in turns {
            let said: Vec<_> = turn
                .parts
                .iter()
                .filter(|part| !matches!(part, Part::ToolResult { .. }))
                .collect();
            if said.is_empty() && !turn.parts.is_empty() {
                continue;
            }
            self.open("user");
            match said.as_slice() {
                [] => self.out.put_slice(b"\"\""),
                [Part::Text(text)] => put_string(self.out, text),
                said => self.list(said)?,
            }
            self.close();
        }
        Ok(())
    }

    /// A `tool` message: text alone.
    fn result(&mut self, id: &str, parts: &[Part<'_>], prefix: &str) -> Result<(), Unfit> {
        self.open("tool");
        self.out.put_u8(b'"');
        self.out.put_slice(prefix.as_bytes());
        for (at, part) in parts.iter().enumerate() {
            let text = match part {
                Part::Text(text)
                | Part::Document {
                    source: Source::Text(text),
                    ..
                } => text,
                // They follow in a message of the user's.
                Part::Image { .. } | Part::Document { .. } => continue,
                Part::Audio { .. } => return Err(Unfit::Lacks(Need::AudioIn)),
                Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => {
                    continue;
                }
            };
            if at > 0 {
                self.out.put_slice(b"\\n\\n");
            }
            put_text(self.out, text);
        }
        self.out.put_slice(b"\",\"tool_call_id\":");
        let id = ids::fitting(id, self.to.profile.facts.tool_ids);
        put_string(self.out, &id);
        self.close();
        Ok(())
    }

    /// What a `tool` message cannot hold, with a note to which call it belongs.
    fn pictures(&mut self, id: &str, parts: &[Part<'_>]) -> Result<(), Unfit> {
        let is_picture = |part: &&Part<'_>| {
            let text = matches!(
                part,
                Part::Document {
                    source: Source::Text(_),
                    ..
                }
            );
            matches!(part, Part::Image { .. } | Part::Document { .. }) && !text
        };
        let mut pictures: Vec<_> = parts.iter().filter(is_picture).collect();
        if pictures.is_empty() {
            return Ok(());
        }
        let id = ids::fitting(id, self.to.profile.facts.tool_ids);
        let note = Part::Text(Cow::Owned(format!("Of the result of tool call {id}:")));
        pictures.insert(0, &note);
        self.open("user");
        self.list(&pictures)?;
        self.close();
        Ok(())
    }

    /// The parts of a user's message.
    fn list(&mut self, parts: &[&Part<'_>]) -> Result<(), Unfit> {
        let mut before = b'[';
        for part in parts {
            self.out.put_u8(before);
            before = b',';
            self.part(part)?;
        }
        self.out.put_u8(b']');
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>) -> Result<(), Unfit> {
        match part {
            Part::Text(text) => self.text(text),
            Part::Image { source, detail } => {
                self.out
                    .put_slice(b"{\"type\":\"image_url\",\"image_url\":{\"url\":");
                self.url(source);
                if let Some(detail) = detail {
                    self.out.put_slice(b",\"detail\":");
                    put_string(self.out, detail);
                }
                self.out.put_slice(b"}}");
            }
            Part::Document { source, name } => self.document(source, name.as_deref())?,
            Part::Audio { media_type, data } => {
                self.out
                    .put_slice(b"{\"type\":\"input_audio\",\"input_audio\":{\"data\":");
                put_string(self.out, data);
                self.out.put_slice(b",\"format\":");
                put_string(self.out, sound(media_type));
                self.out.put_slice(b"}}");
            }
            // None is the user's to say.
            Part::Reasoning { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => {
                self.text("");
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.out.put_slice(b"{\"type\":\"text\",\"text\":");
        put_string(self.out, text);
        self.out.put_u8(b'}');
    }

    /// A data URL, or the address.
    fn url(&mut self, source: &Source<'_>) {
        match source {
            Source::Url(url) => put_string(self.out, url),
            Source::Inline { media_type, data } => {
                self.out.put_slice(b"\"data:");
                put_text(self.out, media_type);
                self.out.put_slice(b";base64,");
                put_text(self.out, data);
                self.out.put_u8(b'"');
            }
            Source::Text(text) => put_string(self.out, text),
        }
    }

    fn document(&mut self, source: &Source<'_>, name: Option<&str>) -> Result<(), Unfit> {
        match source {
            // The format has no files at an address.
            Source::Url(_) => return Err(Unfit::Lacks(Need::Documents)),
            Source::Text(text) => self.text(text),
            Source::Inline { .. } => {
                self.out
                    .put_slice(b"{\"type\":\"file\",\"file\":{\"filename\":");
                put_string(self.out, name.unwrap_or("document.pdf"));
                self.out.put_slice(b",\"file_data\":");
                self.url(source);
                self.out.put_slice(b"}}");
            }
        }
        Ok(())
    }

    fn assistant(&mut self, turn: &Turn<'_>) {
        let texts = texts(&turn.parts);
        let is_call = |part: &&Part<'_>| matches!(part, Part::ToolCall { .. });
        let calls: Vec<_> = turn.parts.iter().filter(is_call).collect();
        if texts.is_empty() && calls.is_empty() {
            // Thoughts alone, which say nothing to another model.
            return;
        }
        self.open("assistant");
        if texts.is_empty() {
            self.out.put_slice(b"null");
        } else {
            self.joined(&texts);
        }
        if self.to.profile.facts.history == History::Reasoning && !calls.is_empty() {
            self.reasoning(turn);
        }
        if !calls.is_empty() {
            self.out.put_slice(b",\"tool_calls\":");
            let mut before = b'[';
            for call in calls {
                self.out.put_u8(before);
                before = b',';
                self.call(call);
            }
            self.out.put_u8(b']');
        }
        self.close();
    }

    /// The thoughts of this provider's own making: another vendor's have its seal.
    fn reasoning(&mut self, turn: &Turn<'_>) {
        let own = turn.parts.iter().filter_map(|part| match part {
            Part::Reasoning { text, signature } => {
                let sealed = signature.as_deref().is_some_and(|seal| !seal.is_empty());
                (!sealed).then_some(text)
            }
            _ => None,
        });
        let own: Vec<_> = own.collect();
        if !own.is_empty() {
            self.out.put_slice(b",\"reasoning_content\":");
            self.joined(&own);
        }
    }

    fn call(&mut self, call: &Part<'_>) {
        let Part::ToolCall {
            id,
            name,
            arguments,
            signature,
        } = call
        else {
            return;
        };
        let facts = &self.to.profile.facts;
        self.out.put_slice(b"{\"id\":");
        put_string(self.out, &ids::fitting(id, facts.tool_ids));
        self.out
            .put_slice(b",\"type\":\"function\",\"function\":{\"name\":");
        put_string(self.out, name);
        self.out.put_slice(b",\"arguments\":");
        let arguments = if arguments.is_empty() {
            "{}"
        } else {
            arguments
        };
        put_string(self.out, arguments);
        self.out.put_u8(b'}');
        if let Some(signature) = signature
            && facts.history == History::Signatures
        {
            self.out
                .put_slice(b",\"extra_content\":{\"google\":{\"thought_signature\":");
            put_string(self.out, signature);
            self.out.put_slice(b"}}");
        }
        self.out.put_u8(b'}');
    }
}

/// The texts that are not empty.
fn texts<'p, 'a>(parts: &'p [Part<'a>]) -> Vec<&'p Cow<'a, str>> {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    });
    texts.collect()
}

/// The format's word for a kind of sound.
fn sound(media_type: &str) -> &str {
    match media_type.rsplit('/').next() {
        Some("mpeg" | "mpeg3" | "mp3" | "x-mp3") => "mp3",
        Some("x-wav" | "wave" | "vnd.wave" | "wav") | None => "wav",
        Some(other) => other,
    }
}
