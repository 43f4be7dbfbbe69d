//! The command line.

pub mod check;
mod demo;
mod exit;
mod run;
pub mod schema;
pub mod sim;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::exit::failed;
use crate::edge::Signals;

/// An LLM edge proxy whose users never hear the switch from one provider to another.
#[derive(Parser)]
#[command(name = "segue", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, until told to stop by a signal.
    Run {
        /// The configuration file.
        #[arg(short, long, default_value = "/etc/segue/segue.yaml")]
        config: PathBuf,
    },
    /// Check a configuration: print what it comes to, or every mistake in it.
    Check {
        /// The configuration file.
        #[arg(short, long, default_value = "/etc/segue/segue.yaml")]
        config: PathBuf,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Simulate a provider, with faults by script.
    Sim(sim::Args),
    /// Show the proxy at work before a provider that fails, then stay up for curl.
    Demo(demo::Args),
}

/// Runs the command that the process was called with.
pub fn main(signals: io::Result<Signals>) -> ExitCode {
    let arguments = Arguments::parse();
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot handle signals: {error}")),
    };
    match arguments.command {
        Command::Run { config } => run::run(&config, signals),
        Command::Check { config } => check::run(&config),
        Command::Schema => schema::run(),
        Command::Sim(args) => sim::run(args),
        Command::Demo(args) => demo::run(args, signals),
    }
}
