//! Where the shared counts are, and how long an exchange may wait for them.

use std::time::Duration;

use crate::secret::Secret;

/// Where the shared counts are, and how long an exchange may wait for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedSettings {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether its connections are encrypted.
    pub transport: Transport,
    /// The number of its database.
    pub database: u32,
    /// The user's name, where it has users.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The longest that an exchange waits for it each time.
    pub timeout: Duration,
    /// What all keys begin with.
    pub prefix: String,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// They are not.
    Plain,
    /// By TLS; the server's certificate is checked against the system's authorities.
    Tls,
}
