//! The diagnostics: what `log::info!` and its like say, as lines on standard error.
//!
//! Two things that `env_logger` alone does not do: no filter lets the libraries below us say more
//! than `info` (at `debug` Pingora prints credentials and raw requests), and a stopped pipe behind
//! standard error holds up nobody.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
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

/// What is said before the config says otherwise.
const SHIPPED: &str = "info";

/// The process's logger, once it has one.
static INSTALLED: OnceLock<Installed> = OnceLock::new();

struct Installed {
    logger: Capped,
    level: Level,
}

/// Who says how much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// The environment, for the process's whole life.
    Fixed,
    /// The config, at each reload anew.
    Configured,
}

/// Installs the process's logger. `fixed` is a filter in the form of `RUST_LOG` (`info`, or
/// `warn,segue::relay=debug`) that stays, whatever the config says; lines that found no room are
/// counted in `dropped`.
///
/// The end of the process must call `log::logger().flush()`, which waits a second at most.
pub fn diagnostics(fixed: Option<&str>, dropped: IntCounter) -> Result<(), DiagnosticsError> {
    let output = Output::open(Destination::Stderr).map_err(DiagnosticsError::Output)?;
    let sink = Sink::start("diagnostics", output, QUEUE, dropped, Complaints::Silent)
        .map_err(DiagnosticsError::Output)?;
    let installed = INSTALLED.get_or_init(|| Installed {
        logger: Capped::new(fixed.unwrap_or(SHIPPED), Arc::new(sink)),
        level: fixed.map_or(Level::Configured, |_| Level::Fixed),
    });
    log::set_logger(&installed.logger).map_err(DiagnosticsError::Installed)?;
    log::set_max_level(installed.logger.inner.load().filter());
    Ok(())
}

/// Has the process's logger say what this filter lets through, unless the environment has the last
/// word. Without a logger nothing happens.
pub fn set_level(filter: &str) {
    let Some(installed) = INSTALLED.get() else {
        return;
    };
    if installed.level == Level::Configured {
        log::set_max_level(installed.logger.follow(filter));
    }
}

/// Whether text is a filter: levels (`off` to `trace`), alone or for a target, with commas between.
/// `env_logger` would take a slip for the name of a target.
pub fn is_level(filter: &str) -> bool {
    let target = |target: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
        !target.is_empty() && target.bytes().all(letters)
    };
    filter.split(',').all(|one| match one.split_once('=') {
        Some((name, level)) => target(name) && level.parse::<LevelFilter>().is_ok(),
        None => one.parse::<LevelFilter>().is_ok(),
    })
}

struct Capped {
    inner: ArcSwap<Logger>,
    sink: Arc<Sink>,
}

impl Capped {
    fn new(filter: &str, sink: Arc<Sink>) -> Self {
        Self {
            inner: ArcSwap::from_pointee(logger(filter, &sink)),
            sink,
        }
    }

    /// Goes over to another filter; the most that it lets through.
    fn follow(&self, filter: &str) -> LevelFilter {
        let inner = logger(filter, &self.sink);
        let most = inner.filter();
        self.inner.store(Arc::new(inner));
        most
    }
}

fn logger(filter: &str, sink: &Arc<Sink>) -> Logger {
    Builder::new()
        .parse_filters(filter)
        .target(Target::Pipe(Box::new(Pipe(Arc::clone(sink)))))
        .format(|out, record| out.write_all(line(record).as_bytes()))
        .build()
}

impl Log for Capped {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        (metadata.level() <= LevelFilter::Info || !is_capped(metadata.target()))
            && self.inner.load().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.inner.load().log(record);
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
    use super::*;
    use crate::telemetry::log::Flushed;

    fn capped(filter: &str) -> (Capped, std::path::PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let output = Output::open(Destination::File(path.clone())).unwrap();
        let dropped = IntCounter::new("dropped", "dropped").unwrap();
        let sink = Sink::start("test", output, 100, dropped, Complaints::Silent).unwrap();
        (Capped::new(filter, Arc::new(sink)), path, folder)
    }

    fn say(logger: &Capped, level: log::Level, target: &str, message: &str) {
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
            let (logger, path, _folder) = capped(filter);
            for target in targets {
                say(&logger, log::Level::Trace, target, "sk-canary");
                say(&logger, log::Level::Debug, target, "sk-canary");
                say(&logger, log::Level::Info, target, "hello");
            }
            assert_eq!(logger.sink.flush(Duration::from_secs(30)), Flushed::All);
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches("hello").count(), targets.len(), "{filter}");
            assert!(!text.contains("canary"), "{filter}");
        }
    }

    #[test]
    fn another_filter_holds_from_then_on_and_caps_the_libraries_too() {
        let (logger, path, _folder) = capped("warn");
        say(&logger, log::Level::Info, "segue::edge", "unseen");
        assert_eq!(logger.follow("trace"), LevelFilter::Trace);
        say(&logger, log::Level::Debug, "segue::edge", "seen");
        say(&logger, log::Level::Debug, "h2::codec", "unseen");
        assert_eq!(logger.follow("off"), LevelFilter::Off);
        say(&logger, log::Level::Error, "segue::edge", "unseen");
        logger.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("DEBUG segue::edge: seen\n"), "{text}");
        assert!(!text.contains("unseen"), "{text}");
    }

    #[test]
    fn a_filter_is_levels_and_no_slip_of_them() {
        for good in ["info", "OFF", "warn,segue::relay=debug", "segue=trace"] {
            assert!(is_level(good), "{good}");
        }
        for bad in [
            "", "inof", "segue", "info,", "a=b", "=info", "info/x", "a b=info",
        ] {
            assert!(!is_level(bad), "{bad:?}");
        }
    }

    #[test]
    fn our_own_rooms_obey_the_filter() {
        let (logger, path, _folder) = capped("warn,segue::relay=debug");
        say(&logger, log::Level::Debug, "segue::relay", "seen");
        say(&logger, log::Level::Info, "segue::edge", "unseen");
        logger.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.ends_with("DEBUG segue::relay: seen\n") && !text.contains("unseen"),
            "{text}"
        );
    }

    #[test]
    fn a_message_stays_one_line_without_control_characters() {
        let (logger, path, _folder) = capped("info");
        say(
            &logger,
            log::Level::Warn,
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
