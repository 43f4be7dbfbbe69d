//! The providers' side of a step, by their journals.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::demo::stage::{Provider, Stage};
use crate::sim::{End, Entry, NotSeen};

/// How long the providers' side of a step may take to end after the client's.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many requests each provider had seen at some time.
pub(super) struct Sides<'a> {
    stage: &'a Stage,
    shaky: u64,
    steady: u64,
}

impl<'a> Sides<'a> {
    /// As it is now.
    pub(super) fn new(stage: &'a Stage) -> Self {
        let received = |provider| stage.sim(provider).journal().received();
        Self {
            stage,
            shaky: received(Provider::Shaky),
            steady: received(Provider::Steady),
        }
    }

    /// How the next `count` requests at a provider ended, once they have.
    ///
    /// # Errors
    /// They do not come, or do not end.
    pub(super) async fn ends(&self, provider: Provider, count: usize) -> Result<Vec<End>, NotSeen> {
        let before = self.before(provider);
        let ends = |entries: &[Arc<Entry>]| -> Option<Vec<End>> {
            let new = entries.iter().filter(|entry| entry.number > before);
            let ends: Option<Vec<_>> = new.map(|entry| entry.end()).collect();
            ends.filter(|ends| ends.len() >= count)
        };
        let journal = self.stage.sim(provider).journal();
        let seen = journal.wait_for(|entries| ends(entries).is_some(), PATIENCE);
        Ok(ends(&seen.await?).unwrap_or_default())
    }

    /// How many requests have come to a provider since.
    pub(super) fn asked(&self, provider: Provider) -> u64 {
        let received = self.stage.sim(provider).journal().received();
        received.saturating_sub(self.before(provider))
    }

    fn before(&self, provider: Provider) -> u64 {
        match provider {
            Provider::Shaky => self.shaky,
            Provider::Steady => self.steady,
        }
    }
}
