//! Sends this process a HUP when a file that its configuration was read from has changed.
//!
//! A signal, so that there is one way to a reload: one at a time, told to the service manager, and
//! of several at once only the last. Looking is polling: it sees every change on every file system,
//! a swapped link of a mounted secret included.

use std::path::{Path, PathBuf};
use std::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::low_level::raise;
use tokio::sync::watch::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::config::Seen;

/// What is looked at, and how often. Each reading of the files tells it anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    /// `None`: never.
    pub(super) every: Option<Duration>,
    /// The files as they were when they were read.
    pub(super) seen: Seen,
}

/// Looks until nobody tells any more.
pub(super) async fn follow(mut told: Receiver<Watched>) {
    loop {
        let Watched { every, seen } = told.borrow_and_update().clone();
        let changed = async {
            match every {
                Some(every) => settled(&seen, every).await,
                None => std::future::pending().await,
            }
        };
        let path = tokio::select! {
            told = told.changed() => match told {
                Ok(()) => continue,
                Err(_) => return,
            },
            path = changed => path,
        };
        log::info!("{} has changed: reloading", path.display());
        if let Err(error) = raise(SIGHUP) {
            log::error!("cannot ask for a reload: {error}");
        }
        // What is to be looked at next, the reload will tell.
        if told.changed().await.is_err() {
            return;
        }
    }
}

/// Waits until a file is not as it was seen, and has been so for two looks in a row: who is still
/// writing is let finish. The file's path.
async fn settled(seen: &Seen, every: Duration) -> PathBuf {
    let mut before = None;
    loop {
        sleep(every).await;
        let seen_then = seen.clone();
        // A file system that hangs holds up nobody but the looking.
        let Ok(now) = spawn_blocking(move || seen_then.look()).await else {
            continue;
        };
        let path = seen.differs(&now).map(Path::to_owned);
        match path {
            Some(path) if before.as_ref() == Some(&now) => return path,
            Some(_) => before = Some(now),
            None => before = None,
        }
    }
}
