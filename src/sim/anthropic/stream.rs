//! The events of a streamed message.

use crate::sim::anthropic::error::event_error;
use crate::sim::anthropic::terms::{SIGNATURE, call_id, ending, envelope, last_usage, usage};
use crate::sim::speech::Speech;
use crate::sim::steps::Piece;
use crate::sim::text::{Call, GARBAGE, push_number};
use crate::sim::voice::blank;

/// Writes the events of one answer.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    speech: Speech<'a>,
    blank: &'static [u8],
    /// The line's end.
    end: &'static [u8],
}

impl<'a> Stream<'a> {
    /// A writer of what is said.
    pub(crate) fn new(speech: Speech<'a>) -> Self {
        let blank = blank(speech.script.newline);
        let end = blank.get(..blank.len() / 2).unwrap_or_default();
        Self { speech, blank, end }
    }

    /// What is said.
    pub(crate) fn speech(&self) -> &Speech<'a> {
        &self.speech
    }

    /// Adds the events of a piece.
    pub(crate) fn write(&self, piece: Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Preamble => self.start(out),
            Piece::Thought(thought) => self.thought(thought, out),
            Piece::Token(token) => match self.speech.call(token) {
                Some(call) => self.argument(token, call, out),
                None => self.text(token, out),
            },
            Piece::Finish => self.finish(out),
            Piece::Done => self.event("message_stop", b"{\"type\":\"message_stop\"}", out),
            Piece::Error => self.event("error", &event_error(&self.speech.script.error), out),
            Piece::Malformed => self.event(
                "content_block_delta",
                b"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{",
                out,
            ),
            Piece::Garbage => {
                out.extend_from_slice(GARBAGE);
                out.extend_from_slice(self.blank);
            }
            Piece::Usage => {}
        }
    }

    fn event(&self, name: &str, data: &[u8], out: &mut Vec<u8>) {
        self.open(name, out);
        out.extend_from_slice(data);
        out.extend_from_slice(self.blank);
    }

    fn open(&self, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(self.end);
        out.extend_from_slice(b"data: ");
    }

    fn start(&self, out: &mut Vec<u8>) {
        let usage = match self.speech.counts(0, 0) {
            Some(counts) => format!(",\"usage\":{}", usage(&counts, counts.prompt.min(1))),
            None => String::new(),
        };
        let data = format!(
            "{{\"type\":\"message_start\",\"message\":{{{}],\"stop_reason\":null,\
             \"stop_sequence\":null{usage}}}}}",
            envelope(&self.speech)
        );
        self.event("message_start", data.as_bytes(), out);
    }

    /// The number of the first block that is no reasoning.
    fn first_block(&self) -> u64 {
        u64::from(self.speech.thoughts > 0)
    }

    fn open_block(&self, index: u64, block: &str, out: &mut Vec<u8>) {
        let data = format!(
            "{{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{block}}}"
        );
        self.event("content_block_start", data.as_bytes(), out);
        if index == 0 {
            self.event("ping", b"{\"type\": \"ping\"}", out);
        }
    }

    fn close_block(&self, index: u64, out: &mut Vec<u8>) {
        let data = format!("{{\"type\":\"content_block_stop\",\"index\":{index}}}");
        self.event("content_block_stop", data.as_bytes(), out);
    }

    /// Adds a delta whose value, as it stands in a JSON string, `write` adds.
    fn delta(
        &self,
        index: u64,
        kind: &[u8],
        field: &[u8],
        write: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        self.open("content_block_delta", out);
        out.extend_from_slice(b"{\"type\":\"content_block_delta\",\"index\":");
        push_number(index, out);
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(kind);
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(field);
        out.extend_from_slice(b"\":\"");
        write(out);
        out.extend_from_slice(b"\"}}");
        out.extend_from_slice(self.blank);
    }

    fn thought(&self, thought: u64, out: &mut Vec<u8>) {
        if thought == 0 {
            let block = "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}";
            self.open_block(0, block, out);
        }
        let write = |out: &mut Vec<u8>| self.speech.thought(0, thought, out);
        self.delta(0, b"thinking_delta", b"thinking", write, out);
        if thought.saturating_add(1) == self.speech.thoughts {
            let write = |out: &mut Vec<u8>| out.extend_from_slice(SIGNATURE.as_bytes());
            self.delta(0, b"signature_delta", b"signature", write, out);
            self.close_block(0, out);
        }
    }

    fn text(&self, token: u64, out: &mut Vec<u8>) {
        let index = self.first_block();
        if token == 0 {
            self.open_block(index, "{\"type\":\"text\",\"text\":\"\"}", out);
        }
        let write = |out: &mut Vec<u8>| self.speech.token(0, token, out);
        self.delta(index, b"text_delta", b"text", write, out);
    }

    fn argument(&self, token: u64, call: Call, out: &mut Vec<u8>) {
        let index = self.first_block().saturating_add(call.index);
        let (kind, field): (&[u8], &[u8]) = (b"input_json_delta", b"partial_json");
        if call.first {
            let (id, tool) = (call_id(&self.speech, call.index), &self.speech.tool);
            let block = format!(
                "{{\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":\"{tool}\",\"input\":{{}}}}"
            );
            self.open_block(index, &block, out);
            self.delta(index, kind, field, |_| {}, out);
        }
        let write = |out: &mut Vec<u8>| {
            if call.first {
                out.extend_from_slice(b"{\\\"text\\\":\\\"");
            }
            self.speech.token(0, token, out);
            if call.last {
                out.extend_from_slice(b"\\\"}");
            }
        };
        self.delta(index, kind, field, write, out);
        if call.last {
            self.close_block(index, out);
        }
    }

    fn finish(&self, out: &mut Vec<u8>) {
        if !self.speech.calls_tools() && self.speech.tokens.count() > 0 {
            self.close_block(self.first_block(), out);
        }
        let usage = match self.speech.total() {
            Some(counts) => format!(",\"usage\":{}", last_usage(&counts)),
            None => String::new(),
        };
        let data = format!(
            "{{\"type\":\"message_delta\",\"delta\":{{{}}}{usage}}}",
            ending(&self.speech)
        );
        self.event("message_delta", data.as_bytes(), out);
    }
}
