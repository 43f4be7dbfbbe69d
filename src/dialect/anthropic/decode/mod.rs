//! A provider's answer to events: a stream frame by frame, or a whole one.
//!
//! Looks only as deep as the gate, the ledger and another format need. What it does not know it
//! ignores: the vendor adds events, blocks and deltas without a version change.

mod read;
mod usage;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::error::Category;
use smallvec::SmallVec;

use self::read::{Block, BlockKind, Delta, Document, Message, Top};
use self::usage::Totals;
use crate::dialect::carry::{Carry, Malformed, Sink};
use crate::dialect::failure;
use crate::exchange::{Event, Failure, Finish, Signed, Task};
use crate::sse::Frame;

/// The format has one answer.
const CHOICE: u32 = 0;
/// The most blocks that may be open at once: the format has one, some of its imitators more.
const MAX_OPEN: usize = 64;
/// The most blocks of a whole answer.
const MAX_BLOCKS: usize = 8192;

/// Reads one attempt's stream. Bounded: it keeps a few bytes for each open block, of which there
/// are at most 64, and the input that a block may begin with.
#[derive(Debug, Default)]
pub struct Stream {
    started: bool,
    ended: bool,
    failed: bool,
    open: SmallVec<[Open; 1]>,
    /// How many calls there were.
    calls: u32,
    usage: Totals,
}

/// An open block.
#[derive(Debug)]
struct Open {
    index: u32,
    call: Option<Call>,
}

/// An open block that is a call.
#[derive(Debug)]
struct Call {
    index: u32,
    /// What it begins with, in case that no more comes; the official SDKs do the same.
    input: Option<String>,
}

impl Stream {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the sink what the frame says, at least one event for each frame, and how to carry
    /// the frame on. After an error nothing of the frame has been told or counted.
    pub fn frame(&mut self, frame: &Frame, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        let name = frame.event.as_deref();
        if name == Some(b"error") {
            let data = frame.data.as_deref().unwrap_or_default();
            return Ok(self.fail(failure::of_event(data), sink));
        }
        // A frame goes to the client as it came, and clients decode every line of it.
        std::str::from_utf8(&frame.raw).map_err(|_| Malformed::NotUtf8)?;
        let Some(data) = &frame.data else {
            sink(Event::Ping);
            return Ok(Carry::Comment);
        };
        let text = std::str::from_utf8(data).map_err(|_| Malformed::NotUtf8)?;
        let document: Document<'_> = object(text)?;
        if document.is_error() {
            return Ok(self.fail(failure::of_event(data), sink));
        }
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        match Top::of(&document, name).ok_or(Malformed::Shape)? {
            Top::MessageStart => self.start(&document, sink),
            Top::BlockStart => self.open(&document, sink),
            Top::BlockDelta => self.delta(&document, sink),
            Top::BlockStop => Ok(self.close(&document, sink)),
            Top::MessageDelta => self.message_delta(&document, sink),
            Top::MessageStop => {
                sink(Event::End);
                Ok(Carry::End)
            }
            Top::Ping => {
                sink(Event::Ping);
                Ok(Carry::Comment)
            }
            Top::Unknown => {
                sink(Event::Ping);
                Ok(Carry::Forward)
            }
        }
    }

    /// Whether the answer came to its own end: it has a stop reason, and no error came. What
    /// follows, `message_stop`, is a mark; one without a stop reason ends nothing.
    pub fn finished(&self) -> bool {
        self.ended && !self.failed
    }

    fn fail(&mut self, failure: Failure, sink: &mut Sink<'_>) -> Carry {
        self.failed = true;
        sink(Event::Failed(failure));
        Carry::Failure
    }

    fn start(&mut self, document: &Document<'_>, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        let message: Message<'_> = within(document.message)?;
        self.usage.take(message.usage);
        sink(if std::mem::replace(&mut self.started, true) {
            Event::Ping
        } else {
            Event::Started
        });
        if let Some(usage) = self.usage.told() {
            sink(Event::Usage(usage));
        }
        Ok(Carry::Forward)
    }

    fn open(&mut self, document: &Document<'_>, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        let block: Block<'_> = within(document.content_block)?;
        let index = document.index.ok_or(Malformed::Shape)?;
        self.open.retain(|open| open.index != index);
        if self.open.len() >= MAX_OPEN {
            return Err(Malformed::TooMany);
        }
        let is_call = block.kind() == BlockKind::ToolUse;
        let call = is_call.then(|| Call {
            index: self.calls,
            input: Some(block.input_text().into_owned()),
        });
        self.open.push(Open { index, call });
        if !tell(block, self.calls, Input::Later, sink) {
            sink(Event::Ping);
        }
        self.calls = self.calls.saturating_add(u32::from(is_call));
        Ok(Carry::Forward)
    }

    fn delta(&mut self, document: &Document<'_>, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        let delta: Delta<'_> = within(document.delta)?;
        let block = match document.index {
            Some(index) => self.open.iter_mut().find(|open| open.index == index),
            None => self.open.last_mut(),
        };
        let call = block.and_then(|open| open.call.as_mut());
        let choice = CHOICE;
        sink(match (&*delta.kind.0, call) {
            ("text_delta", _) => match delta.text {
                Some(text) => Event::Text {
                    choice,
                    text: text.0,
                },
                None => return Err(Malformed::Shape),
            },
            ("thinking_delta", _) => match delta.thinking {
                Some(text) => Event::Reasoning {
                    choice,
                    text: text.0,
                },
                None => return Err(Malformed::Shape),
            },
            ("signature_delta", _) => match delta.signature {
                Some(text) => Event::Signature {
                    choice,
                    of: Signed::Reasoning,
                    text: text.0,
                },
                None => return Err(Malformed::Shape),
            },
            ("input_json_delta", Some(call)) => match delta.partial_json {
                Some(piece) if piece.0.is_empty() => Event::Ping,
                Some(piece) => {
                    // The pieces replace what the block began with.
                    call.input = None;
                    call.piece(piece.0)
                }
                None => return Err(Malformed::Shape),
            },
            // The input of a tool that the provider runs itself, citations, and what is to come.
            _ => Event::Ping,
        });
        Ok(Carry::Forward)
    }

    fn close(&mut self, document: &Document<'_>, sink: &mut Sink<'_>) -> Carry {
        let at = match document.index {
            Some(index) => self.open.iter().position(|open| open.index == index),
            None => self.open.len().checked_sub(1),
        };
        let call = at.and_then(|at| self.open.remove(at).call);
        sink(match call {
            Some(Call {
                index,
                input: Some(input),
            }) => {
                let call = Call { index, input: None };
                call.piece(Cow::Owned(input))
            }
            Some(Call { input: None, .. }) | None => Event::Ping,
        });
        Carry::Forward
    }

    fn message_delta(
        &mut self,
        document: &Document<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Carry, Malformed> {
        let message = document
            .delta
            .map(|delta| object::<Message<'_>>(delta.get()));
        let message = message.transpose()?.unwrap_or_default();
        self.usage.take(document.usage);
        let reason = message.finish();
        if let Some(reason) = reason {
            self.ended = true;
            sink(Event::Finished {
                choice: CHOICE,
                reason,
            });
        }
        match self.usage.told() {
            Some(usage) => sink(Event::Usage(usage)),
            None if reason.is_some() => {}
            None => sink(Event::Ping),
        }
        Ok(Carry::Forward)
    }
}

impl Call {
    fn piece<'a>(&self, arguments: Cow<'a, str>) -> Event<'a> {
        Event::ToolCall {
            choice: CHOICE,
            index: self.index,
            id: None,
            name: None,
            arguments,
        }
    }
}

/// Reads a whole answer and tells the sink its events; there is no end mark among them. A count of
/// tokens (`{"input_tokens": 14}`) is an answer that is all usage.
///
/// # Errors
/// [`Malformed`] for what is no answer, and then nothing has been told.
pub fn whole(task: Task, body: &[u8], sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let document: Document<'_> = object(text)?;
    if document.is_error() {
        sink(Event::Failed(failure::of_event(body)));
        return Ok(());
    }
    match task {
        Task::Count => counted(text, sink),
        Task::Chat | Task::Completion | Task::Embedding => message(text, sink),
    }
}

fn counted(text: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let mut totals = Totals::default();
    let usage = totals.counted(text).ok_or(Malformed::Shape)?;
    sink(Event::Started);
    // It is no empty answer, although it has no text.
    sink(Event::Media { choice: CHOICE });
    sink(Event::Finished {
        choice: CHOICE,
        reason: Finish::Stop,
    });
    sink(Event::Usage(usage));
    Ok(())
}

fn message(text: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let message: Message<'_> = parsed(text)?;
    let content = message.content.ok_or(Malformed::Shape)?;
    let blocks: Vec<Block<'_>> = parsed(content.get())?;
    if blocks.len() > MAX_BLOCKS {
        return Err(Malformed::TooMany);
    }
    let reason = message.finish();
    let mut totals = Totals::default();
    totals.take(message.usage);
    sink(Event::Started);
    let mut calls = 0;
    for block in blocks {
        let is_call = block.kind() == BlockKind::ToolUse;
        tell(block, calls, Input::Now, sink);
        calls += u32::from(is_call);
    }
    if let Some(reason) = reason {
        sink(Event::Finished {
            choice: CHOICE,
            reason,
        });
    }
    if let Some(usage) = totals.told() {
        sink(Event::Usage(usage));
    }
    Ok(())
}

/// When the input of a call is told.
#[derive(Clone, Copy)]
enum Input {
    Now,
    Later,
}

/// Tells what a block says by itself; says whether it was worth an event.
fn tell(block: Block<'_>, index: u32, when: Input, sink: &mut Sink<'_>) -> bool {
    let choice = CHOICE;
    match block.kind() {
        BlockKind::Text => {
            let text = block.text.filter(|text| !text.0.is_empty());
            let Some(text) = text else { return false };
            sink(Event::Text {
                choice,
                text: text.0,
            });
        }
        BlockKind::Thinking => {
            let some = |text: &super::text::Text<'_>| !text.0.is_empty();
            let (text, seal) = (block.thinking.filter(some), block.signature.filter(some));
            let told = text.is_some() || seal.is_some();
            if let Some(text) = text {
                sink(Event::Reasoning {
                    choice,
                    text: text.0,
                });
            }
            if let Some(seal) = seal {
                sink(Event::Signature {
                    choice,
                    of: Signed::Reasoning,
                    text: seal.0,
                });
            }
            return told;
        }
        BlockKind::ToolUse => {
            let input = match when {
                Input::Now => block.input_text(),
                Input::Later => Cow::Borrowed(""),
            };
            sink(Event::ToolCall {
                choice,
                index,
                id: block.id.map(|id| id.0),
                name: block.name.map(|name| name.0),
                arguments: input,
            });
        }
        BlockKind::Media => sink(Event::Media { choice }),
        BlockKind::Other => return false,
    }
    true
}

/// The object that a field must hold.
fn within<'a, T: serde::Deserialize<'a>>(
    value: Option<&'a serde_json::value::RawValue>,
) -> Result<T, Malformed> {
    object(value.ok_or(Malformed::Shape)?.get())
}

/// An object: derived readers take the fields from a list as well, and nobody else does.
fn object<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, Malformed> {
    let value = parsed(json)?;
    if json.trim_ascii_start().starts_with('{') {
        Ok(value)
    } else {
        Err(Malformed::Shape)
    }
}

/// Keeps the place of an error and drops its text: `serde_json` quotes values in its messages.
fn parsed<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(json).map_err(|error| match error.classify() {
        Category::Data => Malformed::Shape,
        Category::Io | Category::Syntax | Category::Eof => Malformed::NotJson {
            line: error.line(),
            column: error.column(),
        },
    })
}
