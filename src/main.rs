//! Arguments in, exit code out; all else is in the library.

use std::process::ExitCode;

use segue::edge::Signals;

fn main() -> ExitCode {
    // First of all: a HUP that comes before a handler is there ends the process.
    let signals = Signals::install();
    segue::cli::main(signals)
}
