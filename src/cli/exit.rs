//! How a command ends.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::config;
use crate::edge::{Signal, SignalStream};

/// Says what went wrong, and exit code 1.
pub(super) fn failed(message: &str) -> ExitCode {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(io::stderr(), "segue: {message}");
    ExitCode::FAILURE
}

/// Says what is no failure, but worth a thought.
pub(super) fn warned(message: &str) {
    let _ = writeln!(io::stderr(), "segue: warning: {message}");
}

/// Says what is wrong with a configuration: a line for the file, or one for each mistake in it.
pub(super) fn refused(errors: &config::Errors) -> ExitCode {
    match errors.mistakes() {
        [mistake] if mistake.at.is_none() => failed(&errors.to_string()),
        [_] => failed(&format!("the configuration has a mistake\n{errors}")),
        several => {
            let count = several.len();
            failed(&format!("the configuration has {count} mistakes\n{errors}"))
        }
    }
}

/// Says that standard output took no more; whoever closed it on purpose knows.
pub(super) fn unwritten(error: &io::Error) -> ExitCode {
    match error.kind() {
        io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => failed(&format!("cannot write: {error}")),
    }
}

/// Waits for a signal that means the end; so does a closed terminal.
pub(super) async fn told_to_end(signals: &mut SignalStream) {
    loop {
        match signals.next().await {
            Signal::Int | Signal::Term | Signal::Hup | Signal::Quit => return,
            Signal::Usr1 | Signal::Usr2 => {}
        }
    }
}
