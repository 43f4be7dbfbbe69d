//! How a command ends.

use std::io::{self, Write};
use std::process::ExitCode;

/// Says what went wrong, and exit code 1.
pub(super) fn failed(message: &str) -> ExitCode {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(io::stderr(), "segue: {message}");
    ExitCode::FAILURE
}
