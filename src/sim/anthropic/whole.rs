//! A message as one document, written piece by piece so that it need not fit in memory.

use crate::sim::anthropic::error::event_error;
use crate::sim::anthropic::terms::{SIGNATURE, call_id, ending, envelope, usage};
use crate::sim::speech::Speech;
use crate::sim::steps::Piece;
use crate::sim::text::{Call, GARBAGE};

/// Writes one document.
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
            Piece::Preamble => {
                out.push(b'{');
                out.extend_from_slice(envelope(&self.speech).as_bytes());
            }
            Piece::Thought(thought) => self.thought(thought, out),
            Piece::Token(token) => self.token(token, out),
            Piece::Finish => {
                if !self.speech.calls_tools() && self.speech.tokens.count() > 0 {
                    out.extend_from_slice(b"\"}");
                }
                out.extend_from_slice(b"],");
                out.extend_from_slice(ending(&self.speech).as_bytes());
            }
            Piece::Usage => {
                if let Some(counts) = self.speech.total() {
                    out.extend_from_slice(b",\"usage\":");
                    out.extend_from_slice(usage(&counts, counts.completion()).as_bytes());
                }
                out.push(b'}');
            }
            Piece::Error => out.extend_from_slice(&event_error(&self.speech.script.error)),
            Piece::Malformed => out.extend_from_slice(b"\"malformed\":{"),
            Piece::Garbage => out.extend_from_slice(GARBAGE),
            Piece::Done => {}
        }
    }

    fn token(&self, token: u64, out: &mut Vec<u8>) {
        if let Some(call) = self.speech.call(token) {
            return self.argument(token, call, out);
        }
        if token == 0 {
            self.comma(0, out);
            out.extend_from_slice(b"{\"type\":\"text\",\"text\":\"");
        }
        self.speech.token(0, token, out);
    }

    fn thought(&self, thought: u64, out: &mut Vec<u8>) {
        if thought == 0 {
            out.extend_from_slice(b"{\"type\":\"thinking\",\"thinking\":\"");
        }
        self.speech.thought(0, thought, out);
        if thought.saturating_add(1) == self.speech.thoughts {
            let end = format!("\",\"signature\":\"{SIGNATURE}\"}}");
            out.extend_from_slice(end.as_bytes());
        }
    }

    /// Between blocks: `index` counts those that are no reasoning.
    fn comma(&self, index: u64, out: &mut Vec<u8>) {
        if index > 0 || self.speech.thoughts > 0 {
            out.push(b',');
        }
    }

    fn argument(&self, token: u64, call: Call, out: &mut Vec<u8>) {
        if call.first {
            self.comma(call.index, out);
            let (id, tool) = (call_id(&self.speech, call.index), &self.speech.tool);
            let block = format!(
                "{{\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":\"{tool}\",\
                 \"input\":{{\"text\":\""
            );
            out.extend_from_slice(block.as_bytes());
        }
        self.speech.token(0, token, out);
        if call.last {
            out.extend_from_slice(b"\"}}");
        }
    }
}
