//! What is known of a target when an exchange is planned.

use std::time::{Duration, Instant};

use crate::upstream::Admission;

/// What is known of a target when an exchange is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether it can be asked at all, and what its breaker says.
    pub standing: Standing,
    /// Attempts under way.
    pub in_flight: u32,
    /// The expected time to its first token, load included; `None` when nothing is known.
    pub latency: Option<Duration>,
}

/// Whether a target can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// By its breaker.
    Known(Admission),
    /// Its breaker lets it be asked, but its own limits are reached.
    Full {
        /// Until then.
        until: Instant,
    },
    /// The configuration in force has no such provider.
    NoProvider,
}

/// Why a target is a last resort: its limits or its breaker advise against it. The better resort is
/// the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resort {
    /// Its limits are reached: it is well, but its provider is about to say 429.
    Full {
        /// Until then.
        until: Instant,
    },
    /// It was open for its time, and another exchange finds out whether it is well again.
    Probed,
    /// It is open, or cooling down.
    Shut {
        /// Until then.
        until: Instant,
    },
}

impl Resort {
    /// `None` for a target that may be asked like any other, and for one that is to be probed.
    pub(super) fn of(admission: Admission) -> Option<Self> {
        match admission {
            Admission::Free | Admission::Probe => None,
            Admission::Probed => Some(Self::Probed),
            Admission::Shut { until } => Some(Self::Shut { until }),
        }
    }
}
