//! An answer told as a stream: one frame an event, written in place.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};
use smallvec::SmallVec;

use super::piece::{Calls, finish, put_call_id, put_head, put_number, put_signature, put_usage};
use crate::dialect::voices::Voices;
use crate::exchange::{AsideKind, Event, Finish, Signed, Task, Usage, UsageWish};
use crate::json::put_string;

/// The end mark of a stream that ended well.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What follows the delta of most chunks.
const REST: &[u8] = b",\"logprobs\":null,\"finish_reason\":null}";

/// Tells an answer as a stream. Bounded by the calls and choices of the answer, of which every
/// reader bounds the number.
#[derive(Debug)]
pub struct Teller {
    task: Task,
    /// `data: {"id":…,"choices":[`
    head: Bytes,
    /// The answer's id, for those of its calls.
    id: Box<str>,
    usage_wish: UsageWish,
    choices: SmallVec<[Choice; 1]>,
    usage: Option<Usage>,
    failed: bool,
}

/// What has been told of one choice.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    finished: bool,
    calls: Vec<Call>,
}

/// What has been told of one call. Its place in the list is its index.
#[derive(Debug)]
struct Call {
    /// What its pieces are joined by.
    key: u32,
    is_named: bool,
}

impl Teller {
    /// At the start of an answer.
    pub fn new(voices: &Voices<'_>) -> Self {
        let object = match voices.task {
            Task::Completion => "text_completion",
            Task::Chat | Task::Embedding | Task::Count => "chat.completion.chunk",
        };
        let mut head = BytesMut::new();
        head.put_slice(b"data: ");
        put_head(voices.task, object, &voices.label, &mut head);
        Self {
            task: voices.task,
            head: head.freeze(),
            id: voices.label.id.into(),
            usage_wish: voices.usage_wish(),
            choices: SmallVec::new(),
            usage: None,
            failed: false,
        }
    }

    /// Writes the frames for the next event.
    pub fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        match event {
            Event::Started => drop(self.choice(0, out)),
            Event::Text { choice, text } if self.task == Task::Completion => {
                self.completion(*choice, text, out);
            }
            Event::Text { choice, text } => self.text(*choice, "content", text, out),
            Event::Reasoning { choice, text } => {
                self.text(*choice, "reasoning_content", text, out);
            }
            // A plain completion has no other place for it.
            Event::Refusal { choice, text } if self.task == Task::Completion => {
                self.completion(*choice, text, out);
            }
            Event::Refusal { choice, text } => self.text(*choice, "refusal", text, out),
            Event::ToolCall {
                choice,
                index,
                id,
                name,
                arguments,
            } => self.call(*choice, *index, id.as_ref(), name.as_ref(), arguments, out),
            Event::Signature { choice, of, text } => self.signature(*choice, *of, text, out),
            Event::Aside { choice, kind, json } => self.aside(*choice, *kind, json, out),
            // Sound and pictures have no neutral form: who asked for them is not served by another
            // format.
            Event::Media { choice } => drop(self.choice(*choice, out)),
            Event::Finished { choice, reason } => self.finish(*choice, *reason, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failed(_) => self.failed = true,
            // A comment, which all readers of the format pass over.
            Event::Ping if !self.choices.is_empty() => out.put_slice(b": ping\n\n"),
            Event::Ping | Event::End => {}
        }
    }

    /// Writes what ends it well.
    pub fn end(&mut self, out: &mut BytesMut) {
        if self.failed {
            return;
        }
        if let (UsageWish::Asked, Some(usage)) = (self.usage_wish, &self.usage) {
            out.put_slice(&self.head);
            out.put_slice(b"],\"usage\":");
            put_usage(out, usage);
            out.put_slice(b"}\n\n");
        }
        out.put_slice(DONE);
    }

    /// The place of a choice. Its first frame says who speaks.
    fn choice(&mut self, index: u32, out: &mut BytesMut) -> usize {
        let known = self.choices.iter().position(|one| one.index == index);
        known.unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                ..Choice::default()
            });
            if self.task != Task::Completion {
                self.open(index, out);
                out.put_slice(b"\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
                self.close(REST, out);
            }
            self.choices.len() - 1
        })
    }

    /// Begins a chunk of one choice, up to its delta's first field.
    fn open(&self, index: u32, out: &mut BytesMut) {
        out.put_slice(&self.head);
        out.put_slice(b"{\"index\":");
        put_number(out, index.into());
        out.put_slice(b",\"delta\":{");
    }

    /// Ends a chunk after its choice's delta.
    fn close(&self, rest: &[u8], out: &mut BytesMut) {
        out.put_slice(rest);
        let usage: &[u8] = if self.usage_wish == UsageWish::Asked {
            b"],\"usage\":null}\n\n"
        } else {
            b"]}\n\n"
        };
        out.put_slice(usage);
    }

    fn text(&mut self, index: u32, field: &str, text: &str, out: &mut BytesMut) {
        self.choice(index, out);
        if text.is_empty() || self.task == Task::Completion {
            return;
        }
        out.reserve(self.head.len() + text.len() + 128);
        self.open(index, out);
        out.put_u8(b'"');
        out.put_slice(field.as_bytes());
        out.put_slice(b"\":");
        put_string(out, text);
        out.put_u8(b'}');
        self.close(REST, out);
    }

    fn completion(&mut self, index: u32, text: &str, out: &mut BytesMut) {
        self.choice(index, out);
        if !text.is_empty() {
            self.completion_chunk(index, text, b"null", out);
        }
    }

    fn completion_chunk(&self, index: u32, text: &str, reason: &[u8], out: &mut BytesMut) {
        out.put_slice(&self.head);
        out.put_slice(b"{\"text\":");
        put_string(out, text);
        out.put_slice(b",\"index\":");
        put_number(out, index.into());
        out.put_slice(b",\"logprobs\":null,\"finish_reason\":");
        out.put_slice(reason);
        self.close(b"}", out);
    }

    fn call(
        &mut self,
        index: u32,
        key: u32,
        id: Option<&Cow<'_, str>>,
        name: Option<&Cow<'_, str>>,
        arguments: &str,
        out: &mut BytesMut,
    ) {
        let at = self.choice(index, out);
        let Some(choice) = self.choices.get_mut(at) else {
            return;
        };
        let known = choice.calls.iter().position(|call| call.key == key);
        let place = known.unwrap_or(choice.calls.len());
        if known.is_none() {
            choice.calls.push(Call {
                key,
                is_named: false,
            });
        }
        let call = choice.calls.get_mut(place);
        // Both come once, on the first piece: some servers repeat them.
        let name =
            name.filter(|_| call.is_some_and(|call| !std::mem::replace(&mut call.is_named, true)));
        if self.task == Task::Completion {
            return;
        }
        let told = u32::try_from(place).unwrap_or(u32::MAX);
        self.open_call(index, told, out);
        if known.is_none() {
            out.put_slice(b",\"id\":");
            let id = id.map_or("", |id| id);
            put_call_id(out, id, &self.id, index, told);
            out.put_slice(b",\"type\":\"function\"");
        }
        out.put_slice(b",\"function\":{");
        if let Some(name) = name {
            out.put_slice(b"\"name\":");
            put_string(out, name);
            out.put_u8(b',');
        }
        out.put_slice(b"\"arguments\":");
        put_string(out, arguments);
        out.put_slice(b"}}]}");
        self.close(REST, out);
    }

    fn open_call(&self, index: u32, told: u32, out: &mut BytesMut) {
        self.open(index, out);
        out.put_slice(b"\"tool_calls\":[{\"index\":");
        put_number(out, told.into());
    }

    /// Only a call's is told: that of thoughts matters to their own vendor, in its own format.
    fn signature(&mut self, index: u32, of: Signed, seal: &str, out: &mut BytesMut) {
        let Signed::Call(key) = of else {
            return;
        };
        let choice = self.choices.iter().find(|one| one.index == index);
        let place = choice.and_then(|choice| choice.calls.iter().position(|call| call.key == key));
        let told = place.and_then(|place| u32::try_from(place).ok());
        if let (Some(told), Task::Chat) = (told, self.task) {
            self.open_call(index, told, out);
            // The SDKs' accumulators take every piece of a call to have a function.
            out.put_slice(b",\"function\":{\"arguments\":\"\"},");
            put_signature(out, seal);
            out.put_slice(b"}]}");
            self.close(REST, out);
        }
    }

    fn aside(&mut self, index: u32, kind: AsideKind, json: &str, out: &mut BytesMut) {
        self.choice(index, out);
        if self.task != Task::Chat {
            return;
        }
        self.open(index, out);
        let (before, after): (&[u8], &[u8]) = match kind {
            AsideKind::LogProbs => (
                b"},\"logprobs\":{\"content\":",
                b",\"refusal\":null},\"finish_reason\":null}",
            ),
            AsideKind::RefusalLogProbs => (
                b"},\"logprobs\":{\"content\":null,\"refusal\":",
                b"},\"finish_reason\":null}",
            ),
            AsideKind::Annotations => (
                b"\"annotations\":",
                b"},\"logprobs\":null,\"finish_reason\":null}",
            ),
        };
        out.put_slice(before);
        put_line(out, json);
        self.close(after, out);
    }

    /// One chunk a choice: what a provider says of an end later is not told.
    fn finish(&mut self, index: u32, reason: Finish, out: &mut BytesMut) {
        let at = self.choice(index, out);
        let Some(choice) = self.choices.get_mut(at) else {
            return;
        };
        if std::mem::replace(&mut choice.finished, true) {
            return;
        }
        let calls = match self.task {
            Task::Completion => Calls::Untold,
            Task::Chat | Task::Embedding | Task::Count => Calls::of(choice.calls.len()),
        };
        let word = finish(reason, calls);
        if self.task == Task::Completion {
            self.completion_chunk(index, "", format!("\"{word}\"").as_bytes(), out);
            return;
        }
        self.open(index, out);
        out.put_slice(b"},\"logprobs\":null,\"finish_reason\":\"");
        out.put_slice(word.as_bytes());
        self.close(b"\"}", out);
    }
}

/// Raw JSON on one line: its line ends can only be whitespace between its tokens.
pub(super) fn put_line(out: &mut BytesMut, json: &str) {
    let lines = json.split(['\r', '\n']);
    lines.for_each(|line| out.put_slice(line.as_bytes()));
}
