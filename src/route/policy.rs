//! What a route promises and how long it waits.

use std::time::Duration;

/// A route's bounds on time. Every wait and attempt is cut to the deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From the request's last byte to the answer's last.
    pub deadline: Duration,
    /// The bounds of one attempt.
    pub timeouts: Timeouts,
}

/// The bounds of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Address, TCP and TLS together.
    pub connect: Duration,
    /// From the request's last byte to the first token: not to the head, a ping or a role.
    /// For a whole answer: to its head.
    pub first_token: Duration,
    /// The longest silence after the first token. Comments and pings do not count as life.
    pub stall: Duration,
    /// The whole attempt.
    pub total: Duration,
    /// The longest time in which the provider takes no byte of the request.
    pub write: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(10),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_mins(1),
            stall: Duration::from_secs(30),
            total: Duration::from_mins(10),
            write: Duration::from_secs(30),
        }
    }
}
