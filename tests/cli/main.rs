//! The binary as a shell starts it: what it says, and how it ends.
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

mod demo;
mod drill;
mod explain;
mod import;
mod key;
mod mistakes;

use std::process::Command;

/// The binary with these arguments, free of what the shell around the tests has set.
fn segue(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segue"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}
