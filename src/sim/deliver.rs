//! Sends one answer as its script says: when, and with what going wrong on the way.

use std::time::Duration;

use tokio::time::Instant;

use crate::sim::asked::{Asked, Delivery};
use crate::sim::entry::{BodyRecorder, Entry};
use crate::sim::head::{Head, Persistence};
use crate::sim::journal::Journal;
use crate::sim::link::{Broken, Last, Link, Over};
use crate::sim::outlet::{FULL, Outlet};
use crate::sim::reply::{BodySize, Facts, Reply};
use crate::sim::script::{Fault, FaultKind, Framing, Length, Point, Script, Shape};
use crate::sim::speech::Origin;
use crate::sim::spoken::{self, Writer};
use crate::sim::steps::{Form, Parts, Piece, Step, Steps};
use crate::sim::truth::Making;
use crate::sim::voice::Voice;
use crate::sim::wire::later;

/// A document whose length could only be found by writing more than this goes out in chunks.
const LARGEST_MEASURED: u64 = 64 << 20;

/// Everything that an answer depends on beside what is asked.
pub(crate) struct Exchange<'a, L> {
    pub(crate) link: &'a mut L,
    pub(crate) head: &'a Head,
    /// In whose words.
    pub(crate) voice: Voice,
    pub(crate) entry: &'a Entry,
    pub(crate) journal: &'a Journal,
    pub(crate) script: &'a Script,
    /// For random cuts without a seed of their own.
    pub(crate) seed: u64,
    /// Whether the connection may be used again: the request has been read to its end.
    pub(crate) persistence: Persistence,
}

/// A body that is known beforehand.
pub(crate) struct Document {
    /// Unless the script has one.
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Document {
    pub(crate) fn json(bytes: Vec<u8>) -> Self {
        Self {
            content_type: "application/json",
            bytes,
        }
    }
}

/// The body's length, were nothing to go wrong.
fn measure(writer: &Writer<'_>, mut steps: Steps) -> u64 {
    let (mut length, mut scratch) = (0_u64, Vec::new());
    while let Some(step) = steps.next() {
        if let Step::Write(piece) = step {
            writer.write(piece, &mut scratch);
            length = length.saturating_add(scratch.len() as u64);
            scratch.clear();
        }
    }
    length
}

impl<L: Link> Exchange<'_, L> {
    /// Sends an answer. `echo` is what was understood of the request, `prompt` how many tokens it
    /// has, each where the script wants it.
    pub(crate) async fn speak(
        mut self,
        asked: &Asked,
        echo: Option<String>,
        prompt: Option<u64>,
    ) -> Result<Persistence, Over> {
        let script = self.script;
        if let Some(document) = self.scripted() {
            return self.document(document).await;
        }
        let form = match (script.shape, asked.delivery) {
            (Shape::Whole, _) | (_, Delivery::Whole) => Form::Whole,
            (_, Delivery::Stream | Delivery::StreamWithUsage) => Form::Stream,
        };
        let canary = self.head.field("x-sim-canary");
        let origin = Origin {
            request: self.entry.number,
            body_bytes: self.entry.body_bytes(),
            canary: canary.as_deref(),
            prompt,
            echo,
        };
        let (writer, parts) = Writer::new(self.voice, form, script, asked, &origin);
        let mut steps = Steps::new(script, parts, asked.choices);
        let size = if wants_length(script, &parts) {
            BodySize::Known(measure(&writer, steps.clone()))
        } else {
            BodySize::Unknown
        };
        let mut making = Making::new(self.entry, script, &writer, parts);
        self.prologue().await?;
        making.begin();
        let content_type = match form {
            Form::Whole => {
                let time = due(Instant::now(), script, last_token(&parts));
                self.quiet_until(time).await?;
                "application/json"
            }
            Form::Stream => "text/event-stream; charset=utf-8",
        };
        let ping = self.voice.ping();
        let (mut outlet, persistence) = self.open(200, content_type, size).await?;
        if form != Form::Whole {
            outlet.ping_every(script.ping, ping);
        }
        run(&mut steps, &mut making, script, &parts, &mut outlet).await?;
        outlet.finish().await?;
        self.epilogue(persistence).await
    }

    /// What the script has in place of a good answer.
    fn scripted(&self) -> Option<Document> {
        let (script, number) = (self.script, self.entry.number);
        match &script.body {
            Some(bytes) => Some(Document::json(bytes.clone())),
            None if script.status == 200 => None,
            None => {
                let error = spoken::status_error(self.voice, script.status, script, number);
                Some(Document::json(error))
            }
        }
    }

    /// Sends a document, or what the script has in place of it.
    pub(crate) async fn document(mut self, document: Document) -> Result<Persistence, Over> {
        let script = self.script;
        let document = self.scripted().unwrap_or(document);
        let bytes = if script.shape == Shape::Empty {
            Vec::new()
        } else {
            document.bytes
        };
        self.prologue().await?;
        let size = match script.encoding {
            None => BodySize::Known(bytes.len() as u64),
            Some(_) => BodySize::Unknown,
        };
        let (mut outlet, persistence) = self
            .open(script.status, document.content_type, size)
            .await?;
        outlet.body = bytes;
        for fault in script.faults.iter().filter(|fault| fault.at == Point::End) {
            outlet.fault(fault.kind).await?;
        }
        outlet.finish().await?;
        self.epilogue(persistence).await
    }

    /// Sends the request's body back as it comes, and records it.
    pub(crate) async fn echo(
        mut self,
        recorder: &mut BodyRecorder,
        size: BodySize,
    ) -> Result<Persistence, Over> {
        let script = self.script;
        self.prologue().await?;
        let content_type = self.head.field("content-type");
        let content_type = content_type
            .as_deref()
            .unwrap_or("application/octet-stream")
            .to_owned();
        let (mut outlet, persistence) = self.open(script.status, &content_type, size).await?;
        loop {
            match outlet.link().piece().await {
                Ok(Some(bytes)) => {
                    recorder.push(&bytes);
                    outlet.body.extend_from_slice(&bytes);
                    outlet.flush().await?;
                }
                Ok(None) => break,
                Err(Broken::Gone(gone)) => return Err(Over::Gone(gone)),
                Err(Broken::Malformed | Broken::TooLarge | Broken::Slow) => {
                    return Err(Over::Malformed);
                }
            }
        }
        outlet.finish().await?;
        self.epilogue(persistence).await
    }

    /// The delays and faults before the head.
    async fn prologue(&mut self) -> Result<(), Over> {
        let script = self.script;
        self.link.suits(script)?;
        if script.head_after > Duration::ZERO {
            self.quiet_until(later(Instant::now(), script.head_after))
                .await?;
        }
        for fault in script
            .faults
            .iter()
            .filter(|fault| fault.at == Point::Request)
        {
            self.fault_before_head(*fault).await?;
        }
        if let Some(raw) = &script.raw {
            self.link.send(raw, Last::End, &self.entry.bytes).await?;
            return Err(Over::Cut);
        }
        if let Some(status) = script.interim {
            self.link.interim(status, &self.entry.bytes).await?;
        }
        Ok(())
    }

    async fn fault_before_head(&mut self, fault: Fault) -> Result<(), Over> {
        match fault.kind {
            FaultKind::Cut => Err(Over::Cut),
            FaultKind::Reset => Err(Over::Reset),
            FaultKind::Refuse => Err(self.link.refusal()),
            FaultKind::Goaway => Ok(self.link.goaway().await?),
            FaultKind::Stall(None) => Err(self.link.silence().await.into()),
            FaultKind::Stall(Some(length)) => self.quiet_until(later(Instant::now(), length)).await,
            FaultKind::Garbage | FaultKind::Error | FaultKind::Malformed => {
                Err(self.link.garbage(&self.entry.bytes).await)
            }
        }
    }

    async fn quiet_until(&mut self, time: Instant) -> Result<(), Over> {
        Ok(self.link.silence_until(time).await?)
    }

    /// Makes the head ready to go out with the first of the body, or half of it alone where the
    /// script says so. Tells as well whether the connection persists.
    async fn open(
        &mut self,
        status: u16,
        content_type: &str,
        size: BodySize,
    ) -> Result<(Outlet<'_, L>, Persistence), Over> {
        let script = self.script;
        let reply = Reply::new(&Facts {
            script,
            request: self.head,
            voice: self.voice,
            number: self.entry.number,
            status,
            content_type,
            size,
            persistence: self.persistence,
        });
        let head = self.link.open(reply.head)?;
        let mut outlet = Outlet::new(
            self.link,
            self.entry,
            self.journal,
            script,
            self.seed,
            head,
            reply.framing,
        );
        for fault in script.faults.iter().filter(|fault| fault.at == Point::Head) {
            outlet.fault_in_head(fault.kind).await?;
        }
        Ok((outlet, reply.persistence))
    }

    /// What comes after a complete answer.
    async fn epilogue(self, persistence: Persistence) -> Result<Persistence, Over> {
        if let Some(stray) = &self.script.stray {
            self.link.send(stray, Last::End, &self.entry.bytes).await?;
        }
        Ok(persistence)
    }
}

/// Whether the body's length is told, and worth finding out.
fn wants_length(script: &Script, parts: &Parts) -> bool {
    let Length::Tokens(tokens) = parts.tokens else {
        return false;
    };
    let size = tokens
        .saturating_mul(script.token_bytes.max(8))
        .saturating_add(script.event_bytes);
    if script.encoding.is_some() {
        return false;
    }
    match (script.framing, parts.form) {
        (Framing::Length, _) => true,
        (Framing::Natural, Form::Whole) => size <= LARGEST_MEASURED,
        (Framing::Natural, Form::Stream) | (Framing::UntilClose, _) => false,
    }
}

/// When a token is due in an answer that begins at `start`.
fn due(start: Instant, script: &Script, token: u64) -> Instant {
    let nanos = script.delay.as_nanos().saturating_mul(u128::from(token));
    let delay = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    later(start, script.first_after.saturating_add(delay))
}

/// How many tokens come before the end, those of the reasoning included.
fn last_token(parts: &Parts) -> u64 {
    parts.thoughts.saturating_add(parts.tokens.count())
}

/// Sends the steps of an answer, each in its time.
async fn run(
    steps: &mut Steps,
    making: &mut Making<'_>,
    script: &Script,
    parts: &Parts,
    outlet: &mut Outlet<'_, impl Link>,
) -> Result<(), Over> {
    let timed = parts.form != Form::Whole && !(script.first_after + script.delay).is_zero();
    // A stall moves the rest of the schedule.
    let mut start = Instant::now();
    while let Some(step) = steps.next() {
        match step {
            Step::Fault(fault) => {
                let before = Instant::now();
                outlet.fault(fault.kind).await?;
                start += before.elapsed();
            }
            Step::Write(piece) => {
                let (place, said) = match piece {
                    Piece::Thought(thought) => (Some(thought), 0),
                    Piece::Token(token) => (Some(parts.thoughts.saturating_add(token)), 1),
                    _ => (None, 0),
                };
                if let Some(place) = place {
                    let time = due(start, script, place);
                    if timed && time > Instant::now() {
                        outlet.wait_until(time).await?;
                    }
                    outlet.tokens = outlet.tokens.saturating_add(said);
                }
                making.write(piece, &mut outlet.body);
                if outlet.body.len() >= FULL {
                    outlet.flush().await?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_due_on_one_schedule_from_the_first() {
        let script: Script = "first_after=1s,delay=20ms".parse().unwrap();
        let start = Instant::now();
        for (token, millis) in [(0, 1000), (1, 1020), (50, 2000), (1_000_000, 20_001_000)] {
            assert_eq!(
                due(start, &script, token) - start,
                Duration::from_millis(millis),
                "{token}"
            );
        }
        assert!(due(start, &script, u64::MAX) > due(start, &script, 1_000_000));
    }
}
