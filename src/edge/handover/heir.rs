//! The heir's side: takes over what the elder knows, serves, and listens until the elder has ended.

use std::io;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::birth::Cradle;
use super::channel::Channel;
use super::words::{ElderWord, HeirWord};
use crate::account::Now;
use crate::edge::server::Running;
use crate::edge::start::StartError;

/// How long the elder may take for its next word until the service is ours. It gives up before.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why this process does not become the successor.
#[derive(Debug, thiserror::Error)]
pub enum HeirError {
    /// The elder has ended, or changed its mind.
    #[error("the process to be succeeded has ended, or does not want it any more")]
    Disowned,
    /// It hangs.
    #[error("the process to be succeeded says nothing")]
    Silent,
    /// The channel does not work.
    #[error("cannot talk to the process to be succeeded: {0}")]
    Channel(#[from] io::Error),
    /// Its sockets cannot be served.
    #[error("{0}")]
    Start(#[from] StartError),
}

/// The process before this one, which drains.
pub struct Predecessor {
    channel: Channel,
}

impl Cradle {
    /// Says that we are ready, takes over what the elder knows, serves, and returns once the service is
    /// ours.
    ///
    /// # Errors
    /// The service is not ours: what was accepted so far is to be finished, and no more.
    pub async fn succeed(self, running: &mut Running) -> Result<Predecessor, HeirError> {
        let mut channel = Channel::new(self.channel)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        channel.say([HeirWord::Ready { version }]).await?;
        loop {
            match next(&mut channel).await? {
                ElderWord::Serve => break,
                word => inherit(running, word),
            }
        }
        running.open()?;
        channel.say([HeirWord::Serving]).await?;
        loop {
            match next(&mut channel).await? {
                ElderWord::Yours => return Ok(Predecessor { channel }),
                word => inherit(running, word),
            }
        }
    }
}

impl Predecessor {
    /// Asks the elder to wait no longer for connections that have nothing under way.
    pub async fn hang_up(&mut self) {
        // One that has ended waits for nothing.
        let _ = self.channel.say([HeirWord::HangUp]).await;
    }

    /// Books what the elder tells until it has ended.
    ///
    /// # Cancel safety
    /// No word is lost when it is dropped.
    pub async fn listen(&mut self, running: &Running) {
        while let Ok(Some(word)) = self.channel.hear().await {
            inherit(running, word);
        }
        running.shared.ledger.elders_ended();
        log::info!("the process before this one has ended");
    }
}

async fn next(channel: &mut Channel) -> Result<ElderWord, HeirError> {
    match timeout(PATIENCE, channel.hear()).await {
        Ok(Ok(Some(word))) => Ok(word),
        Ok(Ok(None)) => Err(HeirError::Disowned),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(HeirError::Silent),
    }
}

fn inherit(running: &Running, word: ElderWord) {
    let (ledger, generation) = (&running.shared.ledger, running.shared.generations.current());
    let standings = running.shared.generations.standings();
    let now = Now::read();
    match word {
        ElderWord::Target(word) => standings.inherit(&word.into(), now.steady),
        ElderWord::Count(word) => {
            if let Some(count) = word.count() {
                ledger.inherit(count, now);
            }
        }
        ElderWord::Change(word) => {
            if let Some(change) = word.change() {
                ledger.hear(&change, &generation.settings.quotas, now);
            }
        }
        ElderWord::Cool { target, ms } => {
            standings.cool(&target, Duration::from_millis(ms), Instant::now());
        }
        ElderWord::Serve | ElderWord::Yours => {}
    }
}
