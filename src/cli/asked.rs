//! A running process of this machine: asked at its admin listener how it is, and told by a signal.
//!
//! The kernel decides who may send the signal. The process is sure to be the one that answers: it
//! says when it was born.

use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Agent;

use crate::edge::birth;

/// How often a process is asked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long one answer may take, and how long it may be.
const ANSWER_TIME: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: u64 = 64 << 20;

/// Where a process can be asked.
pub(super) struct Asked {
    agent: Agent,
    address: SocketAddr,
}

/// Why it says nothing of use.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("cannot ask the process at {0}: {1}; does it run, and has `admin` changed?")]
    Unreachable(SocketAddr, String),
    #[error("what answers at {0} is no segue that runs on this machine")]
    Stranger(SocketAddr),
}

/// Which process it is.
#[derive(Deserialize)]
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) birth: Option<u64>,
}

impl Asked {
    /// The process whose admin listener is there.
    pub(super) fn at(address: SocketAddr) -> Self {
        // Each question on a connection of its own: who answers the next one may be another.
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(ANSWER_TIME))
            .build();
        Self {
            agent: config.new_agent(),
            address,
        }
    }

    /// What it says of itself.
    pub(super) fn status<T: DeserializeOwned>(&self) -> Result<T, AskError> {
        let unreachable =
            |error: &dyn std::error::Error| AskError::Unreachable(self.address, error.to_string());
        let answer = self.agent.get(format!("http://{}/status", self.address));
        let mut answer = answer.call().map_err(|error| unreachable(&error))?;
        let body = answer.body_mut().with_config().limit(ANSWER_LIMIT);
        let text = body.read_to_string().map_err(|error| unreachable(&error))?;
        serde_json::from_str(&text).map_err(|_| AskError::Stranger(self.address))
    }

    /// That this process is one of this machine, and the one that answered.
    pub(super) fn prove(&self, process: &Process) -> Result<(), AskError> {
        if process.birth.is_some() && process.is_there() {
            return Ok(());
        }
        Err(AskError::Stranger(self.address))
    }
}

impl Process {
    /// Whether it still runs.
    pub(super) fn is_there(&self) -> bool {
        birth(self.id) == self.birth
    }
}

/// Sends a signal to one process.
pub(super) fn send(id: u32, signal: Signal) -> nix::Result<()> {
    // 0 and what is negative stand for groups of processes.
    match i32::try_from(id) {
        Ok(id) if id > 0 => kill(Pid::from_raw(id), signal),
        _ => Err(nix::Error::ESRCH),
    }
}

/// Waits until it is time for the next question.
#[expect(
    clippy::disallowed_methods,
    reason = "a command of its own, without a runtime that it could hold up"
)]
pub(super) fn pause() {
    std::thread::sleep(LOOK_EVERY);
}
