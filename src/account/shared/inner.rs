//! What exchanges and the one task that tells of them have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge};
use tokio::sync::Notify;

use crate::account::book::Book;
use crate::account::shared::link::Link;
use crate::account::shared::outbox::Outbox;
use crate::account::shared::words::Act;

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

/// What exchanges and the task that tells of them have in common.
pub(super) struct Inner {
    pub(super) link: Link,
    pub(super) prefix: String,
    /// This process, by a name that no other has.
    pub(super) node: String,
    pub(super) ids: AtomicU64,
    /// Locked before the outbox.
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) outbox: Mutex<Outbox>,
    /// Something waits in the outbox.
    pub(super) news: Notify,
    /// Nothing does.
    pub(super) idle: Notify,
    pub(super) meters: SharedMeters,
}

impl Inner {
    /// A name that nothing else has.
    pub(super) fn id(&self) -> Arc<str> {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{}.{number}", self.node).into()
    }

    /// Lets the task tell something, later.
    pub(super) fn tell(&self, key: &Arc<str>, act: Act) {
        if self.outbox.lock().put(key, act).is_err() {
            self.meters.lost.inc();
        }
    }
}
