//! How a process came to be: started by somebody, or by the process that it is to succeed.

use std::env;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::words::HeirWord;
use crate::edge::sockets::{Giver, Sockets, SocketsError};

/// Says what a process is for. Its standard input is the channel then.
pub(super) const VARIABLE: &str = "SEGUE_HANDOVER";
pub(super) const MIDWIFE: &str = "midwife";
const HEIR: &str = "heir";

/// How this process came to be.
#[derive(Debug)]
pub enum Birth {
    /// By itself, perhaps with sockets of the service manager.
    Own(Sockets),
    /// To start an heir and end.
    Midwife,
    /// To succeed another.
    Heir(Cradle, Sockets),
}

/// What an heir has of its predecessor before it has a runtime.
#[derive(Debug)]
pub struct Cradle {
    pub(super) channel: UnixStream,
}

impl Birth {
    /// How this process came to be. To be called once, before there are threads.
    ///
    /// # Errors
    /// What was passed are no listening sockets.
    pub fn from_env() -> Result<Self, SocketsError> {
        match env::var(VARIABLE).as_deref() {
            Ok(MIDWIFE) => Ok(Self::Midwife),
            Ok(HEIR) => {
                let sockets = Sockets::from_env(Giver::Predecessor)?;
                match channel() {
                    Ok(channel) => Ok(Self::Heir(Cradle { channel }, sockets)),
                    // A variable that somebody left behind: without a channel there is no elder.
                    Err(_) => Ok(Self::Own(sockets)),
                }
            }
            _ => Ok(Self::Own(Sockets::from_env(Giver::Manager)?)),
        }
    }
}

impl Cradle {
    /// Tells the predecessor why there will be no successor.
    pub fn refuse(mut self, why: &str) {
        // Bounded like every word; the log has all of it.
        let why = why.chars().take(8 << 10).collect();
        // An elder that has ended need not know.
        let _ = say(&mut self.channel, &HeirWord::Refused { why });
    }
}

/// Starts the heir with the same arguments and all that was passed to us, says its number, and ends.
/// So the heir has no parent here: whoever takes in orphans, which for a service is its manager, is
/// told when it ends.
///
/// # Errors
/// It cannot be started.
pub fn deliver() -> io::Result<()> {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| "segue".into());
    let heir = Command::new(env::current_exe()?)
        .arg0(name)
        .args(arguments)
        .env(VARIABLE, HEIR)
        .stdin(Stdio::inherit())
        .spawn()?;
    let pid = i32::try_from(heir.id()).map_err(io::Error::other)?;
    say(&mut channel()?, &HeirWord::Born { pid })
}

/// Our end of the channel, which stays open as the standard input too.
fn channel() -> io::Result<UnixStream> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails for what is no socket, or is not connected.
    stream.peer_addr()?;
    Ok(stream)
}

fn say(channel: &mut UnixStream, word: &HeirWord) -> io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    channel.write_all(&line)
}
