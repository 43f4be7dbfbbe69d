//! An answer as the client is to hear it: the provider's own bytes where both sides agree, else the
//! same events in the client's words.

use bytes::{Bytes, BytesMut};

use super::carry::{Carry, Malformed, Sink};
use super::dispatch::{Reader, Teller};
use super::voices::Voices;
use super::{dispatch, openai};
use crate::exchange::{Answer, Delivery, Dialect, Event, Form, Task, UsageWish};
use crate::sse::Frame;

/// What a frame is worth to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A part of the answer. No bytes where this client is not told, or not yet.
    Answer(Bytes),
    /// A sign of life that may be dropped; no bytes where the client's format has none.
    Life(Bytes),
    /// The provider's own end mark. It proves nothing: ask [`Stream::finished`].
    End,
    /// An error in the provider's words, which are not the client's to hear.
    Failure,
}

/// Reads one attempt's stream and tells it to the client.
#[derive(Debug)]
pub struct Stream {
    reader: Reader,
    telling: Telling,
}

/// How the client is told.
#[derive(Debug)]
enum Telling {
    /// By the provider's own frames.
    Verbatim {
        client: Dialect,
        usage: UsageWish,
        /// The provider's end mark, once it has come.
        end: Option<Bytes>,
    },
    /// By frames of our own.
    Retold(Box<Teller>),
    /// By one document, at the end.
    Gathered(Box<Gathered>),
}

/// A stream on its way to becoming a whole answer.
#[derive(Debug)]
struct Gathered {
    answer: Answer,
    bytes: usize,
    client: Dialect,
    task: Task,
    id: String,
    model: String,
    created: u64,
}

impl Stream {
    /// At the start of a stream.
    pub fn new(voices: &Voices<'_>) -> Self {
        let telling = if voices.agree() {
            Telling::Verbatim {
                client: voices.client,
                usage: voices.usage_wish(),
                end: None,
            }
        } else if let Delivery::Stream(_) = voices.delivery {
            Telling::Retold(Box::new(Teller::new(voices)))
        } else {
            Telling::Gathered(Box::new(Gathered {
                answer: Answer::default(),
                bytes: 0,
                client: voices.client,
                task: voices.task,
                id: voices.label.id.to_owned(),
                model: voices.label.model.to_owned(),
                created: voices.label.created,
            }))
        };
        Self {
            reader: Reader::new(voices.provider, voices.asked),
            telling,
        }
    }

    /// Tells the sink what the frame says, at least one event for each frame, and how the client
    /// hears of it.
    ///
    /// # Errors
    /// [`Malformed`], and then nothing has been told.
    pub fn frame(&mut self, frame: &Frame, sink: &mut Sink<'_>) -> Result<Told, Malformed> {
        let (bytes, carry) = match &mut self.telling {
            Telling::Verbatim { client, usage, end } => {
                let carry = self.reader.frame(frame, sink)?;
                return Ok(verbatim(*client, *usage, carry, frame, end));
            }
            Telling::Retold(teller) => {
                let mut out = BytesMut::new();
                let carry = self.reader.frame(frame, &mut |event| {
                    teller.event(&event, &mut out);
                    sink(event);
                })?;
                (out.freeze(), carry)
            }
            Telling::Gathered(gathered) => {
                gathered.bytes = gathered.bytes.saturating_add(frame.raw.len());
                let answer = &mut gathered.answer;
                let carry = self.reader.frame(frame, &mut |event| {
                    answer.event(&event);
                    sink(event);
                })?;
                (Bytes::new(), carry)
            }
        };
        Ok(match carry {
            Carry::Forward | Carry::UsageOnly => Told::Answer(bytes),
            Carry::Comment => Told::Life(bytes),
            Carry::End => Told::End,
            Carry::Failure => Told::Failure,
        })
    }

    /// Whether the answer has come to its own good end. Without it, the end of the connection or
    /// an end mark is a break.
    pub fn finished(&self) -> bool {
        self.reader.finished()
    }

    /// What ends the answer well for the client: to be asked for once, and only of an answer that
    /// is finished.
    pub fn end(&mut self) -> Bytes {
        match &mut self.telling {
            Telling::Verbatim { client, end, .. } => {
                end.take().unwrap_or_else(|| dispatch::end(*client))
            }
            Telling::Retold(teller) => {
                let mut out = BytesMut::new();
                teller.end(&mut out);
                out.freeze()
            }
            Telling::Gathered(gathered) => gathered.whole(),
        }
    }

    /// The bytes that are kept back to become a whole answer.
    pub fn gathered(&self) -> usize {
        match &self.telling {
            Telling::Gathered(gathered) => gathered.bytes,
            Telling::Verbatim { .. } | Telling::Retold(_) => 0,
        }
    }
}

impl Gathered {
    fn whole(&self) -> Bytes {
        let label = super::voices::Label {
            id: &self.id,
            model: &self.model,
            created: self.created,
        };
        dispatch::answer(self.client, self.task, &self.answer, &label)
    }
}

fn verbatim(
    client: Dialect,
    usage: UsageWish,
    carry: Carry,
    frame: &Frame,
    end: &mut Option<Bytes>,
) -> Told {
    match carry {
        Carry::Forward => Told::Answer(clean(client, frame)),
        Carry::UsageOnly if usage == UsageWish::Asked => Told::Answer(clean(client, frame)),
        Carry::UsageOnly => Told::Answer(Bytes::new()),
        Carry::Comment if client == Dialect::OpenAi && openai::is_labelled(frame) => {
            Told::Life(Bytes::new())
        }
        Carry::Comment => Told::Life(frame.raw.clone()),
        Carry::End => {
            *end = dispatch::keeps_end(client).then(|| clean(client, frame));
            Told::End
        }
        Carry::Failure => Told::Failure,
    }
}

/// The frame as it may go to a client: without what the SDKs stumble over.
fn clean(client: Dialect, frame: &Frame) -> Bytes {
    match client {
        Dialect::OpenAi => openai::clean(frame),
        Dialect::Anthropic | Dialect::Gemini => dispatch::unnumbered(frame),
    }
}

/// Reads a whole answer, tells the sink its events, and returns it as the client is to have it: a
/// document, or all frames of a stream. An error inside it is an event too, and then the bytes mean
/// nothing.
///
/// # Errors
/// [`Malformed`], and then nothing has been told.
pub fn whole(voices: &Voices<'_>, body: &Bytes, sink: &mut Sink<'_>) -> Result<Bytes, Malformed> {
    debug_assert_eq!(voices.form, Form::Whole);
    if voices.agree() {
        dispatch::read_whole(voices.provider, voices.asked, body, sink)?;
        return Ok(body.clone());
    }
    if let Delivery::Stream(_) = voices.delivery {
        let mut teller = Teller::new(voices);
        let mut out = BytesMut::new();
        dispatch::read_whole(voices.provider, voices.asked, body, &mut |event: Event<
            '_,
        >| {
            teller.event(&event, &mut out);
            sink(event);
        })?;
        teller.end(&mut out);
        return Ok(out.freeze());
    }
    let mut answer = Answer::default();
    dispatch::read_whole(voices.provider, voices.asked, body, &mut |event: Event<
        '_,
    >| {
        answer.event(&event);
        sink(event);
    })?;
    Ok(dispatch::answer(
        voices.client,
        voices.task,
        &answer,
        &voices.label,
    ))
}
