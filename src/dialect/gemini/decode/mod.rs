//! A provider's answer to events: a stream frame by frame, or a whole one.
//!
//! There is no end mark: an answer is at its end once each candidate has a reason for it. Errors
//! come as events, as lists, and as bare JSON that is no event at all.
//!
//! Signatures are told where a client can bring them back: on calls and on thoughts. Those on
//! plain text, which the API only recommends to return, have no place in other formats.

mod bare;
mod calls;
mod finish;
mod partial;
mod read;
mod usage;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use smallvec::SmallVec;

use self::bare::Bare;
use self::calls::Calls;
use self::finish::End;
use self::partial::Partial;
use self::read::{Call, Chunk, Part};
use crate::dialect::carry::{Carry, Malformed, Sink};
use crate::dialect::failure;
use crate::dialect::leaf::Leaf;
use crate::exchange::{Event, Failure, Finish, Signed};
use crate::sse::Frame;

/// What gateways before the API may add; the API itself has no end mark.
const DONE: &[u8] = b"[DONE]";
/// More candidates than any model gives.
const MAX_CANDIDATES: usize = 128;

/// Reads one attempt's stream. Bounded: a few bytes for each candidate, of which there are at most
/// 128, bare JSON up to 64 KiB, and for a call that comes in pieces up to 256 KiB.
#[derive(Debug, Default)]
pub struct Stream {
    candidates: SmallVec<[Candidate; 1]>,
    /// What made-up ids have of the answer's own.
    key: Option<String>,
    bare: Bare,
    blocked: bool,
    failed: bool,
}

/// What is known of one candidate.
#[derive(Debug, Default)]
struct Candidate {
    index: u32,
    /// Whether any of the answer has come.
    spoke: bool,
    /// The end that was told.
    ended: Option<Finish>,
    calls: Calls,
}

impl Stream {
    /// At the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the sink what the frame says, at least one event for each frame. After an error
    /// nothing of the frame has been told or counted.
    pub fn frame(&mut self, frame: &Frame, sink: &mut Sink<'_>) -> Result<Carry, Malformed> {
        let data = frame.data.as_deref().map(<[u8]>::trim_ascii_start);
        if frame.event.as_deref() == Some(b"error") {
            let failure = failure::of_event(data.unwrap_or_default());
            return Ok(self.fail(failure, sink));
        }
        if data.is_some_and(|data| data.starts_with(DONE)) {
            sink(Event::End);
            return Ok(Carry::End);
        }
        let bare = if frame.is_data_alone() {
            Vec::new()
        } else {
            // A line that is no text has spoilt whatever stood in it.
            std::str::from_utf8(&frame.raw).map_err(|_| Malformed::NotUtf8)?;
            self.bare.take(&frame.raw)?
        };
        if data.is_none() && bare.is_empty() {
            sink(Event::Ping);
            return Ok(Carry::Comment);
        }
        let mut chunks = Vec::new();
        for document in data.into_iter().chain(bare.iter().map(Vec::as_slice)) {
            let text = std::str::from_utf8(document).map_err(|_| Malformed::NotUtf8)?;
            read::read(text, &mut chunks)?;
        }
        self.answer(&chunks, data.unwrap_or_default(), sink)
    }

    /// Whether the answer came to its own end: every candidate that started has one, there is at
    /// least one, or the prompt was blocked, and no error came. A closed connection proves nothing.
    pub fn finished(&self) -> bool {
        let ended = |candidate: &Candidate| candidate.ended.is_some();
        let all = !self.candidates.is_empty() && self.candidates.iter().all(ended);
        !self.failed && (all || self.blocked)
    }

    fn fail(&mut self, failure: Failure, sink: &mut Sink<'_>) -> Carry {
        self.failed = true;
        sink(Event::Failed(failure));
        Carry::Failure
    }

    /// Tells what the chunks of one document say. `seed` stands for an answer without an id.
    fn answer(
        &mut self,
        chunks: &[Chunk<'_>],
        seed: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<Carry, Malformed> {
        let mut counts = chunks
            .iter()
            .filter_map(|chunk| chunk.usage_metadata.as_ref());
        let usage = counts.next_back().and_then(usage::Counts::read);
        if let Some(failure) = self.failure(chunks) {
            if let Some(usage) = usage {
                sink(Event::Usage(usage));
            }
            return Ok(self.fail(failure, sink));
        }
        let mut told = self.admit(chunks, sink)?;
        self.name(chunks, seed);
        for chunk in chunks {
            told |= self.tell(chunk, sink);
        }
        if let Some(usage) = usage {
            sink(Event::Usage(usage));
            return Ok(if told {
                Carry::Forward
            } else {
                Carry::UsageOnly
            });
        }
        if !told {
            sink(Event::Ping);
        }
        Ok(Carry::Forward)
    }

    /// The error that the chunks are, in the answer's place or as a candidate's end.
    fn failure(&self, chunks: &[Chunk<'_>]) -> Option<Failure> {
        if let Some(error) = chunks.iter().find_map(Chunk::error) {
            return Some(failure::of_error(error));
        }
        let mut spoken: SmallVec<[u32; 1]> = SmallVec::new();
        for (index, piece) in chunks.iter().flat_map(Chunk::candidates) {
            if piece.parts().any(Part::says_something) && !spoken.contains(&index) {
                spoken.push(index);
            }
            let spoke = spoken.contains(&index) || self.known(index).is_some_and(|one| one.spoke);
            match finish::of(piece) {
                End::Broken => return Some(finish::failure(piece)),
                End::Unknown if !spoke => return Some(finish::failure(piece)),
                End::Unknown | End::Known(_) | End::Open => {}
            }
        }
        None
    }

    fn known(&self, index: u32) -> Option<&Candidate> {
        self.candidates.iter().find(|known| known.index == index)
    }

    /// Makes room for every candidate, and looks at what comes in pieces, before anything is told,
    /// so that nothing fails halfway; says whether the answer started.
    fn admit(&mut self, chunks: &[Chunk<'_>], sink: &mut Sink<'_>) -> Result<bool, Malformed> {
        let mut new: SmallVec<[u32; 1]> = SmallVec::new();
        for (index, piece) in chunks.iter().flat_map(Chunk::candidates) {
            let known = self.known(index);
            if known.is_none() && !new.contains(&index) {
                new.push(index);
            }
            if self.candidates.len() + new.len() > MAX_CANDIDATES {
                return Err(Malformed::TooMany);
            }
            let open = known.and_then(|known| known.calls.open.as_ref());
            let calls = piece.parts().filter_map(|part| part.function_call.as_ref());
            for pieces in calls.filter_map(|call| call.partial_args) {
                Partial::admits(open.map(|open| &open.arguments), pieces)?;
            }
        }
        let blocked = chunks.iter().any(|chunk| blocked(chunk).is_some());
        let starts = self.candidates.is_empty() && !self.blocked && (blocked || !new.is_empty());
        self.candidates
            .extend(new.into_iter().map(|index| Candidate {
                index,
                ..Candidate::default()
            }));
        if starts {
            sink(Event::Started);
        }
        Ok(starts)
    }

    /// Learns the answer's id, or makes one up once a call wants it.
    fn name(&mut self, chunks: &[Chunk<'_>], seed: &[u8]) {
        if self.key.is_some() {
            return;
        }
        let ids = chunks.iter().filter_map(|chunk| chunk.response_id);
        let id = ids.map(Leaf::from).find_map(Leaf::words);
        let mut parts = chunks
            .iter()
            .flat_map(Chunk::candidates)
            .flat_map(|(_, one)| one.parts());
        self.key = match id {
            Some(id) => Some(calls::answer_key(&id)),
            None if parts.any(|part| part.function_call.is_some()) => {
                // Not an id by itself, which could be one of another answer.
                let seed = String::from_utf8_lossy(seed);
                Some(calls::answer_key(&format!(" {seed}")))
            }
            None => None,
        };
    }

    /// Tells one chunk; says whether it was worth an event.
    fn tell(&mut self, chunk: &Chunk<'_>, sink: &mut Sink<'_>) -> bool {
        let mut told = false;
        let key = self.key.as_deref().unwrap_or_default();
        let sink = &mut |event: Event<'_>| {
            told = true;
            sink(event);
        };
        for (index, piece) in chunk.candidates() {
            let mut all = self.candidates.iter_mut();
            let Some(candidate) = all.find(|known| known.index == index) else {
                continue;
            };
            for part in piece.parts() {
                candidate.spoke |= part.says_something();
                candidate.part(part, key, sink);
            }
            candidate.end(finish::of(piece), sink);
        }
        if let Some(words) = blocked(chunk) {
            self.blocked = true;
            let choice = 0;
            sink(Event::Refusal {
                choice,
                text: words,
            });
            let reason = Finish::ContentFilter;
            sink(Event::Finished { choice, reason });
        }
        told
    }
}

impl Candidate {
    fn part(&mut self, part: &Part<'_>, key: &str, sink: &mut Sink<'_>) {
        let choice = self.index;
        let seal = part.thought_signature.map(Leaf::from).and_then(Leaf::words);
        let thought = part.thought == Some(true);
        if let Some(text) = part.text.map(Leaf::from).and_then(Leaf::words) {
            sink(if thought {
                Event::Reasoning { choice, text }
            } else {
                Event::Text { choice, text }
            });
        }
        if part.inline_data.is_some() {
            sink(Event::Media { choice });
        }
        let call = part.function_call.as_ref();
        let of = match call {
            Some(call) => Some(Signed::Call(self.call(call, key, sink))),
            None => thought.then_some(Signed::Reasoning),
        };
        if let (Some(of), Some(text)) = (of, seal) {
            sink(Event::Signature { choice, of, text });
        }
    }

    /// Tells a call, or the piece of one; returns its index.
    fn call(&mut self, call: &Call<'_>, key: &str, sink: &mut Sink<'_>) -> u32 {
        let goes_on = self.calls.goes_on(call);
        let index = match &self.calls.open {
            Some(open) if goes_on => open.index,
            _ => {
                self.close(sink);
                self.calls.place()
            }
        };
        let name = call.name.map(Leaf::from).and_then(Leaf::words);
        let in_pieces = call.args.is_none()
            && (call.partial_args.is_some() || call.will_continue == Some(true));
        if !goes_on {
            let id = call.id.map(Leaf::from).and_then(Leaf::words);
            let made_up = || Cow::Owned(calls::made_up(key, self.index, index));
            let arguments = if in_pieces {
                self.calls.open(index, name.as_deref().unwrap_or_default());
                Cow::Borrowed("")
            } else {
                calls::arguments(call.args.map(Leaf::from))
            };
            sink(Event::ToolCall {
                choice: self.index,
                index,
                id: Some(id.unwrap_or_else(made_up)),
                name,
                arguments,
            });
        }
        if let (Some(open), Some(pieces)) = (&mut self.calls.open, call.partial_args) {
            open.arguments.add(pieces);
        }
        if call.will_continue != Some(true) {
            self.close(sink);
        }
        index
    }

    /// Tells the arguments of the call that came in pieces.
    fn close(&mut self, sink: &mut Sink<'_>) {
        let Some(open) = self.calls.open.take() else {
            return;
        };
        sink(Event::ToolCall {
            choice: self.index,
            index: open.index,
            id: None,
            name: None,
            arguments: Cow::Owned(open.arguments.json()),
        });
    }

    /// Tells the end, once: older models gave it with every chunk.
    fn end(&mut self, end: End, sink: &mut Sink<'_>) {
        let called = self.calls.any();
        let reason = match end {
            End::Open | End::Broken => return,
            End::Known(Finish::Stop) | End::Unknown if called => Finish::ToolCalls,
            End::Known(reason) => reason,
            End::Unknown => Finish::Other,
        };
        self.close(sink);
        if self.ended != Some(reason) {
            self.ended = Some(reason);
            let choice = self.index;
            sink(Event::Finished { choice, reason });
        }
    }
}

/// What the provider says of a prompt that it blocked: its words, or at least its reason.
fn blocked<'a>(chunk: &Chunk<'a>) -> Option<Cow<'a, str>> {
    let feedback = chunk.prompt_feedback.as_ref()?;
    let reason = feedback.block_reason.map(Leaf::from)?.words()?;
    let message = feedback.block_reason_message.map(Leaf::from);
    let words = message.and_then(Leaf::words);
    Some(words.unwrap_or_else(|| format!("The prompt was blocked: {reason}").into()))
}

/// Reads a whole answer and tells the sink its events. A candidate that has content but no reason
/// for its end is at its end all the same: the reason that means nothing may be left out.
///
/// # Errors
/// [`Malformed`] for what is no answer, and then nothing has been told: no candidate and no word
/// of the prompt's being blocked, or a candidate that has neither content nor an end.
pub fn whole(body: &[u8], sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let mut chunks = Vec::new();
    read::read(text, &mut chunks)?;
    let mut stream = Stream::new();
    if stream.failure(&chunks).is_none() {
        let mut all = chunks.iter().flat_map(Chunk::candidates).peekable();
        let blocked = chunks.iter().any(|chunk| blocked(chunk).is_some());
        if !blocked && all.peek().is_none() {
            return Err(Malformed::Shape);
        }
        if all.any(|(_, one)| one.content.is_none() && one.finish_reason.is_none()) {
            return Err(Malformed::Shape);
        }
    }
    // An answer that asks for another request is no whole one.
    let mut pieces = chunks.iter().flat_map(Chunk::candidates);
    if let Some((_, cut)) = pieces.find(|(_, piece)| finish::goes_on(piece)) {
        stream.fail(finish::failure(cut), sink);
        return Ok(());
    }
    stream.answer(&chunks, body, sink)?;
    if !stream.failed {
        for candidate in stream
            .candidates
            .iter_mut()
            .filter(|one| one.ended.is_none())
        {
            candidate.end(End::Unknown, sink);
        }
    }
    Ok(())
}
