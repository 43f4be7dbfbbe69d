//! A chat completion as one document, written piece by piece so that it need not fit in memory.

use crate::sim::openai::azure;
use crate::sim::openai::error::status_error;
use crate::sim::openai::terms::Terms;
use crate::sim::script::{Length, Usage};
use crate::sim::speech::Speech;
use crate::sim::steps::Piece;
use crate::sim::text::{GARBAGE, push_number};
use crate::sim::voice::Voice;

/// Writes one document. Tokens are counted through all choices, one choice after the other.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    terms: Terms<'a>,
}

impl<'a> Whole<'a> {
    /// A writer of what is said.
    pub(crate) fn new(speech: Speech<'a>, voice: Voice) -> Self {
        let beside = match voice {
            Voice::Azure => azure::FILTERED_CHOICE,
            _ => b"",
        };
        Self {
            terms: Terms::new(speech, "chat.completion", beside),
        }
    }

    /// What is said.
    pub(crate) fn speech(&self) -> &Speech<'a> {
        &self.terms.speech
    }

    /// Adds a piece of the document.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Preamble => {
                out.extend_from_slice(&self.terms.envelope);
                out.extend_from_slice(b"\"choices\":[");
                self.open(0, out);
            }
            Piece::Thought(thought) => {
                self.terms.speech.thought(0, thought, out);
                if thought.saturating_add(1) == self.terms.speech.thoughts {
                    self.open_content(out);
                }
            }
            Piece::Token(step) => self.token(step, out),
            Piece::Finish => self.finish(out),
            Piece::Usage => self.usage(out),
            Piece::Error => {
                out.extend_from_slice(&status_error(500, &self.terms.speech.script.error));
            }
            Piece::Malformed => out.extend_from_slice(b"\"malformed\":{"),
            Piece::Garbage => out.extend_from_slice(GARBAGE),
            Piece::Done => {}
        }
    }

    fn token(&self, step: u64, out: &mut Vec<u8>) {
        let (choice, token) = self.terms.speech.of_step(step);
        if token == 0 && choice > 0 {
            self.next_choice(choice, out);
        }
        let Some(call) = self.terms.speech.call(token) else {
            return self.terms.speech.token(choice, token, out);
        };
        if call.first {
            out.extend_from_slice(if call.index == 0 { b"{" } else { b",{" });
            self.terms.push_call_opening(choice, call.index, out);
        }
        self.terms.push_argument(choice, token, call, out);
        if call.last {
            out.extend_from_slice(b"\"}}");
        }
    }

    /// Ends a choice and begins the next one, its reasoning included.
    fn next_choice(&self, choice: u32, out: &mut Vec<u8>) {
        self.close(out);
        out.push(b',');
        self.open(choice, out);
        let thoughts = self.terms.speech.thoughts;
        for thought in 0..thoughts {
            self.terms.speech.thought(choice, thought, out);
        }
        if thoughts > 0 {
            self.open_content(out);
        }
    }

    fn open(&self, choice: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"index\":");
        push_number(u64::from(choice), out);
        out.extend_from_slice(b",\"message\":{\"role\":\"assistant\",");
        if self.terms.speech.thoughts > 0 {
            out.extend_from_slice(b"\"reasoning_content\":\"");
        } else {
            self.push_content(out);
        }
    }

    /// Ends the reasoning.
    fn open_content(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\",");
        self.push_content(out);
    }

    fn push_content(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.terms.speech.calls_tools() {
            b"\"content\":null,\"tool_calls\":["
        } else if self.terms.speech.refuses() {
            b"\"content\":null,\"refusal\":\""
        } else {
            b"\"content\":\""
        });
    }

    fn close(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.terms.speech.calls_tools() {
            b"],\"refusal\":null"
        } else if self.terms.speech.refuses() {
            b"\""
        } else {
            b"\",\"refusal\":null"
        });
        out.extend_from_slice(b",\"annotations\":[]},");
        out.extend_from_slice(self.terms.beside);
        out.extend_from_slice(b"\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(self.terms.finish().as_bytes());
        out.push(b'}');
    }

    fn finish(&self, out: &mut Vec<u8>) {
        if self.terms.speech.tokens == Length::Tokens(0) {
            // No token has opened the further choices.
            for choice in 1..self.terms.speech.choices {
                self.next_choice(choice, out);
            }
        }
        self.close(out);
        out.push(b']');
    }

    fn usage(&self, out: &mut Vec<u8>) {
        let speech = &self.terms.speech;
        if speech.script.usage != Usage::Missing {
            out.extend_from_slice(b",\"usage\":");
            self.terms
                .push_usage(speech.thoughts, speech.tokens.count(), out);
        }
        out.push(b'}');
    }
}
