//! Which exchanges are sampled, and what is told of them.

use sha2::{Digest as _, Sha256};

use super::redact::Redactor;
use crate::telemetry::record::{AttemptKind, Outcome, Record};

/// What is sampled whatever the share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Always {
    /// Another target than the first was asked, or one beside it.
    FellBack,
    /// A target was asked again.
    Retried,
    /// No answer came, or not all of it.
    Failed,
    /// The provider's error was handed on.
    ProviderError,
    /// The client left.
    Aborted,
}

impl Always {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::FellBack,
        Self::Retried,
        Self::Failed,
        Self::ProviderError,
        Self::Aborted,
    ];

    /// The name in config and sample.
    pub fn name(self) -> &'static str {
        match self {
            Self::FellBack => "fell_back",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::ProviderError => "provider_error",
            Self::Aborted => "aborted",
        }
    }

    fn holds(self, record: &Record) -> bool {
        let made = |kinds: &[AttemptKind]| {
            let mut attempts = record.attempts.iter();
            attempts.any(|attempt| kinds.contains(&attempt.kind))
        };
        match (self, record.outcome) {
            (Self::FellBack, _) => made(&[AttemptKind::Fallback, AttemptKind::Hedge]),
            (Self::Retried, _) => made(&[AttemptKind::Retry]),
            (Self::Failed, outcome) => matches!(
                outcome,
                Outcome::Failed | Outcome::Broken | Outcome::Panicked
            ),
            (Self::ProviderError, outcome) => outcome == Outcome::ProviderError,
            (Self::Aborted, outcome) => outcome == Outcome::Aborted,
        }
    }
}

/// Whether bodies are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bodies {
    /// Their lengths only.
    #[default]
    Left,
    /// Their heads as well, redacted.
    Told,
}

/// Which exchanges are sampled, and what is told of them. They change with a reload.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Of all exchanges, 0 to 1.
    pub share: f64,
    /// What is sampled beyond it.
    pub always: Vec<Always>,
    /// Whether bodies are told.
    pub bodies: Bodies,
    /// What nobody is to read.
    pub redactor: Redactor,
}

impl Rules {
    /// Whether an exchange may come to be sampled, before anything is known of it but its id.
    pub fn may_want(&self, request_id: &str) -> bool {
        !self.always.is_empty() || self.has_drawn(request_id)
    }

    /// Why an exchange that has ended is sampled, if it is.
    pub(super) fn wants(&self, record: &Record) -> Option<&'static str> {
        let always = self.always.iter().find(|always| always.holds(record));
        let share = || self.has_drawn(&record.request_id).then_some("share");
        always.map(|always| always.name()).or_else(share)
    }

    /// Whether the id is in the share: the same on every machine.
    fn has_drawn(&self, request_id: &str) -> bool {
        let hash = Sha256::digest(request_id);
        let first = hash.first_chunk().copied().unwrap_or_default();
        f64::from(u32::from_be_bytes(first)) < self.share * (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::telemetry::record::{Attempt, Protocol};

    fn rules(share: f64, always: &[Always]) -> Rules {
        Rules {
            share,
            always: always.to_vec(),
            bodies: Bodies::Left,
            redactor: Redactor::default(),
        }
    }

    fn record(id: &str, outcome: Outcome, kinds: &[AttemptKind]) -> Record {
        let mut record = Record::begin(SystemTime::UNIX_EPOCH, id.to_owned(), Protocol::H1);
        record.outcome = outcome;
        record.attempts = kinds
            .iter()
            .map(|kind| Attempt {
                kind: *kind,
                ..Attempt::at("a/m".into())
            })
            .collect();
        record
    }

    #[test]
    fn the_share_is_drawn_by_the_id_alone() {
        let ids: Vec<String> = (0..10_000).map(|number| format!("req-{number}")).collect();
        let drawn = |share: f64| {
            let rules = rules(share, &[]);
            ids.iter().filter(|id| rules.may_want(id)).count()
        };
        assert_eq!((drawn(0.0), drawn(1.0)), (0, 10_000));
        assert!((400..600).contains(&drawn(0.05)), "{}", drawn(0.05));
        // A larger share has the smaller one in it.
        let (few, many) = (rules(0.05, &[]), rules(0.5, &[]));
        assert!(ids.iter().all(|id| !few.may_want(id) || many.may_want(id)));
    }

    #[test]
    fn what_is_always_sampled_is_so_by_how_it_went() {
        use AttemptKind::{Fallback, First, Hedge, Retry};
        for (outcome, kinds, expected) in [
            (Outcome::Served, &[First][..], None),
            (Outcome::Served, &[First, Fallback], Some("fell_back")),
            (Outcome::Served, &[First, Hedge], Some("fell_back")),
            (Outcome::Served, &[First, Retry], Some("retried")),
            (Outcome::Failed, &[First, Retry], Some("retried")),
            (Outcome::Broken, &[First], Some("failed")),
            (Outcome::Panicked, &[], Some("failed")),
            (Outcome::ProviderError, &[First], Some("provider_error")),
            (Outcome::Aborted, &[First], Some("aborted")),
            (Outcome::Refused, &[], None),
            (Outcome::ClientError, &[], None),
        ] {
            let record = record("r", outcome, kinds);
            assert_eq!(rules(0.0, &Always::ALL).wants(&record), expected);
            assert_eq!(rules(0.0, &[]).wants(&record), None);
            assert_eq!(rules(1.0, &[]).wants(&record), Some("share"));
        }
    }
}
