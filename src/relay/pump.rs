//! Turns a provider's bytes into what the client gets: frames, events, the gate.
//!
//! Pure: bytes and the time in, bytes out. How the bytes are cut into chunks decides nothing.

use std::time::Instant;

use bytes::Bytes;

use crate::dialect::{self, Told, Voices};
use crate::exchange::{Event, Failure, Usage};
use crate::relay::bill::{Heard, Word};
use crate::relay::gate::{self, Commit, Gate, HeldTooMuch};
use crate::relay::inspect::Inspector;
use crate::relay::said::Said;
use crate::relay::verdict::Why;
use crate::route::{Hold, Malformed};
use crate::sse;
use crate::units::{ByteSize, Tokens};

/// What a pump is to do with one attempt's stream.
pub(super) struct Terms<'a> {
    /// Who speaks what.
    pub(super) voices: Voices<'a>,
    /// A single event, at most.
    pub(super) event_limit: ByteSize,
    /// How much of the head is held.
    pub(super) hold: Hold,
    /// What looks at the answer while it is held, if anything does.
    pub(super) inspector: Option<Inspector>,
    /// What a frame that cannot be read does once the head is out.
    pub(super) malformed: Malformed,
}

/// What a provider's bytes say about its being alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    /// Nothing, or comments only.
    #[default]
    None,
    /// Frames without content.
    Progress,
    /// Content.
    Content,
}

/// What one chunk of bytes, or a moment, came to.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What may go out now.
    pub(super) send: Option<Bytes>,
    /// What it says about the provider's being alive.
    pub(super) life: Life,
    /// How much content there was in it.
    pub(super) tokens: Tokens,
    /// Set when the stream is over.
    pub(super) end: Option<Result<(), Why>>,
}

/// Turns a provider's bytes into what the client gets.
pub(super) struct Pump {
    frames: sse::Decoder,
    answer: dialect::Stream,
    gate: Gate,
    /// Dropped at the commit.
    inspector: Option<Inspector>,
    malformed: Malformed,
    heard: Heard,
    tokens: Tokens,
    skipped: u32,
}

/// What the events of one frame amount to.
struct Seen<'i> {
    inspector: Option<&'i mut Inspector>,
    said: &'i mut Said,
    objection: Option<Why>,
    tokens: Tokens,
    usage: Option<Usage>,
    failure: Option<Box<Failure>>,
}

impl<'i> Seen<'i> {
    fn by(inspector: Option<&'i mut Inspector>, said: &'i mut Said) -> Self {
        Self {
            inspector,
            said,
            objection: None,
            tokens: Tokens(0),
            usage: None,
            failure: None,
        }
    }

    fn take(&mut self, event: &Event<'_>) {
        self.tokens += gate::weight(event);
        self.said.event(event);
        match event {
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failed(failure) => self.failure = Some(Box::new(failure.clone())),
            Event::Started
            | Event::Text { .. }
            | Event::Reasoning { .. }
            | Event::ToolCall { .. }
            | Event::Refusal { .. }
            | Event::Media { .. }
            | Event::Signature { .. }
            | Event::Aside { .. }
            | Event::Finished { .. }
            | Event::Ping
            | Event::End => {}
        }
        if let (Some(inspector), None) = (&mut self.inspector, &self.objection) {
            self.objection = inspector.event(event).err();
        }
    }
}

impl Pump {
    /// A pump for one attempt.
    pub(super) fn new(terms: Terms<'_>) -> Self {
        Self {
            frames: sse::Decoder::new(terms.event_limit),
            answer: dialect::Stream::new(&terms.voices),
            gate: Gate::new(terms.hold),
            inspector: terms.inspector,
            malformed: terms.malformed,
            heard: Heard::default(),
            tokens: Tokens(0),
            skipped: 0,
        }
    }

    /// Why bytes have been let through to the client; `None` while none were.
    pub(super) fn commit(&self) -> Option<Commit> {
        self.gate.commit()
    }

    /// When the first frame came that was held.
    pub(super) fn held_since(&self) -> Option<Instant> {
        self.gate.since()
    }

    /// The bytes that are held now: frames, and what is gathered to become a whole answer.
    pub(super) fn held(&self) -> usize {
        self.gate.len().saturating_add(self.answer.gathered())
    }

    /// The content that has come so far.
    pub(super) fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// The frames that could not be read and were left out.
    pub(super) fn skipped(&self) -> u32 {
        self.skipped
    }

    /// What the answer has come to so far.
    pub(super) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// When [`tick`](Self::tick) is to be called if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.gate.due()
    }

    /// Lets out what is held if it is time to.
    pub(super) fn tick(&mut self, now: Instant) -> Step {
        self.settle(Step::default(), now)
    }

    /// Takes the next bytes of the body.
    pub(super) fn chunk(&mut self, bytes: Bytes, now: Instant) -> Step {
        self.frames.push(bytes);
        let mut step = Step::default();
        while step.end.is_none() {
            match self.frames.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => step.end = self.frame(&frame, &mut step, now),
                Err(sse::TooLong { .. }) => step.end = Some(Err(Why::TooLarge)),
            }
        }
        self.settle(step, now)
    }

    /// Takes the end of the body. A last event that lacks its blank line counts if it is whole.
    pub(super) fn finish(&mut self, now: Instant) -> Step {
        let mut step = Step::default();
        let tail = match self.frames.finish() {
            Ok(None) => None,
            Ok(Some(frame)) => {
                let name = frame
                    .event
                    .as_deref()
                    .and_then(|name| std::str::from_utf8(name).ok());
                let raw = match frame.data.as_deref() {
                    Some(data) => sse::encode(name, data),
                    // No event, and yet it may say an error (Gemini).
                    None => [&frame.raw[..], b"\n\n"].concat().into(),
                };
                let closed = sse::Frame { raw, ..frame };
                self.frame(&closed, &mut step, now)
            }
            Err(sse::TooLong { .. }) => Some(Err(Why::TooLarge)),
        };
        step.end = Some(match tail {
            Some(end) => end,
            None if self.answer.finished() => self.end(),
            None => Err(Why::Truncated),
        });
        self.settle(step, now)
    }

    /// Takes the end of the connection, or of our patience with it: an answer that had come to its
    /// own end is good all the same, and what was to follow it is left out.
    pub(super) fn broken_off(&mut self, why: Why, now: Instant) -> Step {
        let end = if self.answer.finished() && why.is_silence() {
            self.end()
        } else {
            Err(why)
        };
        let step = Step {
            end: Some(end),
            ..Step::default()
        };
        self.settle(step, now)
    }

    /// Puts one frame to the gate; returns the stream's end if the frame is it.
    fn frame(
        &mut self,
        frame: &sse::Frame,
        step: &mut Step,
        now: Instant,
    ) -> Option<Result<(), Why>> {
        let mut seen = Seen::by(self.inspector.as_mut(), &mut self.heard.said);
        let Ok(told) = self.answer.frame(frame, &mut |event| seen.take(&event)) else {
            return self.unread();
        };
        let Seen {
            objection,
            tokens,
            usage,
            failure,
            ..
        } = seen;
        if let Some(usage) = usage {
            let word = if self.answer.finished() {
                Word::Final
            } else {
                Word::SoFar
            };
            self.heard.word = Some((usage, word));
        }
        self.tokens += tokens;
        step.tokens += tokens;
        step.life = step.life.max(match told {
            _ if tokens > Tokens(0) => Life::Content,
            Told::Life(_) => Life::None,
            Told::Answer(_) | Told::End | Told::Failure => Life::Progress,
        });
        if let Some(why) = objection {
            return Some(Err(why));
        }
        let out = match told {
            // Before the commit nobody waits for a sign of life: a status can still go out.
            Told::Life(_) if self.gate.commit().is_none() => return None,
            Told::Answer(bytes) | Told::Life(bytes) => bytes,
            Told::Failure => {
                return Some(Err(Why::InStream {
                    failure: failure.unwrap_or_default(),
                    document: frame.data.clone().unwrap_or_default(),
                }));
            }
            Told::End if !self.answer.finished() => return Some(Err(Why::Truncated)),
            Told::End => return Some(self.end()),
        };
        if out.is_empty() && tokens == Tokens(0) {
            return None;
        }
        self.pass(out, tokens, now)
    }

    /// Passes a frame to the gate. With the commit there is nothing left to inspect.
    fn pass(&mut self, frame: Bytes, tokens: Tokens, now: Instant) -> Option<Result<(), Why>> {
        if let Err(HeldTooMuch) = self.gate.frame(frame, tokens, now) {
            return Some(Err(Why::HeldTooMuch));
        }
        if self.inspector.is_some() && self.gate.commit().is_some() {
            self.inspector = None;
        }
        None
    }

    /// What a frame that cannot be read comes to.
    fn unread(&mut self) -> Option<Result<(), Why>> {
        match self.malformed {
            Malformed::Skip if self.gate.commit().is_some() => {
                self.skipped = self.skipped.saturating_add(1);
                None
            }
            Malformed::Skip | Malformed::Break => Some(Err(Why::Malformed)),
        }
    }

    /// Takes the answer's good end, if it is one of a good answer.
    fn end(&mut self) -> Result<(), Why> {
        if let Some(inspector) = &self.inspector {
            inspector.end()?;
        }
        self.gate.end(self.answer.end());
        Ok(())
    }

    /// Ends a step: a failure comes before the time that would commit.
    fn settle(&mut self, mut step: Step, now: Instant) -> Step {
        match step.end {
            Some(Err(_)) => self.gate.fail(),
            Some(Ok(())) | None => self.gate.tick(now),
        }
        if self.gate.commit().is_some() {
            self.inspector = None;
            step.send = self.gate.take();
        }
        step
    }
}
