//! `segue reload`: has a running process read its configuration again, waits, and says what came of
//! it.
//!
//! Asked for by HUP; the result is read from the admin listener.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::cli::asked::{AskError, Asked, Process, pause, send};
use crate::cli::exit::{failed, refused, warned};
use crate::config;

/// Where systemd says which process is the service's (systemd.service(5), `ExecReload=`).
const MAIN_PID: &str = "MAINPID";

/// The command's options.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration file; only its `admin` is read here
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/segue/segue.yaml",
        verbatim_doc_comment
    )]
    config: PathBuf,
    /// Where the process can be asked, instead of the
    /// configuration's `admin`
    #[arg(long, value_name = "ADDRESS", verbatim_doc_comment)]
    admin: Option<SocketAddr>,
    /// How many seconds to wait for the result
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        verbatim_doc_comment
    )]
    timeout: u64,
}

/// Why there is no new generation, or none that we know of.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("the process is ending, or another has taken its place")]
    Ending,
    #[error("cannot send HUP to the process {0}: {1}")]
    Signal(u32, nix::Error),
    #[error("the configuration was refused; the old one stays: {0}")]
    Refused(String),
    #[error("no result within {0} seconds; the log may tell why")]
    Late(u64),
}

/// What a process says of itself; of all that it says, what is needed here.
#[derive(Deserialize)]
struct Status {
    readiness: String,
    process: Process,
    generation: Generation,
    reloads: Reloads,
    last_reload: Option<LastReload>,
}

#[derive(Deserialize)]
struct Generation {
    number: u64,
}

#[derive(Clone, Copy, Deserialize)]
struct Reloads {
    begun: u64,
    ended: u64,
}

#[derive(Deserialize)]
struct LastReload {
    why: Option<String>,
}

/// Reloads; returns 0 when the file is in force, and 1 when it is not, or that is not known.
pub(super) fn run(args: &Args) -> ExitCode {
    match address(args) {
        Ok(Some(address)) => match reload(address, args.timeout) {
            Ok(number) => {
                say(&format!("generation {number} is in force"));
                ExitCode::SUCCESS
            }
            Err(error) => {
                // The process should say so too, where it can be known.
                if matches!(error, ReloadError::Ask(AskError::Unreachable(..))) {
                    signal_service();
                }
                failed(&error.to_string())
            }
        },
        Ok(None) if signal_service() => {
            warned("without an admin listener the result is in the log alone");
            ExitCode::SUCCESS
        }
        Ok(None) => failed("there is no admin listener to ask; send HUP, and read the log"),
        Err(code) => code,
    }
}

/// Where the process can be asked. A file that does not even say that will be refused: the process is
/// told nevertheless, so that its log, metrics and status know.
fn address(args: &Args) -> Result<Option<SocketAddr>, ExitCode> {
    if args.admin.is_some() {
        return Ok(args.admin);
    }
    config::admin_address(&args.config).map_err(|errors| {
        signal_service();
        refused(&errors)
    })
}

fn reload(address: SocketAddr, timeout: u64) -> Result<u64, ReloadError> {
    let asked = Asked::at(address);
    let before: Status = asked.status()?;
    if before.readiness == "draining" {
        return Err(ReloadError::Ending);
    }
    asked.prove(&before.process)?;
    let id = before.process.id;
    send(id, Signal::SIGHUP).map_err(|error| ReloadError::Signal(id, error))?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(timeout) {
        pause();
        let now: Status = match asked.status() {
            Ok(now) => now,
            // It may be too busy to say so.
            Err(_) if before.process.is_there() => continue,
            Err(_) => return Err(ReloadError::Ending),
        };
        if now.readiness == "draining" || now.process.birth != before.process.birth {
            return Err(ReloadError::Ending);
        }
        // One that had begun before may have read the file before it was written.
        if now.reloads.ended <= before.reloads.begun {
            continue;
        }
        return match now.last_reload.and_then(|last| last.why) {
            Some(why) => Err(ReloadError::Refused(why)),
            None => Ok(now.generation.number),
        };
    }
    Err(ReloadError::Late(timeout))
}

/// Sends HUP to the process that systemd says is the service's, and whether it did; by hand nobody
/// says which it is.
fn signal_service() -> bool {
    let id = std::env::var(MAIN_PID).ok().and_then(|id| id.parse().ok());
    id.is_some_and(|id| send(id, Signal::SIGHUP).is_ok())
}

fn say(line: &str) {
    use std::io::Write as _;
    // The exit code has said it already.
    let _ = writeln!(std::io::stdout(), "{line}");
}
