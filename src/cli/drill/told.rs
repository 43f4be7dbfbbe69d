//! What segue's own access log tells of a drill's exchanges.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

/// An exchange.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    pub(super) request_id: String,
    pub(super) attempts: Vec<Try>,
}

/// One try of one target.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Try {
    pub(super) target: String,
    /// Why it failed, if it did.
    pub(super) error: Option<String>,
    total_ms: f64,
}

impl Try {
    /// How long it took.
    pub(super) fn total(&self) -> Duration {
        Duration::try_from_secs_f64(self.total_ms / 1e3).unwrap_or_default()
    }

    /// Whether a clock of the config ended it.
    pub(super) fn is_timed_out(&self) -> bool {
        let error = self.error.as_deref();
        error.is_some_and(|error| CLOCKS.contains(&error))
    }

    /// The same with another time.
    pub(super) fn timed(self, time: Duration) -> Self {
        Self {
            total_ms: time.as_secs_f64() * 1e3,
            ..self
        }
    }
}

/// The errors of attempts that a clock of the config ended.
const CLOCKS: [&str; 7] = [
    "attempt_timeout",
    "connect_timeout",
    "crawl",
    "deadline",
    "first_token_timeout",
    "stall",
    "write_timeout",
];

/// Reads a log. Lines that are something else are none.
pub(super) fn read(path: &Path) -> io::Result<Vec<Told>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.filter_map(Result::ok).collect())
}
