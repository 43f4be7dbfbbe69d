//! A chat completion as one document, written piece by piece so that it need not fit in memory.

use crate::sim::asked::Asked;
use crate::sim::openai::error::status_error;
use crate::sim::openai::terms::{Origin, Terms};
use crate::sim::script::{Content, Length, Script, Usage};
use crate::sim::steps::Piece;
use crate::sim::text::{GARBAGE, call, push_number};

/// Writes one document. Tokens are counted through all choices, one choice after the other.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    terms: Terms<'a>,
}

impl<'a> Whole<'a> {
    /// A writer for what `asked` wants.
    pub(crate) fn new(script: &'a Script, asked: &Asked, origin: &Origin<'_>) -> Self {
        Self {
            terms: Terms::new(script, asked, origin, "chat.completion"),
        }
    }

    /// Adds a piece of the document.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Preamble => {
                out.extend_from_slice(&self.terms.envelope);
                out.extend_from_slice(b"\"choices\":[");
                self.open(0, out);
            }
            Piece::Token(step) => self.token(step, out),
            Piece::Finish => self.finish(out),
            Piece::Usage => self.usage(out),
            Piece::Error => out.extend_from_slice(&status_error(500, &self.terms.script.error)),
            Piece::Malformed => out.extend_from_slice(b"\"malformed\":{"),
            Piece::Garbage => out.extend_from_slice(GARBAGE),
            Piece::Done => {}
        }
    }

    fn token(&self, step: u64, out: &mut Vec<u8>) {
        let (choice, token) = match self.terms.script.tokens {
            Length::Endless => (0, step),
            Length::Tokens(tokens) => {
                let choice = step.checked_div(tokens).unwrap_or(0);
                (
                    u32::try_from(choice).unwrap_or(0),
                    step.checked_rem(tokens).unwrap_or(0),
                )
            }
        };
        if token == 0 && choice > 0 {
            self.close(out);
            out.push(b',');
            self.open(choice, out);
        }
        let Some(call) = call(self.terms.script, token) else {
            return self.terms.words.write(choice, token, out);
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

    fn open(&self, choice: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"index\":");
        push_number(u64::from(choice), out);
        out.extend_from_slice(b",\"message\":{\"role\":\"assistant\",");
        out.extend_from_slice(match self.terms.script.content {
            Content::Text => b"\"content\":\"",
            Content::Tools { .. } => b"\"content\":null,\"tool_calls\":[",
        });
    }

    fn close(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.terms.script.content {
            Content::Text => b"\"",
            Content::Tools { .. } => b"]",
        });
        out.extend_from_slice(
            b",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":",
        );
        out.extend_from_slice(self.terms.finish().as_bytes());
        out.push(b'}');
    }

    fn finish(&self, out: &mut Vec<u8>) {
        if self.terms.script.tokens == Length::Tokens(0) {
            // No token has opened the further choices.
            for choice in 1..self.terms.choices {
                self.close(out);
                out.push(b',');
                self.open(choice, out);
            }
        }
        self.close(out);
        out.push(b']');
    }

    fn usage(&self, out: &mut Vec<u8>) {
        if self.terms.script.usage != Usage::Missing {
            out.extend_from_slice(b",\"usage\":");
            let tokens = self.terms.script.tokens.count();
            self.terms
                .push_usage(tokens.saturating_mul(u64::from(self.terms.choices)), out);
        }
        out.push(b'}');
    }
}
