//! Samples: what was asked and answered, attempt by attempt, of a few exchanges. Off unless the
//! config says so, and without bodies unless it says that too.

mod asked;
mod file;
mod line;
mod redact;
mod rules;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use prometheus::IntCounter;

use self::line::Sample;
use crate::telemetry::log::Flushed;
use crate::telemetry::record::Record;
use crate::telemetry::reply::{Head, Room};

pub use self::asked::Asked;
pub use self::file::{SampleFile, SampleSettings};
pub use self::redact::{BadPattern, Pattern, Redactor};
pub use self::rules::{Always, Bodies, Rules};

/// Where samples go. Dropping it lets the writer finish what is queued in the background.
pub struct Samples {
    open: ArcSwapOption<SampleFile>,
    room: Arc<Room>,
    dropped: IntCounter,
}

/// Where samples go next: all that could fail of it has been done.
pub struct SamplesChange(Change);

enum Change {
    /// Where they went before.
    None,
    /// Elsewhere, or nowhere.
    To(Option<Arc<SampleFile>>),
}

impl Samples {
    /// Opens the file. Samples that find no room, or cannot be written, are counted in `dropped`.
    ///
    /// # Errors
    /// When the file cannot be opened or the writer's thread not started.
    pub fn open(settings: &SampleSettings, dropped: IntCounter) -> io::Result<Self> {
        let open = SampleFile::open(settings, dropped.clone())?;
        let samples = Self::off(dropped);
        samples.open.store(Some(open));
        Ok(samples)
    }

    /// Nowhere, until it is put elsewhere.
    pub fn off(dropped: IntCounter) -> Self {
        Self {
            open: ArcSwapOption::empty(),
            room: Arc::default(),
            dropped,
        }
    }

    /// Makes ready what [`Samples::put`] puts in place. A file that stays is not opened again.
    ///
    /// # Errors
    /// As `open`.
    pub fn prepare(&self, settings: Option<&SampleSettings>) -> io::Result<SamplesChange> {
        let Some(settings) = settings else {
            return Ok(SamplesChange(Change::To(None)));
        };
        let open = self.open.load();
        if open.as_ref().is_some_and(|open| open.is_of(settings)) {
            return Ok(SamplesChange(Change::None));
        }
        let open = SampleFile::open(settings, self.dropped.clone())?;
        Ok(SamplesChange(Change::To(Some(open))))
    }

    /// Has the samples of exchanges that begin from now on go where the change says.
    pub fn put(&self, change: SamplesChange) {
        if let Change::To(open) = change.0 {
            self.open.store(open);
        }
    }

    /// Where the sample of an exchange that begins now would go, if there are samples.
    pub fn file(&self) -> Option<Arc<SampleFile>> {
        self.open.load_full()
    }

    /// Where the heads of answers are kept for a request, if they are.
    pub fn room(&self, asked: Option<&Asked>) -> Option<&Arc<Room>> {
        (asked?.rules.bodies == Bodies::Told).then_some(&self.room)
    }

    /// Samples an exchange that has ended, if it is to be. Never waits. The heads of its answers
    /// are no longer in the record after it.
    pub fn write(&self, asked: Option<Asked>, record: &mut Record, begun: Instant) {
        let Some(asked) = asked else {
            return;
        };
        let replies = record.attempts.iter_mut();
        let heads = replies.map(|attempt| attempt.reply.take_head()).collect();
        let Some(why) = asked.rules.wants(record) else {
            return;
        };
        let file = Arc::clone(&asked.file);
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
        file.write(Box::new(move || sample.encode()));
    }

    /// Opens the file anew before the next sample.
    pub fn reopen(&self) {
        if let Some(open) = self.open.load().as_ref() {
            open.reopen();
        }
    }

    /// Waits until all samples handed over so far were written or given up, for `at_most`. It
    /// blocks: for the end of the process.
    pub fn flush(&self, at_most: Duration) -> Flushed {
        let open = self.open.load_full();
        open.map_or(Flushed::All, |open| open.flush(at_most))
    }
}
