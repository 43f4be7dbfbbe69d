//! Samples: what was asked and answered, attempt by attempt, of a few exchanges. Off unless the
//! config says so, and without bodies unless it says that too.

mod asked;
mod line;
mod redact;
mod rules;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prometheus::IntCounter;

use self::line::Sample;
use crate::telemetry::log::{Complaints, Flushed, Output, Rotation, Sink};
use crate::telemetry::record::Record;
use crate::telemetry::reply::{Head, Room};

pub use self::asked::Asked;
pub use self::redact::{BadPattern, Pattern, Redactor};
pub use self::rules::{Always, Bodies, Rules};

/// Samples that may wait for the writer.
const QUEUE: usize = 1024;

/// Where samples go, and which.
#[derive(Clone, Debug)]
pub struct SampleSettings {
    /// The file.
    pub path: PathBuf,
    /// How large it becomes.
    pub rotation: Rotation,
    /// What is sampled.
    pub rules: Arc<Rules>,
}

/// Where samples go. Dropping it lets the writer finish what is queued in the background.
pub struct Samples {
    sink: Option<Sink>,
    room: Arc<Room>,
}

impl Samples {
    /// Opens the file. Samples that find no room, or cannot be written, are counted in `dropped`.
    ///
    /// # Errors
    /// When the file cannot be opened or the writer's thread not started.
    pub fn open(settings: &SampleSettings, dropped: IntCounter) -> io::Result<Self> {
        let output = Output::private(settings.path.clone(), settings.rotation.clone())?;
        let sink = Sink::start("samples", output, QUEUE, dropped, Complaints::Logged)?;
        Ok(Self {
            sink: Some(sink),
            room: Arc::default(),
        })
    }

    /// Nowhere.
    pub fn off() -> Self {
        Self {
            sink: None,
            room: Arc::default(),
        }
    }

    /// Where the heads of answers are kept for a request, if they are.
    pub fn room(&self, asked: Option<&Asked>) -> Option<&Arc<Room>> {
        let rules = &asked?.rules;
        (rules.bodies == Bodies::Told && self.sink.is_some()).then_some(&self.room)
    }

    /// Samples an exchange that has ended, if it is to be. Never waits. The heads of its answers
    /// are no longer in the record after it.
    pub fn write(&self, asked: Option<Asked>, record: &mut Record, begun: Instant) {
        let (Some(sink), Some(asked)) = (&self.sink, asked) else {
            return;
        };
        let replies = record.attempts.iter_mut();
        let heads = replies.map(|attempt| attempt.reply.take_head()).collect();
        let Some(why) = asked.rules.wants(record) else {
            return;
        };
        let length = asked.body.len();
        let body = (asked.rules.bodies == Bodies::Told).then(|| {
            let mut head = Head::new(&self.room);
            head.push(&asked.body);
            head
        });
        let sample = Sample {
            why,
            record: record.clone(),
            begun,
            // The body itself is not kept: the memory that it takes is counted no longer.
            asked: Asked {
                body: Bytes::new(),
                ..asked
            },
            length,
            body,
            heads,
        };
        sink.push_work(Box::new(move || sample.encode()));
    }

    /// Opens the file anew before the next sample.
    pub fn reopen(&self) {
        if let Some(sink) = &self.sink {
            sink.reopen();
        }
    }

    /// Waits until all samples handed over so far were written or given up, for `at_most`. It
    /// blocks: for the end of the process.
    pub fn flush(&self, at_most: Duration) -> Flushed {
        let sink = self.sink.as_ref();
        sink.map_or(Flushed::All, |sink| sink.flush(at_most))
    }
}
