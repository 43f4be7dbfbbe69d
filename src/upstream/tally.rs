//! What the active checks of a peer add up to.
//!
//! Pure: results in, a verdict out.

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerHealth {
    /// Nothing yet: it is used, but nobody says that it is up.
    #[default]
    Unknown,
    /// Its last checks succeeded.
    Up,
    /// Its last checks failed.
    Down,
}

/// Results in a row until a peer changes sides; at least one each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    pub(super) failures: u32,
    pub(super) successes: u32,
}

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
}

/// What a peer's checks add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    health: PeerHealth,
    /// Results in a row that speak against `health`.
    against: u32,
}

impl Tally {
    pub(super) fn health(self) -> PeerHealth {
        self.health
    }

    /// The first success makes an unknown peer up: it has nothing to recover from.
    #[must_use]
    pub(super) fn observe(self, result: Outcome, thresholds: Thresholds) -> Self {
        let (side, needed) = match (result, self.health) {
            (Outcome::Passed, PeerHealth::Unknown) => (PeerHealth::Up, 1),
            (Outcome::Passed, _) => (PeerHealth::Up, thresholds.successes),
            (Outcome::Failed, _) => (PeerHealth::Down, thresholds.failures),
        };
        if side == self.health {
            return Self { against: 0, ..self };
        }
        let against = self.against.saturating_add(1);
        if against < needed.max(1) {
            return Self { against, ..self };
        }
        Self {
            health: side,
            against: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_changes_sides_only_after_enough_results_in_a_row() {
        use PeerHealth::{Down, Unknown, Up};
        let thresholds = Thresholds {
            failures: 3,
            successes: 2,
        };
        let cases: [(&str, PeerHealth); 10] = [
            ("", Unknown),
            ("f", Unknown),
            ("ff", Unknown),
            ("fff", Down),
            ("s", Up),
            ("sffsff", Up),
            ("sfff", Down),
            ("ffs", Up),
            ("fffsfs", Down),
            ("fffss", Up),
        ];
        for (results, expected) in cases {
            let tally = results.bytes().fold(Tally::default(), |tally, result| {
                let result = if result == b's' {
                    Outcome::Passed
                } else {
                    Outcome::Failed
                };
                tally.observe(result, thresholds)
            });
            assert_eq!(tally.health(), expected, "{results}");
        }
    }

    #[test]
    fn a_threshold_of_zero_means_one() {
        let thresholds = Thresholds {
            failures: 0,
            successes: 0,
        };
        let down = Tally::default().observe(Outcome::Failed, thresholds);
        assert_eq!(down.health(), PeerHealth::Down);
        assert_eq!(
            down.observe(Outcome::Passed, thresholds).health(),
            PeerHealth::Up
        );
    }
}
