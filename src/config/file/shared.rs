//! `accounts.shared` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{DurationFile, SecretFile};

/// Where machines share their counts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedFile {
    /// A Redis or Valkey: `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS.
    pub redis: String,
    /// The user's name, where it has users.
    pub user: Option<String>,
    /// The password.
    pub password: Option<SecretFile>,
    /// How long an exchange waits for it. Default: 5ms.
    pub timeout: Option<DurationFile>,
    /// What all keys begin with. Default: `segue`.
    pub prefix: Option<String>,
}
