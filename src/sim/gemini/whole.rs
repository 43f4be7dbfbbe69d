//! An answer as one document, written piece by piece so that it need not fit in memory.

use crate::sim::gemini::error::stream_error;
use crate::sim::gemini::terms::{SIGNATURE, finish, is_blocked, origin, usage};
use crate::sim::script::Length;
use crate::sim::speech::Speech;
use crate::sim::steps::Piece;
use crate::sim::text::{Call, GARBAGE};

/// Writes one document. Tokens are counted through all candidates, one after the other.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    speech: Speech<'a>,
}

impl<'a> Whole<'a> {
    /// A writer of what is said.
    pub(crate) fn new(speech: Speech<'a>) -> Self {
        Self { speech }
    }

    /// What is said.
    pub(crate) fn speech(&self) -> &Speech<'a> {
        &self.speech
    }

    /// Adds a piece of the document.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Preamble if is_blocked(&self.speech) => {
                out.extend_from_slice(b"{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}");
            }
            Piece::Preamble => {
                out.extend_from_slice(b"{\"candidates\":[");
                open(out);
            }
            Piece::Thought(thought) => self.thought(0, thought, out),
            Piece::Token(step) => self.token(step, out),
            Piece::Finish if is_blocked(&self.speech) => {}
            Piece::Finish => {
                let choices = self.speech.choices;
                if self.speech.tokens == Length::Tokens(0) {
                    (1..choices).for_each(|choice| self.next(choice, out));
                }
                self.close(choices.saturating_sub(1), out);
                out.push(b']');
            }
            Piece::Usage => {
                out.push(b',');
                out.extend_from_slice(usage(self.speech.total()).as_bytes());
                out.extend_from_slice(origin(&self.speech).as_bytes());
                out.push(b'}');
            }
            Piece::Error => out.extend_from_slice(&stream_error(&self.speech.script.error)),
            Piece::Malformed => out.extend_from_slice(b"\"malformed\":{"),
            Piece::Garbage => out.extend_from_slice(GARBAGE),
            Piece::Done => {}
        }
    }

    /// Ends a candidate and begins the next one, its reasoning included.
    fn next(&self, choice: u32, out: &mut Vec<u8>) {
        self.close(choice.saturating_sub(1), out);
        out.push(b',');
        open(out);
        (0..self.speech.thoughts).for_each(|thought| self.thought(choice, thought, out));
    }

    fn thought(&self, choice: u32, thought: u64, out: &mut Vec<u8>) {
        if thought == 0 {
            out.extend_from_slice(b"{\"text\":\"");
        }
        self.speech.thought(choice, thought, out);
        if thought.saturating_add(1) == self.speech.thoughts {
            out.extend_from_slice(b"\",\"thought\":true}");
        }
    }

    fn token(&self, step: u64, out: &mut Vec<u8>) {
        let (choice, token) = self.speech.of_step(step);
        if token == 0 && choice > 0 {
            self.next(choice, out);
        }
        let call = self.speech.call(token);
        let first = call.map_or(token == 0, |call| call.first);
        if first && (token > 0 || self.speech.thoughts > 0) {
            out.push(b',');
        }
        if let Some(call) = call {
            return self.argument(choice, token, call, out);
        }
        if first {
            out.extend_from_slice(b"{\"text\":\"");
        }
        self.speech.token(choice, token, out);
    }

    fn argument(&self, choice: u32, token: u64, call: Call, out: &mut Vec<u8>) {
        if call.first {
            out.extend_from_slice(b"{\"functionCall\":{\"name\":\"");
            out.extend_from_slice(self.speech.tool.as_bytes());
            out.extend_from_slice(b"\",\"args\":{\"text\":\"");
        }
        self.speech.token(choice, token, out);
        if call.last {
            out.extend_from_slice(b"\"}}");
            if call.index == 0 {
                let signature = format!(",\"thoughtSignature\":\"{SIGNATURE}\"");
                out.extend_from_slice(signature.as_bytes());
            }
            out.push(b'}');
        }
    }

    /// Ends a candidate.
    fn close(&self, choice: u32, out: &mut Vec<u8>) {
        if !self.speech.calls_tools() && self.speech.tokens.count() > 0 {
            let end = format!("\",\"thoughtSignature\":\"{SIGNATURE}\"}}");
            out.extend_from_slice(end.as_bytes());
        }
        out.extend_from_slice(b"],\"role\":\"model\"}");
        if let Some(reason) = finish(&self.speech) {
            out.extend_from_slice(b",\"finishReason\":");
            out.extend_from_slice(reason.as_bytes());
        }
        out.extend_from_slice(format!(",\"index\":{choice}}}").as_bytes());
    }
}

fn open(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"content\":{\"parts\":[");
}
