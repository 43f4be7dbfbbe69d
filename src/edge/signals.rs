//! Signals: remembered from the first instruction on, and what each of them means.
//!
//! Pingora has no handler for HUP: one that comes while the config is still being read would end
//! the process. So handlers that only remember are installed before anything else, and read once
//! there is a runtime. The same signal sent again before it was read counts once.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// A signal that we answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Read the config again.
    Hup,
    /// End when what is under way is done.
    Term,
    /// End now.
    Int,
    /// Pingora's sign to hand over; refused.
    Quit,
    /// Open the access log anew.
    Usr1,
    /// Start a successor, and leave the service to it.
    Usr2,
}

impl Signal {
    /// All of them; of several that wait, the first of these is read first.
    const ALL: [Self; 6] = [
        Self::Int,
        Self::Term,
        Self::Quit,
        Self::Usr2,
        Self::Usr1,
        Self::Hup,
    ];

    fn number(self) -> i32 {
        match self {
            Self::Hup => SIGHUP,
            Self::Term => SIGTERM,
            Self::Int => SIGINT,
            Self::Quit => SIGQUIT,
            Self::Usr1 => SIGUSR1,
            Self::Usr2 => SIGUSR2,
        }
    }
}

/// The installed handlers and what they remember.
#[derive(Debug)]
pub struct Signals {
    came: Vec<(Signal, Arc<AtomicBool>)>,
    wake: UnixStream,
}

impl Signals {
    /// Installs the handlers, for the rest of the process's life. To be called first in `main`.
    ///
    /// HUP is the first to be caught, as it would end the process for no good reason.
    pub fn install() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let mut came = Vec::with_capacity(Signal::ALL.len());
        for signal in Signal::ALL.into_iter().rev() {
            let flag = Arc::new(AtomicBool::new(false));
            // The handlers run in this order: who is woken finds the flag.
            flag::register(signal.number(), flag.clone())?;
            pipe::register(signal.number(), waker.try_clone()?)?;
            came.push((signal, flag));
        }
        came.reverse();
        Ok(Self { came, wake })
    }

    /// Takes a signal that has come, without waiting.
    pub fn take(&self) -> Option<Signal> {
        let (signal, _) = self
            .came
            .iter()
            .find(|(_, flag)| flag.swap(false, Ordering::AcqRel))?;
        Some(*signal)
    }

    /// Goes over to waiting. It must be called on a runtime.
    pub fn listen(self) -> io::Result<SignalStream> {
        let wake = tokio::net::UnixStream::from_std(self.wake.try_clone()?)?;
        Ok(SignalStream {
            signals: self,
            wake,
        })
    }
}

/// Signals as they come.
#[derive(Debug)]
pub struct SignalStream {
    signals: Signals,
    wake: tokio::net::UnixStream,
}

impl SignalStream {
    /// Waits for the next signal.
    ///
    /// # Cancel safety
    /// No signal is lost when it is dropped.
    pub async fn next(&mut self) -> Signal {
        loop {
            // The bytes go first: a signal that comes after this leaves a new one.
            let mut bytes = [0; 64];
            while self.wake.try_read(&mut bytes).is_ok_and(|read| read > 0) {}
            if let Some(signal) = self.signals.take() {
                return signal;
            }
            if self.wake.readable().await.is_err() {
                // The runtime is going down, and we with it.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It starts or serves.
    #[default]
    Running,
    /// It serves, and a successor is on its way.
    Upgrading,
    /// A successor serves; it finishes what is under way.
    Retired,
    /// It finishes what is under way.
    Draining,
    /// It ends.
    Stopping,
}

/// What is to be done about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the config again and serve it if it is good.
    Reload,
    /// Start a successor.
    Upgrade,
    /// Take no more, finish what is under way, end.
    Drain,
    /// Wait no longer for connections that have nothing under way.
    HangUp,
    /// End now.
    StopNow,
    /// Open the access log anew.
    ReopenLog,
    /// Nothing; log why.
    Refuse(&'static str),
}

impl Phase {
    /// What a signal means now, and the phase that follows.
    ///
    /// ```text
    /// Upgrading ──it serves──▶ Retired
    ///   ▲ │ USR2, it failed       │ TERM
    ///   │ ▼                       ▼
    /// Running ──────TERM──────▶ Draining ──TERM, INT──▶ Stopping
    ///    └────────────────INT──────────────────────────────▲
    /// ```
    ///
    /// An upgrade is given up by whatever leads away from it.
    #[must_use]
    pub fn on(self, signal: Signal) -> (Self, Action) {
        match (self, signal) {
            (Self::Running | Self::Upgrading, Signal::Term) => (Self::Draining, Action::Drain),
            // A manager that ends the service may tell all of its processes.
            (Self::Retired, Signal::Term) => (Self::Draining, Action::HangUp),
            (Self::Draining | Self::Stopping, Signal::Term) | (_, Signal::Int) => {
                (Self::Stopping, Action::StopNow)
            }
            (Self::Running | Self::Upgrading, Signal::Hup) => (self, Action::Reload),
            (Self::Retired, Signal::Hup) => {
                (self, Action::Refuse("HUP ignored: a successor serves"))
            }
            (Self::Draining | Self::Stopping, Signal::Hup) => {
                (self, Action::Refuse("HUP ignored: the process is ending"))
            }
            (_, Signal::Usr1) => (self, Action::ReopenLog),
            // Pingora's own answer to QUIT ends the process even when nobody takes over.
            (_, Signal::Quit) => (
                self,
                Action::Refuse("QUIT ignored: TERM ends the process, USR2 replaces it"),
            ),
            (Self::Running, Signal::Usr2) => (Self::Upgrading, Action::Upgrade),
            (Self::Upgrading, Signal::Usr2) => (
                self,
                Action::Refuse("USR2 ignored: a successor is on its way"),
            ),
            (Self::Retired | Self::Draining | Self::Stopping, Signal::Usr2) => {
                (self, Action::Refuse("USR2 ignored: the process is ending"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use signal_hook::low_level::raise;

    use super::*;

    #[test]
    fn each_signal_means_one_thing_in_each_phase() {
        use Phase::{Draining, Retired, Running, Stopping, Upgrading};
        for (phase, signal, next, action) in [
            (Running, Signal::Hup, Running, Some(Action::Reload)),
            (Running, Signal::Term, Draining, Some(Action::Drain)),
            (Running, Signal::Int, Stopping, Some(Action::StopNow)),
            (Running, Signal::Usr1, Running, Some(Action::ReopenLog)),
            (Running, Signal::Quit, Running, None),
            (Running, Signal::Usr2, Upgrading, Some(Action::Upgrade)),
            (Upgrading, Signal::Hup, Upgrading, Some(Action::Reload)),
            (Upgrading, Signal::Term, Draining, Some(Action::Drain)),
            (Upgrading, Signal::Int, Stopping, Some(Action::StopNow)),
            (Upgrading, Signal::Usr1, Upgrading, Some(Action::ReopenLog)),
            (Upgrading, Signal::Quit, Upgrading, None),
            (Upgrading, Signal::Usr2, Upgrading, None),
            (Retired, Signal::Hup, Retired, None),
            (Retired, Signal::Term, Draining, Some(Action::HangUp)),
            (Retired, Signal::Int, Stopping, Some(Action::StopNow)),
            (Retired, Signal::Usr1, Retired, Some(Action::ReopenLog)),
            (Retired, Signal::Quit, Retired, None),
            (Retired, Signal::Usr2, Retired, None),
            (Draining, Signal::Hup, Draining, None),
            (Draining, Signal::Term, Stopping, Some(Action::StopNow)),
            (Draining, Signal::Int, Stopping, Some(Action::StopNow)),
            (Draining, Signal::Usr1, Draining, Some(Action::ReopenLog)),
            (Draining, Signal::Quit, Draining, None),
            (Draining, Signal::Usr2, Draining, None),
            (Stopping, Signal::Hup, Stopping, None),
            (Stopping, Signal::Term, Stopping, Some(Action::StopNow)),
            (Stopping, Signal::Int, Stopping, Some(Action::StopNow)),
            (Stopping, Signal::Usr1, Stopping, Some(Action::ReopenLog)),
            (Stopping, Signal::Quit, Stopping, None),
            (Stopping, Signal::Usr2, Stopping, None),
        ] {
            let (phase_after, done) = phase.on(signal);
            let done = (!matches!(done, Action::Refuse(_))).then_some(done);
            assert_eq!((phase_after, done), (next, action), "{phase:?} {signal:?}");
        }
    }

    // One test for all that raises signals: their handlers are the process's.
    #[test]
    fn signals_that_come_before_the_runtime_are_remembered_once_and_later_ones_wake_it() {
        let signals = Signals::install().unwrap();
        assert_eq!(signals.take(), None);
        for _ in 0..100 {
            raise(SIGHUP).unwrap();
        }
        raise(SIGTERM).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut stream = signals.listen().unwrap();
            assert_eq!(stream.next().await, Signal::Term);
            assert_eq!(stream.next().await, Signal::Hup);
            for signal in Signal::ALL {
                let waiting = tokio::spawn(async move {
                    let came = stream.next().await;
                    (stream, came)
                });
                tokio::task::yield_now().await;
                raise(signal.number()).unwrap();
                let (back, came) = waiting.await.unwrap();
                stream = back;
                assert_eq!(came, signal);
            }
            assert_eq!(stream.signals.take(), None);
        });
    }
}
