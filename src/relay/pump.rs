//! Turns a provider's bytes into what the client gets: frames, events, the gate.
//!
//! Pure: bytes in, bytes out.

use bytes::{Bytes, BytesMut};

use crate::dialect::{self, Carry};
use crate::exchange::{Delivery, Dialect, Event, Failure, Usage, UsageWish};
use crate::relay::gate::{Gate, Sign};
use crate::relay::verdict::Why;
use crate::sse;
use crate::units::ByteSize;

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

/// What one chunk of bytes came to.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What may go out now.
    pub(super) send: Option<Bytes>,
    /// What it says about the provider's being alive.
    pub(super) life: Life,
    /// Set when the stream is over.
    pub(super) end: Option<Result<(), Why>>,
}

/// Turns a provider's bytes into what the client gets.
pub(super) struct Pump {
    frames: sse::Decoder,
    answer: dialect::Stream,
    dialect: Dialect,
    gate: Gate,
    usage_wish: UsageWish,
    usage: Option<Usage>,
}

/// What the events of one frame amount to.
#[derive(Default)]
struct Seen {
    content: bool,
    usage: Option<Usage>,
    failure: Option<Box<Failure>>,
}

impl Seen {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Text { text, .. }
            | Event::Reasoning { text, .. }
            | Event::Refusal { text, .. } => self.content |= !text.is_empty(),
            Event::ToolCall { .. } | Event::Media { .. } => self.content = true,
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Failed(failure) => self.failure = Some(Box::new(failure.clone())),
            Event::Started | Event::Finished { .. } | Event::Ping | Event::End => {}
        }
    }
}

impl Pump {
    /// A pump for one attempt. `event_limit` bounds a single event.
    pub(super) fn new(dialect: Dialect, delivery: Delivery, event_limit: ByteSize) -> Self {
        let usage_wish = match delivery {
            Delivery::Stream(wish) => wish,
            Delivery::Whole => UsageWish::NotAsked,
        };
        Self {
            frames: sse::Decoder::new(event_limit),
            answer: dialect::Stream::new(dialect),
            dialect,
            gate: Gate::default(),
            usage_wish,
            usage: None,
        }
    }

    /// Whether bytes have been let through to the client.
    pub(super) fn is_committed(&self) -> bool {
        self.gate.is_committed()
    }

    /// The usage that the provider reported last.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Takes the next bytes of the body.
    pub(super) fn chunk(&mut self, bytes: Bytes) -> Step {
        self.frames.push(bytes);
        let mut step = Step::default();
        let mut out = Out::default();
        loop {
            match self.frames.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => match self.frame(&frame, &mut out, &mut step) {
                    None => {}
                    Some(end) => {
                        step.end = Some(end);
                        break;
                    }
                },
                Err(sse::TooLong { .. }) => {
                    step.end = Some(Err(Why::TooLarge));
                    break;
                }
            }
        }
        self.settle(step, out)
    }

    /// Takes the end of the body. A last event that lacks its blank line counts if it is whole.
    pub(super) fn finish(&mut self) -> Step {
        let mut step = Step::default();
        let mut out = Out::default();
        let tail = match self.frames.finish() {
            Ok(None) => None,
            Ok(Some(frame)) => {
                let raw = frame.data.as_deref().map(|data| sse::encode(None, data));
                let closed = sse::Frame {
                    raw: raw.unwrap_or_default(),
                    ..frame
                };
                self.frame(&closed, &mut out, &mut step)
            }
            Err(sse::TooLong { .. }) => Some(Err(Why::TooLarge)),
        };
        step.end = Some(match tail {
            Some(end) => end,
            None if self.answer.finished() => {
                out.push(dialect::end(self.dialect));
                out.sign = Sign::End;
                Ok(())
            }
            None => Err(Why::Truncated),
        });
        self.settle(step, out)
    }

    /// Takes the end of the connection, or of our patience with it: an answer that had come to its
    /// own end is good all the same, and what was to follow it is left out.
    pub(super) fn broken_off(&mut self, why: Why) -> Step {
        let mut step = Step::default();
        let mut out = Out::default();
        step.end = Some(if self.answer.finished() && why.is_silence() {
            out.push(dialect::end(self.dialect));
            out.sign = Sign::End;
            Ok(())
        } else {
            Err(why)
        });
        self.settle(step, out)
    }

    /// Puts one frame into `out`; returns the stream's end if the frame is it.
    fn frame(
        &mut self,
        frame: &sse::Frame,
        out: &mut Out,
        step: &mut Step,
    ) -> Option<Result<(), Why>> {
        let mut seen = Seen::default();
        let Ok(carry) = self.answer.frame(frame, &mut |event| seen.take(&event)) else {
            return Some(Err(Why::Malformed));
        };
        self.usage = seen.usage.or(self.usage);
        let life = match carry {
            _ if seen.content => Life::Content,
            Carry::Comment => Life::None,
            _ => Life::Progress,
        };
        step.life = step.life.max(life);
        if seen.content {
            out.sign = Sign::Content;
        }
        match carry {
            Carry::Forward => out.push(clean(frame)),
            Carry::UsageOnly if self.usage_wish == UsageWish::Asked => out.push(clean(frame)),
            Carry::UsageOnly => {}
            // Before the commit nobody waits for a sign of life: a status can still go out. What
            // this chunk commits counts, or the cut of the chunks would show.
            Carry::Comment
                if is_labelled(frame)
                    || !self.gate.is_committed() && out.sign == Sign::Preamble => {}
            Carry::Comment => out.push(frame.raw.clone()),
            Carry::Failure => {
                return Some(Err(Why::InStream {
                    failure: seen.failure.unwrap_or_default(),
                    document: frame.data.clone().unwrap_or_default(),
                }));
            }
            Carry::End if !self.answer.finished() => return Some(Err(Why::Truncated)),
            Carry::End => {
                out.push(dialect::end(self.dialect));
                out.sign = Sign::End;
                return Some(Ok(()));
            }
        }
        None
    }

    /// Runs what was gathered through the gate.
    fn settle(&mut self, mut step: Step, out: Out) -> Step {
        let sign = out.sign;
        if let Some(frames) = out.joined() {
            let (gate, send) = std::mem::take(&mut self.gate).push(frames, sign);
            self.gate = gate;
            step.send = send;
        }
        step
    }
}

/// The frame as it may go to a client: fields that the SDKs stumble over (`id`, `retry`, a name
/// where the format has none) are left out.
fn clean(frame: &sse::Frame) -> Bytes {
    match &frame.data {
        Some(data) if is_labelled(frame) => sse::encode(None, data),
        _ => frame.raw.clone(),
    }
}

fn is_labelled(frame: &sse::Frame) -> bool {
    frame.id.is_some() || frame.retry.is_some() || frame.event.is_some()
}

/// Frames gathered from one chunk: a single one is passed on as the slice that it is.
struct Out {
    first: Option<Bytes>,
    rest: BytesMut,
    sign: Sign,
}

impl Default for Out {
    fn default() -> Self {
        Self {
            first: None,
            rest: BytesMut::new(),
            sign: Sign::Preamble,
        }
    }
}

impl Out {
    fn push(&mut self, frame: Bytes) {
        match (&mut self.first, self.rest.is_empty()) {
            (None, true) => self.first = Some(frame),
            (Some(first), true) => {
                self.rest.reserve(first.len() + frame.len());
                self.rest.extend_from_slice(first);
                self.rest.extend_from_slice(&frame);
            }
            _ => self.rest.extend_from_slice(&frame),
        }
    }

    fn joined(self) -> Option<Bytes> {
        if self.rest.is_empty() {
            self.first
        } else {
            Some(self.rest.freeze())
        }
    }
}
