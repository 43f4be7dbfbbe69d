//! The elder's side: starts a successor, waits until it serves, and tells it what still changes.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt as _, FdMapping};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::time::{MissedTickBehavior, timeout};

use super::birth::{MIDWIFE, VARIABLE};
use super::channel::Channel;
use super::words::{ElderWord, HeirWord, millis};
use crate::account::{Now, Told};
use crate::edge::server::Running;
use crate::edge::sockets::Passed;

/// How long a successor may take to be ready: to read its config and open its files.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to accept connections once it is told to.
const SERVING: Duration = Duration::from_secs(5);

/// How often it is told what changes while we drain.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// The first descriptor of those that are passed (`sd_listen_fds(3)`).
const FIRST: i32 = 3;

/// Why there is no successor. This process serves on.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The end of process 1 would be the end of all.
    #[error("as process 1 it cannot be succeeded: replace the container")]
    First,
    /// The program cannot be started.
    #[error("cannot start {}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It ended too early.
    #[error("the successor ended before it {0}; its own words are in the log")]
    Ended(Stage),
    /// It did not get there in time.
    #[error("the successor hangs: {} s passed before it {stage}", after.as_secs())]
    Hangs {
        /// What it was to do.
        stage: Stage,
        /// The time that it had.
        after: Duration,
    },
    /// It says why it cannot serve.
    #[error("the successor cannot serve: {0}")]
    Refused(String),
    /// The channel does not work.
    #[error("cannot talk to the successor: {0}")]
    Channel(#[from] io::Error),
}

/// What a successor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It could serve.
    Ready,
    /// It serves.
    Serving,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Ready => "was ready",
            Self::Serving => "accepted connections",
        })
    }
}

/// How this process was started, so that its successor can be started alike.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// To be called at the start: later the file may have been replaced, and then the kernel only
    /// knows that it was deleted.
    ///
    /// # Errors
    /// The kernel does not say what runs.
    pub fn current() -> io::Result<Self> {
        let running = env::current_exe()?;
        let mut arguments = env::args_os();
        // As it was called: through a link the next version may lie somewhere else.
        let called = arguments.next().map(PathBuf::from);
        let called = called.filter(|path| path.is_absolute());
        let same = |path: &PathBuf| fs::canonicalize(path).is_ok_and(|it| it == running);
        Ok(Self {
            path: called.filter(same).unwrap_or(running),
            arguments: arguments.collect(),
        })
    }
}

/// A process that serves in our place.
pub struct Successor {
    pid: i32,
    version: String,
    channel: Channel,
    told: Told,
    cooling: HashMap<Arc<str>, Instant>,
}

impl Successor {
    /// Starts one and waits until it serves. Dropped before that, it ends it.
    ///
    /// # Errors
    /// There is none then, and nothing has changed.
    pub async fn raise(program: &Program, running: &Running) -> Result<Self, UpgradeError> {
        if std::process::id() == 1 {
            return Err(UpgradeError::First);
        }
        let (ours, theirs) = UnixStream::pair()?;
        let infant = Infant::start(program, theirs.into(), running.pass()?)?;
        let mut channel = Channel::new(ours)?;
        let ready = timeout(PATIENCE, until_ready(&mut channel)).await;
        let (pid, version) = ready.map_err(|_| UpgradeError::Hangs {
            stage: Stage::Ready,
            after: PATIENCE,
        })??;
        let (words, told) = legacy(running);
        let heard = channel.say(words).await;
        heard.map_err(|error| UpgradeError::channel(error, Stage::Serving))?;
        let serving = timeout(SERVING, until_serving(&mut channel)).await;
        serving.map_err(|_| UpgradeError::Hangs {
            stage: Stage::Serving,
            after: SERVING,
        })??;
        infant.grow_up();
        Ok(Self {
            pid,
            version,
            channel,
            told,
            cooling: HashMap::new(),
        })
    }

    /// Its process number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Leaves the service to it.
    ///
    /// # Errors
    /// It has ended.
    pub async fn entrust(&mut self) -> io::Result<()> {
        self.channel.say([ElderWord::Yours]).await
    }

    /// Tells it what changes here, for as long as it listens. Never ends.
    ///
    /// # Cancel safety
    /// What was not told is told by [`Successor::tell`].
    pub async fn inform(&mut self, running: &Running) {
        let mut every = tokio::time::interval(TELL_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.tell(running).await.is_ok() {
            tokio::select! {
                heard = self.channel.hear() => match heard {
                    Ok(Some(HeirWord::HangUp)) => running.hang_up(),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                },
                _ = every.tick() => {}
            }
        }
        log::error!(
            "the successor has ended before this process; nobody serves but what is under way"
        );
        running.hang_up();
        std::future::pending::<()>().await;
    }

    /// Has it read its config again.
    pub fn reload(&self) {
        if let Err(error) = kill(Pid::from_raw(self.pid), Signal::SIGHUP) {
            log::error!("cannot tell the successor to read its configuration again: {error}");
        }
    }

    /// Tells it what has changed here since it was last told.
    ///
    /// # Errors
    /// It has ended.
    pub async fn tell(&mut self, running: &Running) -> io::Result<()> {
        let changes = running.shared.ledger.changes(&mut self.told);
        let changes = changes.into_iter().map(Into::into).map(ElderWord::Change);
        let mut words: Vec<_> = changes.collect();
        let now = Instant::now();
        for record in running.shared.generations.standings().records(now) {
            let Some(wait) = record.breaker.cooling_for else {
                continue;
            };
            // A time that was told comes back a little off.
            let until = now + wait;
            let known = self.cooling.get(&record.name);
            if known.is_none_or(|known| until > *known + TELL_EVERY) {
                let target = record.name.to_string();
                let ms = millis(wait);
                words.push(ElderWord::Cool { target, ms });
                self.cooling.insert(record.name, until);
            }
        }
        if words.is_empty() {
            return Ok(());
        }
        self.channel.say(words).await
    }
}

/// The midwife's word and the heir's may come in any order.
async fn until_ready(channel: &mut Channel) -> Result<(i32, String), UpgradeError> {
    let (mut born, mut ready) = (None, None);
    loop {
        match hear(channel, Stage::Ready).await? {
            Some(HeirWord::Born { pid }) => born = Some(pid).filter(|pid| *pid > 1),
            Some(HeirWord::Ready { version }) => ready = Some(version),
            Some(HeirWord::Refused { why }) => return Err(UpgradeError::Refused(why)),
            Some(HeirWord::Serving | HeirWord::HangUp) => {}
            None => return Err(UpgradeError::Ended(Stage::Ready)),
        }
        if let (Some(pid), Some(version)) = (born, &ready) {
            return Ok((pid, version.clone()));
        }
    }
}

async fn until_serving(channel: &mut Channel) -> Result<(), UpgradeError> {
    loop {
        match hear(channel, Stage::Serving).await? {
            Some(HeirWord::Serving) => return Ok(()),
            Some(HeirWord::Refused { why }) => return Err(UpgradeError::Refused(why)),
            Some(HeirWord::Born { .. } | HeirWord::Ready { .. } | HeirWord::HangUp) => {}
            None => return Err(UpgradeError::Ended(Stage::Serving)),
        }
    }
}

async fn hear(channel: &mut Channel, stage: Stage) -> Result<Option<HeirWord>, UpgradeError> {
    let heard = channel.hear().await;
    heard.map_err(|error| UpgradeError::channel(error, stage))
}

impl UpgradeError {
    /// One that has ended with words of ours unread resets the channel.
    fn channel(error: io::Error, stage: Stage) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Ended(stage),
            _ => Self::Channel(error),
        }
    }
}

/// All that a successor begins with.
fn legacy(running: &Running) -> (Vec<ElderWord>, Told) {
    let now = Now::read();
    let targets = running.shared.generations.standings().records(now.steady);
    let targets = targets.into_iter().map(Into::into).map(ElderWord::Target);
    let (counts, told) = running.shared.ledger.hand_over(now);
    let counts = counts.into_iter().map(Into::into).map(ElderWord::Count);
    let words = targets.chain(counts).chain([ElderWord::Serve]);
    (words.collect(), told)
}

/// A successor that does not serve yet: dropped, it ends, with all that it has started.
struct Infant {
    midwife: Child,
    grown: bool,
}

impl Infant {
    fn start(
        program: &Program,
        channel: OwnedFd,
        passed: Vec<Passed>,
    ) -> Result<Self, UpgradeError> {
        let names: Vec<_> = passed.iter().map(|one| one.role.name()).collect();
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .stdin(Stdio::from(channel))
            .env(VARIABLE, MIDWIFE)
            .env("LISTEN_FDS", passed.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env_remove("LISTEN_PID")
            // It names us; without it the watchdog is whose the service is.
            .env_remove("WATCHDOG_PID")
            // So that all of it can be ended at once.
            .process_group(0);
        let mappings = (FIRST..).zip(passed).map(|(child_fd, one)| FdMapping {
            parent_fd: one.socket,
            child_fd,
        });
        let failed = |source| UpgradeError::Start {
            program: program.path.clone(),
            source,
        };
        let mapped = command.fd_mappings(mappings.collect());
        mapped.map_err(|collision| failed(io::Error::other(collision)))?;
        let midwife = command.spawn().map_err(failed)?;
        Ok(Self {
            midwife,
            grown: false,
        })
    }

    /// It serves, and ends by itself.
    fn grow_up(mut self) {
        self.grown = true;
    }
}

impl Drop for Infant {
    fn drop(&mut self) {
        // The midwife was not waited for yet, so the number of its group is nobody else's.
        if !self.grown
            && let Ok(group) = i32::try_from(self.midwife.id())
        {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        // It has ended, or does now.
        let _ = self.midwife.kill();
        let _ = self.midwife.wait();
    }
}
