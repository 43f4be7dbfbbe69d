//! A provider's answer to events: a stream frame by frame, or a whole one.
//!
//! Looks only as deep as the gate and the ledger need, in one pass, and allocates nothing for
//! what a slice of the frame serves. What it does not know it ignores.

mod answer;
mod calls;
mod embeddings;
mod read;
mod usage;

#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use self::answer::{Answer, Beside, Choices, Part, Piece, What};
use self::calls::Calls;
use crate::dialect::carry::{Carry, Malformed, Sink};
use crate::dialect::failure;
use crate::exchange::{Event, Failure, Signed, Task};
use crate::sse::Frame;

/// The official SDKs end a stream at any data that begins so (openai-python, `_streaming.py`).
const DONE: &[u8] = b"[DONE]";
/// The largest `n` that `OpenAI` takes, and so the most choices an answer can have.
const MAX_CHOICES: usize = 128;

/// Reads one attempt's stream. Bounded: it keeps a few bytes for each choice, of which there are
/// at most 128, and the last id of a tool call that came without an index.
#[derive(Debug)]
pub struct Stream {
    part: Part,
    choices: SmallVec<[Choice; 1]>,
    failed: bool,
}

/// A frame goes to the client as it came, and clients decode every line of it.
fn check_text(frame: &Frame) -> Result<(), Malformed> {
    let text = std::str::from_utf8(&frame.raw).map_err(|_| Malformed::NotUtf8);
    text.map(|_| ())
}

impl Stream {
    /// At the start of a stream that answers such a task.
    pub fn new(task: Task) -> Self {
        Self {
            part: match task {
                Task::Completion => Part::Text,
                Task::Chat | Task::Embedding | Task::Count => Part::Delta,
            },
            choices: SmallVec::new(),
            failed: false,
        }
    }

    /// Tells the sink what the frame says, at least one event for each frame, and how to carry
    /// the frame on. After an error nothing of the frame has been told or counted.
    pub fn frame(&mut self, frame: &Frame, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        if frame.event.as_deref() == Some(b"error") {
            let data = frame.data.as_deref().unwrap_or_default();
            self.fail(failure::of_event(data), sink);
            return Ok(Carry::Failure);
        }
        let Some(data) = &frame.data else {
            check_text(frame)?;
            sink(Event::Ping);
            return Ok(Carry::Comment);
        };
        let data = data.trim_ascii_start();
        if data.starts_with(DONE) {
            sink(Event::End);
            return Ok(Carry::End);
        }
        let text = std::str::from_utf8(data).map_err(|_| Malformed::NotUtf8)?;
        if !frame.is_data_alone() {
            check_text(frame)?;
        }
        let mut answer = Answer::new(self.part);
        read::read(text, &mut answer)?;
        self.answer(&mut answer, sink)
    }

    /// Whether the answer came to its own end: every choice that started has a finish reason,
    /// there is at least one, and no error came. A closed connection proves nothing, and neither
    /// does `[DONE]`, which `OpenAI`, vLLM and gateways send after an error too.
    pub fn finished(&self) -> bool {
        !self.failed && !self.choices.is_empty() && self.choices.iter().all(|choice| choice.ended)
    }

    fn fail(&mut self, failure: Failure, sink: &mut Sink<'_>) {
        self.failed = true;
        sink(Event::Failed(failure));
    }

    fn answer(&mut self, answer: &mut Answer<'_>, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        let usage = answer.usage();
        if let Some(failure) = answer.failure() {
            if let Some(usage) = usage {
                sink(Event::Usage(usage));
            }
            self.fail(failure, sink);
            return Ok(Carry::Failure);
        }
        let carry = match answer.choices {
            Choices::Absent if answer.beside == Beside::Nothing => return Err(Malformed::Shape),
            Choices::None | Choices::Absent if answer.is_usage_only() => Carry::UsageOnly,
            Choices::Some | Choices::None | Choices::Absent => Carry::Forward,
        };
        let mut told = self.admit(&answer.pieces, sink)?;
        for piece in answer.pieces.drain(..) {
            told |= self.tell(piece, sink);
        }
        match usage {
            Some(usage) => sink(Event::Usage(usage)),
            None if told => {}
            None => sink(Event::Ping),
        }
        Ok(carry)
    }

    /// Makes room for every choice of the pieces before any is told, so that nothing fails
    /// halfway; says whether the answer started with them.
    fn admit(&mut self, pieces: &[Piece<'_>], sink: &mut Sink<'_>) -> Result<bool, Malformed> {
        let known = self.choices.len();
        for piece in pieces {
            if self
                .choices
                .iter()
                .any(|choice| choice.index == piece.choice)
            {
                continue;
            }
            if self.choices.len() >= MAX_CHOICES {
                self.choices.truncate(known);
                return Err(Malformed::TooMany);
            }
            self.choices.push(Choice::new(piece.choice));
        }
        let starts = known == 0 && !self.choices.is_empty();
        if starts {
            sink(Event::Started);
        }
        Ok(starts)
    }

    /// Tells one piece; says whether it was worth an event.
    fn tell(&mut self, piece: Piece<'_>, sink: &mut Sink<'_>) -> bool {
        let Some(state) = self
            .choices
            .iter_mut()
            .find(|choice| choice.index == piece.choice)
        else {
            return false;
        };
        let choice = piece.choice;
        sink(match piece.what {
            What::Text(text) => Event::Text { choice, text },
            What::Reasoning(text) => Event::Reasoning { choice, text },
            What::Refusal(text) => Event::Refusal { choice, text },
            What::Media => Event::Media { choice },
            What::Call {
                index,
                id,
                name,
                arguments,
            } => {
                let index = state.calls.place(index, id.as_deref(), name.as_deref());
                Event::ToolCall {
                    choice,
                    index,
                    id,
                    name,
                    arguments,
                }
            }
            What::Seal(text) => Event::Signature {
                choice,
                of: Signed::Call(state.calls.current()),
                text,
            },
            What::Aside(kind, json) => Event::Aside {
                choice,
                kind,
                json: json.into(),
            },
            What::End(Some(reason)) => {
                state.ended = true;
                Event::Finished { choice, reason }
            }
            What::End(None) => return false,
        });
        true
    }
}

/// Reads a whole answer and tells the sink its events; there is no end mark among them.
///
/// # Errors
/// [`Malformed`] for what is no answer, and then nothing has been told: no choices, or one that
/// has neither a message nor a finish reason.
pub fn whole(task: Task, body: &[u8], sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let part = match task {
        Task::Embedding => return embeddings::whole(text, sink),
        Task::Completion => Part::WholeText,
        Task::Chat | Task::Count => Part::Message,
    };
    let mut answer = Answer::new(part);
    read::read(text, &mut answer)?;
    if answer.choices != Choices::Some && answer.failure().is_none() {
        return Err(Malformed::Shape);
    }
    Stream::new(task).answer(&mut answer, sink).map(drop)
}

/// What is known of one choice.
#[derive(Debug)]
struct Choice {
    index: u32,
    ended: bool,
    calls: Calls,
}

impl Choice {
    fn new(index: u32) -> Self {
        Self {
            index,
            ended: false,
            calls: Calls::default(),
        }
    }
}
