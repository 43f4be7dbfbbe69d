//! The order of an answer: which piece comes next, and where a fault stands between. Pure.

use crate::sim::script::{Fault, FaultKind, Length, Point, Script, Shape};

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write this piece.
    Write(Piece),
    /// Let this happen to the connection, or to time.
    Fault(Fault),
}

/// A piece of an answer, which a dialect writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The envelope: a role chunk, or a document's beginning.
    Preamble,
    /// A token of the reasoning, counted from 0.
    Thought(u64),
    /// A token, counted from 0.
    Token(u64),
    /// The finish reason, or a document's end.
    Finish,
    /// The token counts.
    Usage,
    /// The end mark.
    Done,
    /// An error in place of the rest.
    Error,
    /// An event that is not JSON.
    Malformed,
    /// Bytes of no format.
    Garbage,
}

/// What kind of answer the pieces make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Events.
    Stream,
    /// One document.
    Whole,
}

/// Which pieces an answer has, as its format and the script have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) form: Form,
    /// Tokens of the reasoning.
    pub(crate) thoughts: u64,
    /// Tokens of one choice.
    pub(crate) tokens: Length,
    pub(crate) preamble: bool,
    pub(crate) finish: bool,
    pub(crate) usage: bool,
    /// How many end marks.
    pub(crate) marks: u8,
    /// How many of them follow an error.
    pub(crate) marks_after_error: u8,
}

impl Parts {
    /// A document: all of it, and its end is its own mark.
    pub(crate) fn whole(thoughts: u64, tokens: Length) -> Self {
        Self {
            form: Form::Whole,
            thoughts,
            tokens,
            preamble: true,
            finish: true,
            usage: true,
            marks: 0,
            marks_after_error: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preamble,
    Thought(u64),
    Token(u64),
    Finish,
    Usage,
    /// So many end marks are still to come.
    Done(u8),
    End,
    Over,
}

/// The steps of one answer, in order. After a fault that the caller treats as the end nobody
/// needs to ask further; if asked, it goes on as if nothing had been.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    parts: Parts,
    tokens: u64,
    place: Place,
    /// Whether an end mark has been written: the place before it is passed.
    marked: bool,
    /// The faults that are still to come, in the order written.
    faults: Vec<Fault>,
}

impl Steps {
    /// The steps of a script's answer. A document holds `choices` answers one after the other,
    /// a stream holds them side by side.
    pub(crate) fn new(script: &Script, parts: Parts, choices: u32) -> Self {
        let tokens = match (parts.tokens, parts.form) {
            (Length::Endless, _) => u64::MAX,
            (Length::Tokens(tokens), Form::Stream) => tokens,
            (Length::Tokens(tokens), Form::Whole) => tokens.saturating_mul(u64::from(choices)),
        };
        let error = |fault: &Fault| fault.kind == FaultKind::Error;
        let place = if script.shape == Shape::Empty {
            Place::End
        } else if parts.form == Form::Whole && script.faults.iter().any(error) {
            // Half a document and then an error would be no error that a client can read.
            Place::Token(0)
        } else {
            Place::Preamble
        };
        Self {
            parts,
            tokens,
            place,
            marked: false,
            faults: script.faults.clone(),
        }
    }

    /// The next step; `None` when the answer is complete.
    pub(crate) fn next(&mut self) -> Option<Step> {
        loop {
            if !self.faults.is_empty()
                && let Some(fault) = self.fault_here()
            {
                return Some(match fault.kind {
                    FaultKind::Cut
                    | FaultKind::Reset
                    | FaultKind::Stall(_)
                    | FaultKind::Goaway
                    | FaultKind::Refuse => Step::Fault(fault),
                    FaultKind::Garbage => Step::Write(Piece::Garbage),
                    FaultKind::Malformed => Step::Write(Piece::Malformed),
                    FaultKind::Error => {
                        self.place = self.after_error();
                        Step::Write(Piece::Error)
                    }
                });
            }
            if self.place == Place::Over {
                return None;
            }
            let piece = self.piece();
            self.marked |= piece == Some(Piece::Done);
            self.place = self.after();
            if let Some(piece) = piece {
                return Some(Step::Write(piece));
            }
        }
    }

    /// Takes the first fault that stands at this place.
    fn fault_here(&mut self) -> Option<Fault> {
        let whole_error = |fault: &Fault| {
            self.parts.form == Form::Whole
                && fault.kind == FaultKind::Error
                && self.place == Place::Token(0)
        };
        let here = match self.place {
            Place::Thought(thought) => Point::Thought(thought),
            Place::Token(token) => Point::Token(token),
            Place::Done(_) if !self.marked => Point::Done,
            Place::End => Point::End,
            Place::Preamble | Place::Finish | Place::Usage | Place::Done(_) | Place::Over => {
                return None;
            }
        };
        let index = self
            .faults
            .iter()
            .position(|fault| fault.at == here || whole_error(fault))?;
        Some(self.faults.remove(index))
    }

    fn after_error(&self) -> Place {
        match self.parts.form {
            Form::Stream => Place::Done(self.parts.marks_after_error),
            Form::Whole => Place::End,
        }
    }

    fn piece(&self) -> Option<Piece> {
        let parts = &self.parts;
        match self.place {
            Place::Preamble => parts.preamble.then_some(Piece::Preamble),
            Place::Thought(at) => (at < parts.thoughts).then_some(Piece::Thought(at)),
            Place::Token(at) => (at < self.tokens).then_some(Piece::Token(at)),
            Place::Finish => parts.finish.then_some(Piece::Finish),
            Place::Usage => parts.usage.then_some(Piece::Usage),
            Place::Done(marks) => (marks > 0).then_some(Piece::Done),
            Place::End | Place::Over => None,
        }
    }

    fn after(&self) -> Place {
        match self.place {
            Place::Preamble => Place::Thought(0),
            Place::Thought(at) if at < self.parts.thoughts => Place::Thought(at.saturating_add(1)),
            Place::Thought(_) => Place::Token(0),
            Place::Token(at) if at < self.tokens => Place::Token(at.saturating_add(1)),
            Place::Token(_) => Place::Finish,
            Place::Finish => Place::Usage,
            Place::Usage => Place::Done(self.parts.marks),
            Place::Done(marks) if marks > 1 => Place::Done(marks.saturating_sub(1)),
            Place::Done(_) => Place::End,
            Place::End | Place::Over => Place::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::script::{Done, Finish, Role};

    /// The steps in short: `P 0 1 F U D`, faults as their text.
    fn steps(script: &str, (form, usage): (Form, bool)) -> String {
        let script: Script = script.parse().unwrap();
        let parts = match form {
            Form::Whole => Parts::whole(script.thinking, script.tokens),
            Form::Stream => Parts {
                form,
                preamble: script.role == Role::Own,
                finish: script.finish != Finish::Missing,
                usage,
                marks: u8::from(script.done != Done::Missing),
                marks_after_error: u8::from(script.done != Done::Missing),
                ..Parts::whole(script.thinking, script.tokens)
            },
        };
        let mut steps = Steps::new(&script, parts, 1);
        let mut text = Vec::new();
        while let Some(step) = steps.next() {
            text.push(match step {
                Step::Fault(fault) => fault.to_string(),
                Step::Write(Piece::Preamble) => "P".to_owned(),
                Step::Write(Piece::Thought(thought)) => format!("t{thought}"),
                Step::Write(Piece::Token(token)) => token.to_string(),
                Step::Write(Piece::Finish) => "F".to_owned(),
                Step::Write(Piece::Usage) => "U".to_owned(),
                Step::Write(Piece::Done) => "D".to_owned(),
                Step::Write(Piece::Error) => "error".to_owned(),
                Step::Write(Piece::Malformed) => "malformed".to_owned(),
                Step::Write(Piece::Garbage) => "garbage".to_owned(),
            });
        }
        text.join(" ")
    }

    #[test]
    fn pieces_and_faults_come_in_order() {
        let (plain, usage) = ((Form::Stream, false), (Form::Stream, true));
        let whole = (Form::Whole, true);
        let cases = [
            ("tokens=2", plain, "P 0 1 F D"),
            ("tokens=2", usage, "P 0 1 F U D"),
            ("tokens=2", whole, "P 0 1 F U"),
            ("tokens=0", plain, "P F D"),
            ("tokens=2,role=none,no_finish,no_done", plain, "0 1"),
            ("tokens=1,role=joined", plain, "0 F D"),
            ("thinking=2,tokens=1", plain, "P t0 t1 0 F D"),
            ("thinking=2,tokens=1", whole, "P t0 t1 0 F U"),
            (
                "thinking=2,tokens=1,cut@t1,stall@0=1s",
                plain,
                "P t0 cut@t1 t1 stall@0=1s 0 F D",
            ),
            ("tokens=2,cut@1", plain, "P 0 cut@1 1 F D"),
            ("tokens=2,cut@2", plain, "P 0 1 cut@2 F D"),
            ("tokens=2,reset@0", plain, "P reset@0 0 1 F D"),
            ("tokens=2,cut@9", plain, "P 0 1 F D"),
            (
                "tokens=2,stall@1=2s,malformed@1,garbage@2",
                plain,
                "P 0 stall@1=2s malformed 1 garbage F D",
            ),
            ("tokens=2,error@1", usage, "P 0 error D"),
            ("tokens=2,error@1,no_done", usage, "P 0 error"),
            ("tokens=2,error@1", whole, "error"),
            ("tokens=1,cut@done", usage, "P 0 F U cut@done D"),
            ("tokens=1,cut@end", usage, "P 0 F U D cut@end"),
            ("empty", usage, ""),
        ];
        for (script, form, expected) in cases {
            assert_eq!(steps(script, form), expected, "{script} {form:?}");
        }
    }
}
