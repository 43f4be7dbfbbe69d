//! Counts that several machines share, in Redis or Valkey.
//!
//! Each exchange asks once, within a bound, before its first attempt; what it took is told later, by
//! one task. The local ledger counts all the same, and holds alone while Redis is slow or gone.
//! What was spent meanwhile is told when it is back, once.

mod lease;
mod link;
mod outbox;
mod post;
mod settings;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(super) use self::lease::{Lease, Share};
use self::link::Link;
use self::outbox::Outbox;
pub use self::settings::{SharedSettings, Transport};
pub(super) use self::words::{Rest, Seat};
use crate::account::book::Book;

/// What is counted of the sharing.
#[derive(Clone, Debug)]
pub struct SharedMeters {
    /// 1 while Redis answers.
    pub up: IntGauge,
    /// Attempts that Redis decided.
    pub shared: IntCounter,
    /// Attempts that the local counts decided alone.
    pub local: IntCounter,
    /// Acts that found no room.
    pub lost: IntCounter,
}

/// Counts that several machines share. Dropped, nothing more is told.
pub struct Shared {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

/// Redis cannot be asked as the config says.
#[derive(Debug, thiserror::Error)]
#[error("cannot share counts: {0}")]
pub struct SharedError(String);

struct Inner {
    link: Link,
    prefix: String,
    /// This process, by a name that no other has.
    node: String,
    ids: AtomicU64,
    /// Locked before the outbox.
    book: Arc<Mutex<Book>>,
    outbox: Mutex<Outbox>,
    /// Something waits in the outbox.
    news: Notify,
    /// Nothing does.
    idle: Notify,
    meters: SharedMeters,
}

impl Shared {
    /// Begins to connect. Needs a tokio runtime.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn start(
        settings: &SharedSettings,
        meters: SharedMeters,
        book: &Arc<Mutex<Book>>,
    ) -> Result<Self, SharedError> {
        let link = Link::new(settings).map_err(|error| SharedError(error.to_string()))?;
        let inner = Arc::new(Inner {
            link,
            prefix: settings.prefix.clone(),
            node: format!("{:016x}", post::random()),
            ids: AtomicU64::new(0),
            book: Arc::clone(book),
            outbox: Mutex::default(),
            news: Notify::new(),
            idle: Notify::new(),
            meters,
        });
        let task = tokio::spawn(post::run(Arc::clone(&inner)));
        Ok(Self { inner, task })
    }

    /// The share of an exchange that begins, with the seats of its counts.
    pub(super) fn share(&self, seats: impl FnOnce(&str) -> lease::Seats) -> Share {
        Share::new(Arc::clone(&self.inner), seats(&self.inner.prefix))
    }

    /// Waits until all is told, for so long at most.
    pub(super) async fn flush(&self, most: Duration) {
        let idle = self.inner.idle.notified();
        self.inner.news.notify_one();
        // Whoever is out of reach gets nothing: what was spent then is in the store, if there is one.
        if self.inner.link.is_open() {
            let _ = tokio::time::timeout(most, idle).await;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Inner {
    fn id(&self) -> Arc<str> {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{}.{number}", self.node).into()
    }
}
