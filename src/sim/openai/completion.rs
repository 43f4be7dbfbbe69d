//! A completion of a text (`POST /v1/completions`), streamed or whole.

use crate::sim::openai::error::status_error;
use crate::sim::openai::terms::Terms;
use crate::sim::script::{Length, Usage};
use crate::sim::speech::Speech;
use crate::sim::steps::{Form, Piece};
use crate::sim::text::{GARBAGE, push_number};
use crate::sim::voice::blank;

/// Writes one answer. It knows neither roles nor tools nor reasoning: their words are text.
#[derive(Debug)]
pub(crate) struct Completion<'a> {
    terms: Terms<'a>,
    form: Form,
    blank: &'static [u8],
}

impl<'a> Completion<'a> {
    /// A writer of what is said.
    pub(crate) fn new(speech: Speech<'a>, form: Form) -> Self {
        let blank = blank(speech.script.newline);
        Self {
            terms: Terms::new(speech, "text_completion", b""),
            form,
            blank,
        }
    }

    /// What is said.
    pub(crate) fn speech(&self) -> &Speech<'a> {
        &self.terms.speech
    }

    /// Adds a piece.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match (self.form, piece) {
            (_, Piece::Thought(_))
            | (Form::Stream, Piece::Preamble)
            | (Form::Whole, Piece::Done) => {}
            (Form::Whole, piece) => self.write_whole(piece, out),
            (Form::Stream, Piece::Token(token)) => {
                self.each_choice(|choice| {
                    self.chunk(choice, Some(token), b"null", out);
                });
            }
            (Form::Stream, Piece::Finish) => {
                let finish = self.terms.finish();
                self.each_choice(|choice| self.chunk(choice, None, finish.as_bytes(), out));
            }
            (Form::Stream, Piece::Usage) => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&self.terms.envelope);
                out.extend_from_slice(b"\"choices\":[],\"usage\":");
                self.push_usage(out);
                out.push(b'}');
                out.extend_from_slice(self.blank);
            }
            (Form::Stream, Piece::Done) => self.event(b"[DONE]", out),
            (Form::Stream, Piece::Error) => {
                self.event(&status_error(500, &self.terms.speech.script.error), out);
            }
            (Form::Stream, Piece::Malformed) => {
                self.event(b"{\"id\":\"cmpl-sim-malformed\",\"choices\":[{", out);
            }
            (Form::Stream, Piece::Garbage) => {
                out.extend_from_slice(GARBAGE);
                out.extend_from_slice(self.blank);
            }
        }
    }

    fn write_whole(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Preamble => {
                out.extend_from_slice(&self.terms.envelope);
                out.extend_from_slice(b"\"choices\":[{\"text\":\"");
            }
            Piece::Token(step) => {
                let (choice, token) = self.terms.speech.of_step(step);
                if token == 0 && choice > 0 {
                    self.next_choice(choice, out);
                }
                self.terms.speech.token(choice, token, out);
            }
            Piece::Finish => {
                let choices = self.terms.speech.choices;
                if self.terms.speech.tokens == Length::Tokens(0) {
                    (1..choices).for_each(|choice| self.next_choice(choice, out));
                }
                self.close(choices.saturating_sub(1), out);
                out.push(b']');
            }
            Piece::Usage => {
                if self.terms.speech.script.usage != Usage::Missing {
                    out.extend_from_slice(b",\"usage\":");
                    self.push_usage(out);
                }
                out.push(b'}');
            }
            Piece::Error => {
                out.extend_from_slice(&status_error(500, &self.terms.speech.script.error));
            }
            Piece::Malformed => out.extend_from_slice(b"\"malformed\":{"),
            Piece::Garbage => out.extend_from_slice(GARBAGE),
            Piece::Thought(_) | Piece::Done => {}
        }
    }

    fn next_choice(&self, choice: u32, out: &mut Vec<u8>) {
        self.close(choice.saturating_sub(1), out);
        out.extend_from_slice(b",{\"text\":\"");
    }

    /// Ends the text of a choice in a document.
    fn close(&self, choice: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\",\"index\":");
        push_number(u64::from(choice), out);
        out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(self.terms.finish().as_bytes());
        out.push(b'}');
    }

    fn each_choice(&self, write: impl FnMut(u32)) {
        (0..self.terms.speech.choices).for_each(write);
    }

    fn event(&self, data: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(data);
        out.extend_from_slice(self.blank);
    }

    fn chunk(&self, choice: u32, token: Option<u64>, finish: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.terms.envelope);
        out.extend_from_slice(b"\"choices\":[{\"text\":\"");
        if let Some(token) = token {
            self.terms.speech.token(choice, token, out);
        }
        out.extend_from_slice(b"\",\"index\":");
        push_number(u64::from(choice), out);
        out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(finish);
        out.extend_from_slice(b"}]");
        if self.terms.speech.asks_usage {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.push(b'}');
        out.extend_from_slice(self.blank);
    }

    fn push_usage(&self, out: &mut Vec<u8>) {
        let speech = &self.terms.speech;
        self.terms
            .push_usage(speech.thoughts, speech.tokens.count(), out);
    }
}
