//! The chunks of a streamed chat completion.

use crate::sim::openai::azure;
use crate::sim::openai::error::status_error;
use crate::sim::openai::terms::Terms;
use crate::sim::script::{Role, Usage};
use crate::sim::speech::Speech;
use crate::sim::steps::Piece;
use crate::sim::text::{GARBAGE, push_number};
use crate::sim::voice::{Voice, blank};

/// Writes the events of one answer.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    terms: Terms<'a>,
    blank: &'static [u8],
    voice: Voice,
}

impl<'a> Stream<'a> {
    /// A writer of what is said.
    pub(crate) fn new(speech: Speech<'a>, voice: Voice) -> Self {
        let blank = blank(speech.script.newline);
        let beside = match voice {
            Voice::Azure => azure::FILTERED_CHOICE,
            _ => b"",
        };
        Self {
            terms: Terms::new(speech, "chat.completion.chunk", beside),
            blank,
            voice,
        }
    }

    /// What is said.
    pub(crate) fn speech(&self) -> &Speech<'a> {
        &self.terms.speech
    }

    /// Adds the events of a piece: one, or one a choice.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Preamble => {
                if self.voice == Voice::Azure {
                    self.event(azure::FILTERED_PROMPT, out);
                }
                self.each_choice(|choice| self.preamble(choice, out));
            }
            Piece::Thought(thought) => {
                self.each_choice(|choice| self.thought(choice, thought, out));
            }
            Piece::Token(token) => self.each_choice(|choice| self.token(choice, token, out)),
            Piece::Finish => self.each_choice(|choice| self.finish(choice, out)),
            Piece::Usage => self.usage_chunk(out),
            Piece::Done => self.event(b"[DONE]", out),
            Piece::Error => self.event(&status_error(500, &self.terms.speech.script.error), out),
            Piece::Malformed => {
                self.event(b"{\"id\":\"chatcmpl-sim-malformed\",\"choices\":[{", out);
            }
            Piece::Garbage => {
                out.extend_from_slice(GARBAGE);
                out.extend_from_slice(self.blank);
            }
        }
    }

    fn each_choice(&self, write: impl FnMut(u32)) {
        (0..self.terms.speech.choices).for_each(write);
    }

    fn event(&self, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(data);
        out.extend_from_slice(self.blank);
    }

    fn open(&self, choice: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.terms.envelope);
        out.extend_from_slice(b"\"choices\":[{\"index\":");
        push_number(u64::from(choice), out);
        out.extend_from_slice(b",\"delta\":{");
    }

    /// Ends a chunk whose delta is complete. `thoughts` and `sent` count the tokens so far, this one
    /// included.
    fn close(&self, finish: &[u8], thoughts: u64, sent: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"},");
        out.extend_from_slice(self.terms.beside);
        out.extend_from_slice(b"\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(finish);
        out.extend_from_slice(b"}]");
        if self.terms.speech.script.usage == Usage::Every {
            out.extend_from_slice(b",\"usage\":");
            self.terms.push_usage(thoughts, sent, out);
        } else if self.terms.speech.asks_usage {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.push(b'}');
        out.extend_from_slice(self.blank);
    }

    fn preamble(&self, choice: u32, out: &mut Vec<u8>) {
        self.open(choice, out);
        let silent = self.terms.speech.calls_tools() || self.terms.speech.refuses();
        out.extend_from_slice(if silent {
            b"\"role\":\"assistant\",\"content\":null,\"refusal\":null"
        } else {
            b"\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"
        });
        self.close(b"null", 0, 0, out);
    }

    fn thought(&self, choice: u32, thought: u64, out: &mut Vec<u8>) {
        self.open(choice, out);
        out.extend_from_slice(self.role(thought));
        out.extend_from_slice(b"\"reasoning_content\":\"");
        self.terms.speech.thought(choice, thought, out);
        out.push(b'"');
        self.close(b"null", thought.saturating_add(1), 0, out);
    }

    /// The role, where it stands in the first token.
    fn role(&self, before: u64) -> &'static [u8] {
        if before == 0 && self.terms.speech.script.role == Role::Joined {
            b"\"role\":\"assistant\","
        } else {
            b""
        }
    }

    fn token(&self, choice: u32, token: u64, out: &mut Vec<u8>) {
        let thoughts = self.terms.speech.thoughts;
        let sent = token.saturating_add(1);
        let role = self.role(token.saturating_add(thoughts));
        let Some(call) = self.terms.speech.call(token) else {
            self.open(choice, out);
            out.extend_from_slice(role);
            out.extend_from_slice(if self.terms.speech.refuses() {
                b"\"refusal\":\""
            } else {
                b"\"content\":\""
            });
            self.terms.speech.token(choice, token, out);
            out.push(b'"');
            return self.close(b"null", thoughts, sent, out);
        };
        if call.first {
            self.open(choice, out);
            out.extend_from_slice(role);
            out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
            push_number(call.index, out);
            out.push(b',');
            self.terms.push_call_opening(choice, call.index, out);
            out.extend_from_slice(b"\"}}]");
            self.close(b"null", thoughts, token, out);
        }
        self.open(choice, out);
        out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
        push_number(call.index, out);
        out.extend_from_slice(b",\"function\":{\"arguments\":\"");
        self.terms.push_argument(choice, token, call, out);
        out.extend_from_slice(b"\"}}]");
        self.close(b"null", thoughts, sent, out);
    }

    fn finish(&self, choice: u32, out: &mut Vec<u8>) {
        self.open(choice, out);
        let (thoughts, tokens) = self.all();
        self.close(self.terms.finish().as_bytes(), thoughts, tokens, out);
    }

    fn all(&self) -> (u64, u64) {
        let speech = &self.terms.speech;
        (speech.thoughts, speech.tokens.count())
    }

    fn usage_chunk(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.terms.envelope);
        out.extend_from_slice(b"\"choices\":[],\"usage\":");
        let (thoughts, tokens) = self.all();
        self.terms.push_usage(thoughts, tokens, out);
        out.push(b'}');
        out.extend_from_slice(self.blank);
    }
}
