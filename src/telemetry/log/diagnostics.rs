//! The diagnostics: what `log::info!` and its like say, as lines on standard error.
//!
//! Two things that `env_logger` alone does not do: no filter lets the libraries below us say more
//! than `info` (at `debug` Pingora prints credentials and raw requests), and a stopped pipe behind
//! standard error holds up nobody.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use env_logger::{Builder, Logger, Target};
use log::{LevelFilter, Log, Metadata, Record};
use prometheus::IntCounter;

use crate::telemetry::Timestamp;

use super::output::{Destination, Output};
use super::sink::{Complaints, Sink};

/// Lines that may wait for standard error.
const QUEUE: usize = 1024;

/// How long `log::logger().flush()` may take.
const FLUSH: Duration = Duration::from_secs(1);

/// Crates that see credentials, prompts or raw requests: never below `info`.
const CAPPED: [&str; 5] = ["pingora", "h2", "rustls", "hickory", "ureq"];

/// Why the diagnostics cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DiagnosticsError {
    /// Standard error cannot be used.
    #[error("cannot use standard error")]
    Output(#[source] io::Error),
    /// The process has a logger already.
    #[error("a logger is installed already")]
    Installed(#[source] log::SetLoggerError),
}

/// Installs the process's logger. `filter` is in the form of `RUST_LOG` (`info`, or
/// `warn,segue::relay=debug`); lines that found no room are counted in `dropped`.
///
/// The end of the process must call `log::logger().flush()`, which waits a second at most.
pub fn diagnostics(filter: &str, dropped: IntCounter) -> Result<(), DiagnosticsError> {
    let output = Output::open(Destination::Stderr).map_err(DiagnosticsError::Output)?;
    let sink = Sink::start("diagnostics", output, QUEUE, dropped, Complaints::Silent)
        .map_err(DiagnosticsError::Output)?;
    let capped = Capped::new(filter, Arc::new(sink));
    let level = capped.inner.filter();
    log::set_boxed_logger(Box::new(capped)).map_err(DiagnosticsError::Installed)?;
    log::set_max_level(level);
    Ok(())
}

struct Capped {
    inner: Logger,
    sink: Arc<Sink>,
}

impl Capped {
    fn new(filter: &str, sink: Arc<Sink>) -> Self {
        let inner = Builder::new()
            .parse_filters(filter)
            .target(Target::Pipe(Box::new(Pipe(sink.clone()))))
            .format(|out, record| out.write_all(line(record).as_bytes()))
            .build();
        Self { inner, sink }
    }
}

impl Log for Capped {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        (metadata.level() <= LevelFilter::Info || !is_capped(metadata.target()))
            && self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.inner.log(record);
        }
    }

    fn flush(&self) {
        self.sink.flush(FLUSH);
    }
}

fn is_capped(target: &str) -> bool {
    CAPPED.iter().any(|name| target.starts_with(name))
}

/// One line, whatever the message holds: it may quote what a peer sent.
fn line(record: &Record<'_>) -> String {
    let mut line = String::with_capacity(128);
    let (level, target) = (record.level(), record.target());
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        "{} {level:<5} {target}: {}",
        Timestamp::now(),
        record.args()
    );
    if line.contains(char::is_control) {
        line = line.replace(char::is_control, " ");
    }
    line.push('\n');
    line
}

struct Pipe(Arc<Sink>);

impl Write for Pipe {
    /// Takes the whole buffer: `env_logger` hands over one line a call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;
    use crate::telemetry::log::Flushed;

    fn logger(filter: &str) -> (Capped, std::path::PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let output = Output::open(Destination::File(path.clone())).unwrap();
        let dropped = IntCounter::new("dropped", "dropped").unwrap();
        let sink = Sink::start("test", output, 100, dropped, Complaints::Silent).unwrap();
        (Capped::new(filter, Arc::new(sink)), path, folder)
    }

    fn say(logger: &Capped, level: Level, target: &str, message: &str) {
        let args = format_args!("{message}");
        logger.log(
            &Record::builder()
                .level(level)
                .target(target)
                .args(args)
                .build(),
        );
    }

    #[test]
    fn no_filter_lets_the_libraries_below_say_more_than_info() {
        let targets = [
            "pingora_core::protocols::http",
            "pingora",
            "h2::codec",
            "rustls::client",
            "hickory_proto",
        ];
        for filter in [
            "trace",
            "pingora_core=trace,h2::codec=trace,pingora=debug,rustls=trace,info",
        ] {
            let (logger, path, _folder) = logger(filter);
            for target in targets {
                say(&logger, Level::Trace, target, "sk-canary");
                say(&logger, Level::Debug, target, "sk-canary");
                say(&logger, Level::Info, target, "hello");
            }
            assert_eq!(logger.sink.flush(Duration::from_secs(30)), Flushed::All);
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches("hello").count(), targets.len(), "{filter}");
            assert!(!text.contains("canary"), "{filter}");
        }
    }

    #[test]
    fn our_own_rooms_obey_the_filter() {
        let (logger, path, _folder) = logger("warn,segue::relay=debug");
        say(&logger, Level::Debug, "segue::relay", "seen");
        say(&logger, Level::Info, "segue::edge", "unseen");
        logger.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.ends_with("DEBUG segue::relay: seen\n") && !text.contains("unseen"),
            "{text}"
        );
    }

    #[test]
    fn a_message_stays_one_line_without_control_characters() {
        let (logger, path, _folder) = logger("info");
        say(
            &logger,
            Level::Warn,
            "segue",
            "bad\r\nrequest \u{1b}[31mred",
        );
        logger.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.ends_with("WARN  segue: bad  request  [31mred\n"),
            "{text:?}"
        );
    }
}
