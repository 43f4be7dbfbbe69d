//! `segue reload`: has a running process read its configuration again, waits, and says what came of
//! it.
//!
//! Asked for by HUP, so that the kernel decides who may; the result is read from the admin listener.
//! The process is sure to be the one that answers there: it says when it was born.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use ureq::Agent;

use crate::cli::exit::{failed, refused, warned};
use crate::config;
use crate::edge::birth;

/// How often the process is asked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long one answer may take, and how long it may be.
const ANSWER_TIME: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: u64 = 64 << 20;

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
    #[error("cannot ask the process at {0}: {1}; does it run, and has `admin` changed?")]
    Unreachable(SocketAddr, String),
    #[error("what answers at {0} is no segue that runs on this machine")]
    Stranger(SocketAddr),
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
struct Process {
    id: u32,
    birth: Option<u64>,
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
                if matches!(error, ReloadError::Unreachable(..)) {
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
    let agent = agent();
    let before = ask(&agent, address)?;
    if before.readiness == "draining" {
        return Err(ReloadError::Ending);
    }
    let id = before.process.id;
    if before.process.birth.is_none() || birth(id) != before.process.birth {
        return Err(ReloadError::Stranger(address));
    }
    hup(id).map_err(|error| ReloadError::Signal(id, error))?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(timeout) {
        pause();
        let now = match ask(&agent, address) {
            Ok(now) => now,
            // It may be too busy to say so.
            Err(_) if birth(id) == before.process.birth => continue,
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

#[expect(
    clippy::disallowed_methods,
    reason = "a command of its own, without a runtime that it could hold up"
)]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// Sends HUP to the process that systemd says is the service's, and whether it did; by hand nobody
/// says which it is.
fn signal_service() -> bool {
    let id = std::env::var(MAIN_PID).ok().and_then(|id| id.parse().ok());
    id.is_some_and(|id| hup(id).is_ok())
}

fn hup(id: u32) -> nix::Result<()> {
    // 0 and what is negative stand for groups of processes.
    match i32::try_from(id) {
        Ok(id) if id > 0 => kill(Pid::from_raw(id), Signal::SIGHUP),
        _ => Err(nix::Error::ESRCH),
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .timeout_global(Some(ANSWER_TIME))
        .build()
        .new_agent()
}

fn ask(agent: &Agent, address: SocketAddr) -> Result<Status, ReloadError> {
    let unreachable =
        |error: &dyn std::error::Error| ReloadError::Unreachable(address, error.to_string());
    let answer = agent.get(format!("http://{address}/status")).call();
    let mut answer = answer.map_err(|error| unreachable(&error))?;
    let body = answer.body_mut().with_config().limit(ANSWER_LIMIT);
    let text = body.read_to_string().map_err(|error| unreachable(&error))?;
    serde_json::from_str(&text).map_err(|_| ReloadError::Stranger(address))
}

fn say(line: &str) {
    use std::io::Write as _;
    // The exit code has said it already.
    let _ = writeln!(std::io::stdout(), "{line}");
}
