//! `segue upgrade`: has a running process start its successor, waits, and says what came of it.
//!
//! Asked for by USR2; the result is read from the admin listener, behind which the successor answers once it serves.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::cli::asked::{AskError, Asked, Process, pause, send};
use crate::cli::exit::{failed, refused, unwritten};
use crate::config;

/// The command's options.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration file; where the process's admin listener is
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/segue/segue.yaml",
        verbatim_doc_comment
    )]
    config: PathBuf,
    /// How many seconds to wait for the result
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        verbatim_doc_comment
    )]
    timeout: u64,
}

/// Why there is no successor, or none that we know of.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("cannot send USR2 to the process {0}: {1}")]
    Signal(u32, #[source] nix::Error),
    #[error("the upgrade came to nothing, and process {0} serves on: {1}")]
    Failed(u32, String),
    #[error("no result within {0} seconds; the log may tell why")]
    Late(u64),
}

/// Of what a process says of itself, what is needed here.
#[derive(Deserialize)]
struct Status {
    version: String,
    process: Process,
    upgrades: Upgrades,
}

#[derive(Deserialize)]
struct Upgrades {
    failed: u64,
    why: Option<String>,
}

/// Upgrades; returns 0 when a successor serves, and 1 when none does, or that is not known.
pub(super) fn run(args: &Args) -> ExitCode {
    // What is wrong with it, the successor would say too.
    let settings = match config::load(&args.config) {
        Ok(settings) => settings,
        Err(errors) => return refused(&errors),
    };
    let Some(address) = settings.admin.address else {
        return failed(
            "without an admin listener the result is in the log alone: send USR2, and look there",
        );
    };
    let (elder, heir) = match upgrade(address, args.timeout) {
        Ok(both) => both,
        Err(failure) => return failed(&failure.to_string()),
    };
    let (pid, version) = (heir.process.id, heir.version);
    let told = writeln!(
        io::stdout().lock(),
        "process {pid} serves now, version {version}; process {elder} finishes what it has under way"
    );
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

fn upgrade(address: SocketAddr, seconds: u64) -> Result<(u32, Status), Failure> {
    let asked = Asked::at(address);
    let before: Status = asked.status()?;
    asked.prove(&before.process)?;
    let elder = before.process.id;
    send(elder, Signal::SIGUSR2).map_err(|why| Failure::Signal(elder, why))?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        pause();
        // It may be between two processes just now.
        let Ok(now) = asked.status::<Status>() else {
            continue;
        };
        if now.process.id != elder {
            return Ok((elder, now));
        }
        if now.upgrades.failed > before.upgrades.failed {
            let why = now.upgrades.why.unwrap_or_default();
            return Err(Failure::Failed(elder, why));
        }
    }
    Err(Failure::Late(seconds))
}
