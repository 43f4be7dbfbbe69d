//! The command line.

mod address;
pub mod check;
mod demo;
mod exit;
mod explain;
mod import;
mod key;
mod run;
mod samples;
pub mod schema;
pub mod sim;
mod usage;

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
    /// Serve, until told to stop by a signal
    ///
    /// HUP reads the configuration again; if it has mistakes, the old one stays.
    /// TERM takes no more requests and ends when those under way are through.
    /// INT, or a second TERM, ends at once. USR1 opens the access log
    /// and the samples anew.
    #[command(verbatim_doc_comment)]
    Run(Config),
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

/// Runs the command that the process was called with.
pub fn main(signals: io::Result<Signals>) -> ExitCode {
    let arguments = Arguments::parse();
    let signals = match signals {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot handle signals: {error}")),
    };
    match arguments.command {
        Command::Run(Config { config }) => run::run(&config, signals),
        Command::Check(Config { config }) => check::run(&config),
        Command::Explain(args) => explain::run(&args),
        Command::Schema => schema::run(),
        Command::Usage(args) => usage::run(&args),
        Command::Samples(args) => samples::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Key(command) => key::run(&command),
        Command::Sim(args) => sim::run(args),
        Command::Demo(args) => demo::run(args, signals),
    }
}
