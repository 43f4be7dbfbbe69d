//! Where the store is, and what holds when it fails.

use std::path::PathBuf;
use std::time::Duration;

/// The store's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The database file; its folder must be there.
    pub path: PathBuf,
    /// How long exchanges and attempts are kept, one by one. Their daily sums stay longer.
    pub retention: Duration,
    /// What becomes of requests while it fails.
    pub on_failure: OnFailure,
}

/// What becomes of requests while the store fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// They are served; what finds no room in the queue is not booked.
    #[default]
    Continue,
    /// They are refused.
    Stop,
}

impl OnFailure {
    /// The word in the config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
        }
    }
}
