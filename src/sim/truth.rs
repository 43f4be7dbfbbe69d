//! What a provider would bill for a request, whether it said so or not: what its model had read and
//! written when the exchange ended.

use std::time::Duration;

use tokio::time::Instant;

use crate::sim::entry::Entry;
use crate::sim::script::{FaultKind, Script};
use crate::sim::speech::Counts;
use crate::sim::spoken::Writer;
use crate::sim::steps::{Form, Parts, Piece};

/// What a request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Until its end, whoever ended it.
    pub taken: Counts,
    /// What the answer said that it took; `None` if it did not come to say it.
    pub told: Option<Counts>,
}

/// An answer that is being made. Dropped, it notes what was made of it.
pub(crate) struct Making<'a> {
    entry: &'a Entry,
    script: &'a Script,
    writer: &'a Writer<'a>,
    parts: Parts,
    /// When the model began.
    began: Option<Instant>,
    thoughts: u64,
    tokens: u64,
    told: Option<Counts>,
}

impl<'a> Making<'a> {
    /// From when the request has been read.
    pub(crate) fn new(
        entry: &'a Entry,
        script: &'a Script,
        writer: &'a Writer<'a>,
        parts: Parts,
    ) -> Self {
        Self {
            entry,
            script,
            writer,
            parts,
            began: None,
            thoughts: 0,
            tokens: 0,
            told: None,
        }
    }

    /// The model begins.
    pub(crate) fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    /// Adds a piece.
    pub(crate) fn write(&mut self, piece: Piece, out: &mut Vec<u8>) {
        self.writer.write(piece, out);
        match piece {
            Piece::Thought(thought) => self.thoughts = thought.saturating_add(1),
            Piece::Token(token) => self.tokens = token.saturating_add(1),
            _ => {}
        }
        if self.writer.tells(piece) {
            self.told = self.writer.speech().total();
        }
    }

    /// A document is made before any of it goes out: what was written of it says nothing.
    fn made(&self) -> (u64, u64) {
        let Parts {
            thoughts, tokens, ..
        } = self.parts;
        if self.parts.form == Form::Stream {
            return (self.thoughts, self.tokens);
        }
        let since = self.began.map(|began| began.elapsed());
        let made = since.map_or(0, |since| due(self.script, since));
        let tokens = tokens.count().min(made.saturating_sub(thoughts));
        (thoughts.min(made), tokens)
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        // Turned away untouched, or answered with bytes that no model wrote.
        if self.script.has(FaultKind::Refuse) || self.script.raw.is_some() {
            return;
        }
        let (thoughts, tokens) = self.made();
        self.entry.set_truth(Truth {
            taken: self.writer.speech().taken(thoughts, tokens),
            told: self.told,
        });
    }
}

/// How many tokens are made within a time.
fn due(script: &Script, since: Duration) -> u64 {
    let Some(since) = since.checked_sub(script.first_after) else {
        return 0;
    };
    let count = since.as_nanos().checked_div(script.delay.as_nanos());
    count.map_or(u64::MAX, |count| u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_made_on_the_schedule_of_a_stream() {
        let script: Script = "first_after=1s,delay=20ms".parse().unwrap();
        for (millis, made) in [(0, 0), (999, 0), (1000, 0), (1020, 1), (2000, 50)] {
            assert_eq!(
                due(&script, Duration::from_millis(millis)),
                made,
                "{millis}"
            );
        }
        assert_eq!(due(&Script::default(), Duration::ZERO), u64::MAX);
    }
}
