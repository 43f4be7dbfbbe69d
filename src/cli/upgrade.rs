//! `segue upgrade`: has a running process start its successor, waits, and says what came of it.
//!
//! Asked for by USR2, so that the kernel decides who may; the result is read from the admin listener,
//! behind which the successor answers once it serves.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use ureq::Agent;

use crate::cli::exit::{failed, refused, unwritten};
use crate::config;

/// How often the process is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);

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
    #[error("cannot ask the process at {0}: {1}; does it run, and has `admin` changed?")]
    Unreachable(SocketAddr, String),
    #[error("cannot send USR2 to the process {0}: {1}")]
    Signal(i32, #[source] nix::Error),
    #[error("the upgrade came to nothing, and process {0} serves on: {1}")]
    Failed(i32, String),
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
struct Process {
    id: i32,
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

#[expect(
    clippy::disallowed_methods,
    reason = "the command has one thread, and the process tells nobody by itself"
)]
fn upgrade(address: SocketAddr, seconds: u64) -> Result<(i32, Status), Failure> {
    let agent = agent();
    let before = ask(&agent, address).map_err(|why| Failure::Unreachable(address, why))?;
    let elder = before.process.id;
    kill(Pid::from_raw(elder), Signal::SIGUSR2).map_err(|why| Failure::Signal(elder, why))?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        thread::sleep(LOOK_EVERY);
        // It may be between two processes just now.
        let Ok(now) = ask(&agent, address) else {
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

fn ask(agent: &Agent, address: SocketAddr) -> Result<Status, String> {
    let asked = agent.get(format!("http://{address}/status")).call();
    let text = asked.and_then(|mut answer| answer.body_mut().read_to_string());
    let text = text.map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("it is no segue: {error}"))
}

fn agent() -> Agent {
    // Each question on a connection of its own: who answers the next one is what is asked.
    let config = Agent::config_builder()
        .timeout_global(Some(ANSWER_TIME))
        .max_idle_connections(0)
        .proxy(None)
        .build();
    config.new_agent()
}
