//! The chunks of a streamed chat completion.

use crate::sim::asked::{Asked, Delivery};
use crate::sim::openai::error::status_error;
use crate::sim::openai::terms::{Origin, Terms};
use crate::sim::script::{Content, Newline, Role, Script, Usage};
use crate::sim::steps::Piece;
use crate::sim::text::{GARBAGE, call, push_number};

/// Writes the events of one answer.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    terms: Terms<'a>,
    blank: &'static [u8],
    /// Whether the request asked for usage: then every chunk names it.
    usage: bool,
}

impl<'a> Stream<'a> {
    /// A writer for what `asked` wants.
    pub(crate) fn new(script: &'a Script, asked: &Asked, origin: &Origin<'_>) -> Self {
        let blank: &[u8] = match script.newline {
            Newline::Lf => b"\n\n",
            Newline::CrLf => b"\r\n\r\n",
        };
        Self {
            terms: Terms::new(script, asked, origin, "chat.completion.chunk"),
            blank,
            usage: asked.delivery == Delivery::StreamWithUsage,
        }
    }

    /// Adds the events of a piece: one, or one a choice.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Preamble => self.each_choice(|choice| self.preamble(choice, out)),
            Piece::Token(token) => self.each_choice(|choice| self.token(choice, token, out)),
            Piece::Finish => self.each_choice(|choice| self.finish(choice, out)),
            Piece::Usage => self.usage_chunk(out),
            Piece::Done => self.event(b"[DONE]", out),
            Piece::Error => self.event(&status_error(500, &self.terms.script.error), out),
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
        (0..self.terms.choices).for_each(write);
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

    /// Ends a chunk whose delta is complete. `sent` counts the tokens so far, this one included.
    fn close(&self, finish: &[u8], sent: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(finish);
        out.extend_from_slice(b"}]");
        if self.terms.script.usage == Usage::Every {
            out.extend_from_slice(b",\"usage\":");
            self.terms
                .push_usage(sent.saturating_mul(u64::from(self.terms.choices)), out);
        } else if self.usage {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.push(b'}');
        out.extend_from_slice(self.blank);
    }

    fn preamble(&self, choice: u32, out: &mut Vec<u8>) {
        self.open(choice, out);
        out.extend_from_slice(match self.terms.script.content {
            Content::Text => b"\"role\":\"assistant\",\"content\":\"\",\"refusal\":null",
            Content::Tools { .. } => b"\"role\":\"assistant\",\"content\":null,\"refusal\":null",
        });
        self.close(b"null", 0, out);
    }

    fn token(&self, choice: u32, token: u64, out: &mut Vec<u8>) {
        let sent = token.saturating_add(1);
        let joined = token == 0 && self.terms.script.role == Role::Joined;
        let role: &[u8] = if joined {
            b"\"role\":\"assistant\","
        } else {
            b""
        };
        let Some(call) = call(self.terms.script, token) else {
            self.open(choice, out);
            out.extend_from_slice(role);
            out.extend_from_slice(b"\"content\":\"");
            self.terms.words.write(choice, token, out);
            out.push(b'"');
            return self.close(b"null", sent, out);
        };
        if call.first {
            self.open(choice, out);
            out.extend_from_slice(role);
            out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
            push_number(call.index, out);
            out.push(b',');
            self.terms.push_call_opening(choice, call.index, out);
            out.extend_from_slice(b"\"}}]");
            self.close(b"null", token, out);
        }
        self.open(choice, out);
        out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
        push_number(call.index, out);
        out.extend_from_slice(b",\"function\":{\"arguments\":\"");
        self.terms.push_argument(choice, token, call, out);
        out.extend_from_slice(b"\"}}]");
        self.close(b"null", sent, out);
    }

    fn finish(&self, choice: u32, out: &mut Vec<u8>) {
        self.open(choice, out);
        self.close(
            self.terms.finish().as_bytes(),
            self.terms.script.tokens.count(),
            out,
        );
    }

    fn usage_chunk(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.terms.envelope);
        out.extend_from_slice(b"\"choices\":[],\"usage\":");
        let tokens = self.terms.script.tokens.count();
        self.terms
            .push_usage(tokens.saturating_mul(u64::from(self.terms.choices)), out);
        out.push(b'}');
        out.extend_from_slice(self.blank);
    }
}
