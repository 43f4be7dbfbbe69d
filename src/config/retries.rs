//! `retries`: how often and for how long an exchange is tried again.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::section::Section;
use super::written::Written;
use crate::route::Retries;

/// A target that failed that often is not well.
const SAME_TARGET_RANGE: RangeInclusive<u32> = 0..=10;
/// As many as a route may have targets.
const MAX_ATTEMPTS_RANGE: RangeInclusive<u32> = 1..=16;
/// A client whose provider wants more patience is better off knowing.
const PATIENCE_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(1);

/// What one place of the file says.
#[derive(Clone, Default)]
pub(super) struct Retrying<'a> {
    same_target: Written<'a, u32>,
    max_attempts: Written<'a, u32>,
    patience: Written<'a, Duration>,
}

impl<'a> Retrying<'a> {
    /// Reads a `retries` map.
    pub(super) fn read(cursor: &Cursor<'a>) -> Read<Self> {
        let mut section = Section::open(cursor)?;
        let mut count = |key, range| Written::read(&mut section, key, |at| at.number(range));
        let same_target = count("same_target", &SAME_TARGET_RANGE);
        let max_attempts = count("max_attempts", &MAX_ATTEMPTS_RANGE);
        let patience = Written::read(&mut section, "patience", |at| at.duration(&PATIENCE_RANGE));
        section.close();
        Ok(Self {
            same_target: same_target?,
            max_attempts: max_attempts?,
            patience: patience?,
        })
    }

    /// This, and what is inherited where it is silent; not yet cut to fit.
    pub(super) fn over(&self, inherited: &Retries) -> Retries {
        Retries {
            same_target: self.same_target.over(&inherited.same_target),
            max_attempts: self.max_attempts.over(&inherited.max_attempts),
            patience: self.patience.over(&inherited.patience),
        }
    }

    /// What `over` came to, held to the deadline.
    pub(super) fn fit(&self, retries: &Retries, deadline: Duration) -> Read<Retries> {
        let patience = self
            .patience
            .within(retries.patience, deadline, "the deadline")?;
        Ok(Retries {
            patience,
            ..retries.clone()
        })
    }
}
