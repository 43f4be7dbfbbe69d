//! The chunks of a streamed answer.

use std::ops::Range;

use crate::sim::gemini::error::stream_error;
use crate::sim::gemini::terms::{SIGNATURE, finish, is_blocked, origin, usage};
use crate::sim::speech::Speech;
use crate::sim::steps::Piece;
use crate::sim::text::{Call, GARBAGE};

/// What ends an event here, whatever the script says of line ends.
const BLANK: &[u8] = b"\r\n\r\n";

/// Writes the events of one answer.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    speech: Speech<'a>,
    origin: String,
}

impl<'a> Stream<'a> {
    /// A writer of what is said.
    pub(crate) fn new(speech: Speech<'a>) -> Self {
        Self {
            origin: origin(&speech),
            speech,
        }
    }

    /// What is said.
    pub(crate) fn speech(&self) -> &Speech<'a> {
        &self.speech
    }

    /// Adds the events of a piece.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Thought(thought) => {
                let sent = (thought.saturating_add(1), 0);
                self.each_choice(sent, None, out, |choice, out| {
                    out.extend_from_slice(b"{\"text\":\"");
                    self.speech.thought(choice, thought, out);
                    out.extend_from_slice(b"\",\"thought\":true}");
                });
            }
            Piece::Token(token) => self.token(token, out),
            Piece::Finish => self.finish(out),
            Piece::Error => out.extend_from_slice(&stream_error(&self.speech.script.error)),
            Piece::Malformed => {
                out.extend_from_slice(b"data: {\"candidates\":[{\"content\":{\"parts\":[{");
                out.extend_from_slice(BLANK);
            }
            Piece::Garbage => {
                out.extend_from_slice(GARBAGE);
                out.extend_from_slice(BLANK);
            }
            Piece::Preamble | Piece::Usage | Piece::Done => {}
        }
    }

    fn token(&self, token: u64, out: &mut Vec<u8>) {
        let sent = (self.speech.thoughts, token.saturating_add(1));
        match self.speech.call(token) {
            None => self.each_choice(sent, None, out, |choice, out| {
                out.extend_from_slice(b"{\"text\":\"");
                self.speech.token(choice, token, out);
                out.extend_from_slice(b"\"}");
            }),
            // A call comes whole, with its last token.
            Some(call) if call.last => {
                let tokens = self.tokens_of(token, call);
                self.each_choice(sent, None, out, |choice, out| {
                    self.call(choice, call, tokens.clone(), out);
                });
            }
            Some(_) => {}
        }
    }

    /// The tokens of the call that ends with this one.
    fn tokens_of(&self, last: u64, call: Call) -> Range<u64> {
        let mut first = last;
        while let Some(before) = first.checked_sub(1) {
            match self.speech.call(before) {
                Some(other) if other.index == call.index => first = before,
                _ => break,
            }
        }
        first..last.saturating_add(1)
    }

    fn call(&self, choice: u32, call: Call, tokens: Range<u64>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"functionCall\":{\"name\":\"");
        out.extend_from_slice(self.speech.tool.as_bytes());
        out.extend_from_slice(b"\",\"args\":{\"text\":\"");
        tokens.for_each(|token| self.speech.token(choice, token, out));
        out.extend_from_slice(b"\"}}");
        if call.index == 0 {
            push_signature(out);
        }
        out.push(b'}');
    }

    fn finish(&self, out: &mut Vec<u8>) {
        let sent = (self.speech.thoughts, self.speech.tokens.count());
        if is_blocked(&self.speech) {
            out.extend_from_slice(b"data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"},");
            return self.close(sent, out);
        }
        let reason = finish(&self.speech);
        let signed = !self.speech.calls_tools();
        self.each_choice(sent, reason.as_deref(), out, |_, out| {
            out.extend_from_slice(b"{\"text\":\"\"");
            if signed {
                push_signature(out);
            }
            out.push(b'}');
        });
    }

    /// Adds a chunk for each choice, with the part that `write` adds.
    fn each_choice(
        &self,
        sent: (u64, u64),
        reason: Option<&str>,
        out: &mut Vec<u8>,
        write: impl Fn(u32, &mut Vec<u8>),
    ) {
        for choice in 0..self.speech.choices {
            out.extend_from_slice(b"data: {\"candidates\":[{\"content\":{\"parts\":[");
            write(choice, out);
            out.extend_from_slice(b"],\"role\":\"model\"}");
            if let Some(reason) = reason {
                out.extend_from_slice(b",\"finishReason\":");
                out.extend_from_slice(reason.as_bytes());
            }
            out.extend_from_slice(format!(",\"index\":{choice}}}],").as_bytes());
            self.close(sent, out);
        }
    }

    /// Ends a chunk: the usage so far, and whose words these are.
    fn close(&self, (thoughts, tokens): (u64, u64), out: &mut Vec<u8>) {
        out.extend_from_slice(usage(self.speech.counts(thoughts, tokens)).as_bytes());
        out.extend_from_slice(self.origin.as_bytes());
        out.push(b'}');
        out.extend_from_slice(BLANK);
    }
}

fn push_signature(out: &mut Vec<u8>) {
    out.extend_from_slice(format!(",\"thoughtSignature\":\"{SIGNATURE}\"").as_bytes());
}
