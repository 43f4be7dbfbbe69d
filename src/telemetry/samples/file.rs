//! A file of samples, and the thread that writes it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;

use super::rules::Rules;
use crate::telemetry::log::{Complaints, Flushed, Output, Rotation, Sink, Work};

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

/// An open file. Dropped, what is queued is still written, in the background.
pub struct SampleFile {
    sink: Sink,
    path: PathBuf,
    rotation: Rotation,
}

impl SampleFile {
    pub(super) fn open(settings: &SampleSettings, dropped: IntCounter) -> io::Result<Arc<Self>> {
        let output = Output::private(settings.path.clone(), settings.rotation.clone())?;
        let sink = Sink::start("samples", output, QUEUE, dropped, Complaints::Logged)?;
        Ok(Arc::new(Self {
            sink,
            path: settings.path.clone(),
            rotation: settings.rotation.clone(),
        }))
    }

    /// Whether it is the one that the settings mean.
    pub(super) fn is_of(&self, settings: &SampleSettings) -> bool {
        self.path == settings.path && self.rotation == settings.rotation
    }

    pub(super) fn write(&self, sample: Work) {
        self.sink.push_work(sample);
    }

    pub(super) fn reopen(&self) {
        self.sink.reopen();
    }

    pub(super) fn flush(&self, at_most: Duration) -> Flushed {
        self.sink.flush(at_most)
    }
}
