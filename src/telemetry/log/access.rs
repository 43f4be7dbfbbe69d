//! The access log: one line of JSON an exchange.

use std::io;
use std::time::Duration;

use prometheus::IntCounter;

use crate::telemetry::line;
use crate::telemetry::record::Record;

use super::output::{Destination, Output};
use super::sink::{Complaints, Flushed, Sink};

/// Where records go. Dropping it lets the writer finish what is queued in the background.
pub struct AccessLog(Option<Sink>);

impl AccessLog {
    /// Opens the log. `queue` is the number of lines that may wait for the writer; lines beyond it
    /// and lines that could not be written are counted in `dropped`.
    ///
    /// # Errors
    /// When a file cannot be opened or the writer's thread not started.
    pub fn open(destination: Destination, queue: usize, dropped: IntCounter) -> io::Result<Self> {
        let output = Output::open(destination)?;
        Sink::start("access-log", output, queue, dropped, Complaints::Logged)
            .map(|sink| Self(Some(sink)))
    }

    /// A log that takes nothing down.
    pub fn off() -> Self {
        Self(None)
    }

    /// Hands a record to the writer. Never waits.
    pub fn write(&self, record: &Record) {
        if let Some(sink) = &self.0 {
            sink.push(line::encode(record));
        }
    }

    /// Opens the file anew before the next line: for a file that was renamed. The old one goes on
    /// when the new one cannot be opened.
    pub fn reopen(&self) {
        if let Some(sink) = &self.0 {
            sink.reopen();
        }
    }

    /// Waits until all lines handed over so far were written or given up, for `at_most`. It
    /// blocks: for the end of the process.
    pub fn flush(&self, at_most: Duration) -> Flushed {
        self.0
            .as_ref()
            .map_or(Flushed::All, |sink| sink.flush(at_most))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::Value;

    use super::*;
    use crate::telemetry::record::Protocol;

    #[test]
    fn a_record_is_one_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let dropped = IntCounter::new("dropped", "dropped").unwrap();
        let log = AccessLog::open(Destination::File(path.clone()), 8, dropped).unwrap();
        for id in ["a", "b\nc"] {
            log.write(&Record::begin(
                SystemTime::now(),
                id.to_owned(),
                Protocol::H1,
            ));
        }
        assert_eq!(log.flush(Duration::from_secs(30)), Flushed::All);
        let text = std::fs::read_to_string(&path).unwrap();
        let ids: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["request_id"].take())
            .collect();
        assert_eq!(ids, ["a", "bc"]);
    }

    #[test]
    fn a_log_that_is_off_takes_everything_and_waits_for_nothing() {
        let log = AccessLog::off();
        log.write(&Record::begin(
            SystemTime::now(),
            String::new(),
            Protocol::H1,
        ));
        log.reopen();
        assert_eq!(log.flush(Duration::ZERO), Flushed::All);
    }
}
