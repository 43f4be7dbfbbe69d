//! The order of an answer: which piece comes next, and where a fault stands between. Pure.

use crate::sim::script::{
    Done, Fault, FaultKind, Finish, Length, Point, Role, Script, Shape, Usage,
};

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
    /// Events; the last one before the end mark is usage where it is told.
    Stream {
        /// Whether the request asked for usage.
        usage: bool,
    },
    /// One document.
    Whole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preamble,
    Token(u64),
    Finish,
    Usage,
    Done,
    DoneAgain,
    End,
    Over,
}

/// The steps of one answer, in order. After a fault that the caller treats as the end nobody
/// needs to ask further; if asked, it goes on as if nothing had been.
#[derive(Clone, Debug)]
pub(crate) struct Steps<'a> {
    script: &'a Script,
    form: Form,
    tokens: u64,
    place: Place,
    /// The faults that are still to come, in the order written.
    faults: Vec<Fault>,
}

impl<'a> Steps<'a> {
    /// The steps of a script's answer. A document holds `choices` answers one after the other,
    /// a stream holds them side by side.
    pub(crate) fn new(script: &'a Script, form: Form, choices: u32) -> Self {
        let tokens = match (script.tokens, form) {
            (Length::Endless, _) => u64::MAX,
            (Length::Tokens(tokens), Form::Stream { .. }) => tokens,
            (Length::Tokens(tokens), Form::Whole) => tokens.saturating_mul(u64::from(choices)),
        };
        let error = |fault: &Fault| fault.kind == FaultKind::Error;
        let place = if script.shape == Shape::Empty {
            Place::End
        } else if form == Form::Whole && script.faults.iter().any(error) {
            // Half a document and then an error would be no error that a client can read.
            Place::Token(0)
        } else {
            Place::Preamble
        };
        Self {
            script,
            form,
            tokens,
            place,
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
            self.place = self.after();
            if let Some(piece) = piece {
                return Some(Step::Write(piece));
            }
        }
    }

    /// Takes the first fault that stands at this place.
    fn fault_here(&mut self) -> Option<Fault> {
        let whole_error = |fault: &Fault| {
            self.form == Form::Whole
                && fault.kind == FaultKind::Error
                && self.place == Place::Token(0)
        };
        let here = match self.place {
            Place::Token(token) => Point::Token(token),
            Place::Done => Point::Done,
            Place::End => Point::End,
            Place::Preamble | Place::Finish | Place::Usage | Place::DoneAgain | Place::Over => {
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
        match self.form {
            Form::Stream { .. } => Place::Done,
            Form::Whole => Place::End,
        }
    }

    fn piece(&self) -> Option<Piece> {
        let stream = self.form != Form::Whole;
        match self.place {
            Place::Preamble if stream && self.script.role != Role::Own => None,
            Place::Preamble => Some(Piece::Preamble),
            Place::Token(token) if token < self.tokens => Some(Piece::Token(token)),
            Place::Finish if stream && self.script.finish == Finish::Missing => None,
            Place::Finish => Some(Piece::Finish),
            Place::Usage => match (self.form, self.script.usage) {
                (Form::Whole, _) | (Form::Stream { usage: true }, Usage::Asked | Usage::Zero) => {
                    Some(Piece::Usage)
                }
                (Form::Stream { .. }, Usage::Every) => Some(Piece::Usage),
                (Form::Stream { .. }, Usage::Missing | Usage::Asked | Usage::Zero) => None,
            },
            Place::Done if stream && self.script.done != Done::Missing => Some(Piece::Done),
            Place::DoneAgain if stream && self.script.done == Done::Twice => Some(Piece::Done),
            Place::Token(_) | Place::Done | Place::DoneAgain | Place::End | Place::Over => None,
        }
    }

    fn after(&self) -> Place {
        match self.place {
            Place::Preamble => Place::Token(0),
            Place::Token(token) if token < self.tokens => Place::Token(token.saturating_add(1)),
            Place::Token(_) => Place::Finish,
            Place::Finish => Place::Usage,
            Place::Usage => Place::Done,
            Place::Done => Place::DoneAgain,
            Place::DoneAgain => Place::End,
            Place::End | Place::Over => Place::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps in short: `P 0 1 F U D`, faults as their text.
    fn steps(script: &str, form: Form) -> String {
        let script: Script = script.parse().unwrap();
        let mut steps = Steps::new(&script, form, 1);
        let mut text = Vec::new();
        while let Some(step) = steps.next() {
            text.push(match step {
                Step::Fault(fault) => fault.to_string(),
                Step::Write(Piece::Preamble) => "P".to_owned(),
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
        let plain = Form::Stream { usage: false };
        let usage = Form::Stream { usage: true };
        let cases = [
            ("tokens=2", plain, "P 0 1 F D"),
            ("tokens=2", usage, "P 0 1 F U D"),
            ("tokens=2", Form::Whole, "P 0 1 F U"),
            ("tokens=0", plain, "P F D"),
            ("tokens=2,role=none,no_finish,no_done", plain, "0 1"),
            ("tokens=1,role=joined,done_twice", plain, "0 F D D"),
            ("tokens=1,usage=none", usage, "P 0 F D"),
            ("tokens=1,usage=every", plain, "P 0 F U D"),
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
            ("tokens=2,error@1", Form::Whole, "error"),
            ("tokens=1,cut@done", usage, "P 0 F U cut@done D"),
            ("tokens=1,cut@end", usage, "P 0 F U D cut@end"),
            ("empty", usage, ""),
        ];
        for (script, form, expected) in cases {
            assert_eq!(steps(script, form), expected, "{script} {form:?}");
        }
    }
}
