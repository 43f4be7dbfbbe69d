//! The command line.

mod address;
mod asked;
pub mod check;
mod client;
mod demo;
mod drill;
mod exit;
mod explain;
mod heard;
mod import;
mod key;
mod reload;
mod run;
mod samples;
pub mod schema;
mod serve;
pub mod sim;
mod upgrade;
mod usage;
mod watch;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

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
    /// Serve, until told to stop by a signal
    ///
    /// HUP reads the configuration again; if it has mistakes, the old one stays.
    /// USR2 starts a successor, and leaves the service to it once it serves.
    /// TERM takes no more requests and ends when those under way are through.
    /// INT, or a second TERM, ends at once. USR1 opens the access log
    /// and the samples anew.
    #[command(verbatim_doc_comment)]
    Run(Config),
    /// Have a running process read its configuration again, and
    /// say what came of it
    ///
    /// Exit code 0: the file is in force. 1: it is not, and the old
    /// one stays.
    #[command(verbatim_doc_comment)]
    Reload(reload::Args),
    /// Have a running process start its successor, from the binary and the
    /// configuration as they are now, and say what came of it
    ///
    /// Exit code 0: the successor serves; the old process finishes what it
    /// has under way. 1: there is none, and the old process serves on.
    #[command(verbatim_doc_comment)]
    Upgrade(upgrade::Args),
    /// Check a configuration: print what it comes to, or every mistake in it.
    Check(Config),
    /// Show where a request would go, in what order, and what would be sent.
    Explain(explain::Args),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Show what was used: by key, route, target, day.
    Usage(usage::Args),
    /// Show what was asked and answered in sampled exchanges.
    Samples(samples::Args),
    /// Write a configuration from another gateway's.
    Import(import::Args),
    /// Make client keys, and their digests.
    #[command(subcommand)]
    Key(key::Command),
    /// Simulate a provider that fails as it is told.
    Sim(sim::Args),
    /// Find out what a configuration does on a bad day.
    Drill(drill::Args),
    /// Show segue at work, before a provider that has a bad day.
    Demo(demo::Args),
}

#[derive(clap::Args)]
struct Config {
    /// The configuration file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/segue/segue.yaml"
    )]
    config: PathBuf,
}

/// The command line, for what is made from it: man pages, completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command that the process was called with.
pub fn main(signals: io::Result<Signals>) -> ExitCode {
    let arguments = Arguments::parse();
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot handle signals: {error}")),
    };
    match arguments.command {
        Command::Run(Config { config }) => run::run(&config, signals),
        Command::Reload(args) => reload::run(&args),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::Check(Config { config }) => check::run(&config),
        Command::Explain(args) => explain::run(&args),
        Command::Schema => schema::run(),
        Command::Usage(args) => usage::run(&args),
        Command::Samples(args) => samples::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Key(command) => key::run(&command),
        Command::Sim(args) => sim::run(args),
        Command::Drill(args) => drill::run(&args, signals),
        Command::Demo(args) => demo::run(args, signals),
    }
}
