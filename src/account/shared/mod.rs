//! Counts that several machines share, in Redis or Valkey.
//!
//! Each exchange asks once, within a bound, before its first attempt; what it took is told later, by
//! one task. The local ledger counts all the same, and holds alone while Redis is slow or gone.
//! What was spent meanwhile is told when it is back, once.

mod inner;
mod lease;
mod link;
mod notice;
mod outbox;
mod post;
mod settings;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use self::inner::Inner;
pub use self::inner::SharedMeters;
pub(super) use self::lease::{Lease, Share};
use self::link::Link;
pub use self::notice::Notice;
pub use self::settings::{SharedSettings, Transport};
pub(super) use self::words::{Rest, Seat};
use crate::account::book::Book;

/// Counts that several machines share. Dropped, nothing more is told.
pub struct Shared {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

/// Redis cannot be asked as the config says.
#[derive(Debug, thiserror::Error)]
#[error("cannot share counts: {0}")]
pub struct SharedError(String);

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

    /// Puts up what is said of names, and reads what all say of them. `None` if nobody answers.
    pub(super) async fn board(&self, notices: &[(Arc<str>, Notice)]) -> Option<Vec<Notice>> {
        let build =
            |script: &str, root: &str| notice::post(script, root, &self.inner.node, notices);
        let words = self.inner.link.tell(build).await?;
        let is_all = words.len() == notices.len();
        is_all.then(|| words.into_iter().map(notice::read).collect())
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
