//! `accounts.store` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{DaysFile, OffFile};

/// Where usage is kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum StoreFile {
    /// Nowhere.
    Off(OffFile),
    /// In a file.
    On(StoreOnFile),
}

/// A file of usage.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreOnFile {
    /// The SQLite file; its folder must be there. Default: `usage.db` in the folder that systemd
    /// gives, or in `/var/lib/segue`.
    pub path: Option<String>,
    /// How long single exchanges are kept; their daily sums stay for 400 days. Default: 30d.
    pub retention: Option<DaysFile>,
    /// What becomes of requests while it fails. Default: `continue`.
    pub on_failure: Option<OnFailureFile>,
}

/// What becomes of requests while the store fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailureFile {
    /// They are served; what finds no room in the queue is not booked.
    Continue,
    /// They are refused.
    Stop,
}
