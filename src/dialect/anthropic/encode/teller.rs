//! An answer's events as a stream of this format. Its blocks come one after the other and never
//! overlap; what other formats interleave is kept back until its turn comes.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::BytesMut;

use super::frames::{Calls, Counts, Delta, Ending, Frame, Nothing, Opening, Refused, Start};
use super::nesting::Nesting;
use super::piece::{Call, Piece};
use crate::dialect::anthropic::id;
use crate::dialect::voices::Voices;
use crate::exchange::{Event, Fault, FaultKind, Finish, Signed, Usage};

/// The most bytes that are kept back.
const MAX_WAITING: usize = 4 << 20;
/// The most pieces that are kept back, and the most calls of an answer.
const MAX_PIECES: usize = 4096;

/// Tells an answer as a stream: `message_start`; blocks, each opened, filled and closed before the
/// next; `message_delta` and `message_stop`. Other choices than the first are left out, for the
/// format has one.
///
/// Bounded: it keeps back at most 4 MiB of an answer whose calls are interleaved. One that has more
/// ends with an error.
#[derive(Debug)]
pub struct Teller {
    id: String,
    /// What made-up ids of calls are made of.
    seed: String,
    model: String,
    state: State,
    /// The index of the open block, or of the next.
    index: u32,
    open: Open,
    waiting: VecDeque<Piece>,
    /// The bytes of `waiting`.
    held: usize,
    /// The keys of the calls whose blocks are closed.
    told: Vec<u32>,
    calls: Calls,
    refused: Refused,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has been written.
    New,
    /// `message_start` has.
    Started,
    /// The end has, be it a good one.
    Done,
}

/// The block that is open on the wire.
#[derive(Debug)]
enum Open {
    Nothing,
    Text,
    /// The seal is written when the block closes: the SDKs keep the last piece of one.
    Thinking {
        seal: String,
    },
    Call {
        key: u32,
        nesting: Nesting,
    },
}

/// Whether blocks are held to the order of things.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// A call that may go on stays open, and one that may not begin yet waits.
    AsItComes,
    /// Nothing more will come.
    AtTheEnd,
}

impl Teller {
    /// At the start of an answer.
    pub fn new(voices: &Voices<'_>) -> Self {
        Self {
            id: format!("msg_{}", voices.label.id),
            seed: voices.label.id.to_owned(),
            model: voices.label.model.to_owned(),
            state: State::New,
            index: 0,
            open: Open::Nothing,
            waiting: VecDeque::new(),
            held: 0,
            told: Vec::new(),
            calls: Calls::None,
            refused: Refused::No,
            finish: None,
            usage: None,
        }
    }

    /// Writes the frames for the next event.
    pub fn event(&mut self, event: &Event<'_>, out: &mut BytesMut) {
        if self.state == State::Done {
            return;
        }
        match event {
            Event::Started => self.start(out),
            Event::Text { choice: 0, text } => self.text(text, out),
            Event::Refusal { choice: 0, text } => {
                if !text.is_empty() {
                    self.refused = Refused::Yes;
                }
                self.text(text, out);
            }
            Event::Reasoning { choice: 0, text } => self.thinking(text, "", out),
            // Seals on calls have no place here.
            Event::Signature {
                choice: 0,
                of: Signed::Reasoning,
                text,
            } => {
                self.thinking("", text, out);
            }
            Event::ToolCall {
                choice: 0,
                index,
                id,
                name,
                arguments,
            } => {
                let id = id.as_deref().unwrap_or_default();
                self.call(
                    *index,
                    id,
                    name.as_deref().unwrap_or_default(),
                    arguments,
                    out,
                );
            }
            Event::Finished { choice: 0, reason } => {
                self.finish = Some(*reason);
                self.advance(Pace::AtTheEnd, out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping if self.state == State::Started => Frame::Ping.put(out),
            _ => {}
        }
    }

    /// Writes what ends it well.
    pub fn end(&mut self, out: &mut BytesMut) {
        if self.state == State::Done {
            return;
        }
        self.start(out);
        self.advance(Pace::AtTheEnd, out);
        self.close(out);
        Frame::MessageDelta {
            delta: Ending::new(self.finish, self.calls, self.refused),
            usage: Counts::from(self.usage),
        }
        .put(out);
        Frame::MessageStop.put(out);
        self.state = State::Done;
    }

    fn start(&mut self, out: &mut BytesMut) {
        if self.state != State::New {
            return;
        }
        self.state = State::Started;
        let message = Start {
            id: &self.id,
            r#type: "message",
            role: "assistant",
            model: &self.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: Counts::from(self.usage),
        };
        Frame::MessageStart { message }.put(out);
    }

    fn text(&mut self, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        self.start(out);
        if self.must_wait() {
            match self.waiting.back_mut() {
                Some(Piece::Text(before)) => before.push_str(text),
                _ => self.waiting.push_back(Piece::Text(text.to_owned())),
            }
            return self.hold(text.len(), out);
        }
        if !matches!(self.open, Open::Text) {
            self.begin(Open::Text, &Opening::Text { text: "" }, out);
        }
        self.delta(Delta::Text { text }, out);
    }

    /// A piece of the thoughts, or of the seal that ends them.
    fn thinking(&mut self, text: &str, seal: &str, out: &mut BytesMut) {
        if text.is_empty() && seal.is_empty() {
            return;
        }
        self.start(out);
        if self.must_wait() {
            match self.waiting.back_mut() {
                Some(Piece::Thinking {
                    text: before,
                    seal: own,
                }) if own.is_empty() || text.is_empty() => {
                    before.push_str(text);
                    own.push_str(seal);
                }
                _ => self.waiting.push_back(Piece::Thinking {
                    text: text.to_owned(),
                    seal: seal.to_owned(),
                }),
            }
            return self.hold(text.len() + seal.len(), out);
        }
        let goes_on = match &self.open {
            Open::Thinking { seal: own } => own.is_empty() || text.is_empty(),
            Open::Nothing | Open::Text | Open::Call { .. } => false,
        };
        if !goes_on {
            let opening = Opening::Thinking {
                thinking: "",
                signature: "",
            };
            self.begin(
                Open::Thinking {
                    seal: String::new(),
                },
                &opening,
                out,
            );
        }
        if !text.is_empty() {
            self.delta(Delta::Thinking { thinking: text }, out);
        }
        if let Open::Thinking { seal: own } = &mut self.open {
            own.push_str(seal);
            if own.len() > MAX_WAITING {
                self.give_up(out);
            }
        }
    }

    fn call(&mut self, key: u32, id: &str, name: &str, arguments: &str, out: &mut BytesMut) {
        if self.told.contains(&key) {
            return;
        }
        self.start(out);
        self.calls = Calls::Some;
        if let Open::Call { key: own, nesting } = &mut self.open
            && *own == key
        {
            nesting.push(arguments);
            if !arguments.is_empty() {
                self.delta(
                    Delta::Input {
                        partial_json: arguments,
                    },
                    out,
                );
            }
            return self.advance(Pace::AsItComes, out);
        }
        let waiting = self.waiting.iter_mut().find_map(|piece| match piece {
            Piece::Call(call) if call.key == key => Some(call),
            _ => None,
        });
        let more = id.len() + name.len() + arguments.len();
        if let Some(call) = waiting {
            call.take(id, name, arguments);
        } else {
            let mut call = Call::new(key);
            call.take(id, name, arguments);
            self.waiting.push_back(Piece::Call(call));
        }
        self.hold(more, out);
        self.advance(Pace::AsItComes, out);
    }

    /// Counts what is kept back, and gives up beyond the bound: to leave a part of the answer out
    /// in silence would be worse.
    fn hold(&mut self, bytes: usize, out: &mut BytesMut) {
        self.held = self.held.saturating_add(bytes);
        let pieces = self.waiting.len() + self.told.len();
        if self.held > MAX_WAITING || pieces > MAX_PIECES {
            self.give_up(out);
        }
    }

    fn give_up(&mut self, out: &mut BytesMut) {
        let fault = Fault::new(
            FaultKind::ProviderFailed,
            "the provider's answer cannot be put in order",
        );
        out.extend_from_slice(&super::fault_event(&fault));
        self.waiting = VecDeque::new();
        self.state = State::Done;
    }

    /// Whether what comes now has to wait for something before it.
    fn must_wait(&self) -> bool {
        !self.waiting.is_empty() || !self.may_close()
    }

    /// Whether the open block is whole.
    fn may_close(&self) -> bool {
        match &self.open {
            Open::Nothing | Open::Text | Open::Thinking { .. } => true,
            Open::Call { nesting, .. } => nesting.is_whole(),
        }
    }

    /// Writes what waits, as far as its turn has come.
    fn advance(&mut self, pace: Pace, out: &mut BytesMut) {
        let at_the_end = pace == Pace::AtTheEnd;
        while self.state != State::Done
            && let Some(next) = self.waiting.front()
            && (at_the_end || self.may_close() && next.may_begin())
            && let Some(next) = self.waiting.pop_front()
        {
            self.held = self.held.saturating_sub(next.len());
            self.write(next, out);
        }
    }

    /// Opens a block with all that is there of it.
    fn write(&mut self, piece: Piece, out: &mut BytesMut) {
        match piece {
            Piece::Text(text) => {
                self.begin(Open::Text, &Opening::Text { text: "" }, out);
                self.delta(Delta::Text { text: &text }, out);
            }
            Piece::Thinking { text, seal } => {
                let opening = Opening::Thinking {
                    thinking: "",
                    signature: "",
                };
                self.begin(Open::Thinking { seal }, &opening, out);
                if !text.is_empty() {
                    self.delta(Delta::Thinking { thinking: &text }, out);
                }
            }
            Piece::Call(call) => {
                let id = match &*call.id {
                    "" => Cow::Owned(id::made_up(&self.seed, call.key)),
                    id => id::fit(id),
                };
                let opening = Opening::ToolUse {
                    id: &id,
                    name: &call.name,
                    input: Nothing {},
                };
                let open = Open::Call {
                    key: call.key,
                    nesting: call.nesting,
                };
                self.begin(open, &opening, out);
                if !call.arguments.is_empty() {
                    self.delta(
                        Delta::Input {
                            partial_json: &call.arguments,
                        },
                        out,
                    );
                }
            }
        }
    }

    /// Closes the open block and opens the next.
    fn begin(&mut self, open: Open, opening: &Opening<'_>, out: &mut BytesMut) {
        self.close(out);
        self.open = open;
        Frame::ContentBlockStart {
            index: self.index,
            content_block: opening,
        }
        .put(out);
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        Frame::ContentBlockDelta {
            index: self.index,
            delta,
        }
        .put(out);
    }

    fn close(&mut self, out: &mut BytesMut) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::Text => {}
            Open::Thinking { seal } => {
                if !seal.is_empty() {
                    self.delta(Delta::Signature { signature: &seal }, out);
                }
            }
            Open::Call { key, .. } => self.told.push(key),
        }
        Frame::ContentBlockStop { index: self.index }.put(out);
        self.index = self.index.saturating_add(1);
    }
}
