//! `segue samples`: what was asked and answered in sampled exchanges, as a person reads it.

mod found;
mod show;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;

use self::found::{Found, Wanted};
use crate::cli::exit::{failed, refused, unwritten, warned};
use crate::config;
use crate::telemetry::{Outcome, numbered};

/// The width where the terminal does not say its own.
const WIDTH: usize = 100;

/// The command's options.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A file of samples [default: those that the
    /// configuration names, the oldest first]
    #[arg(value_name = "FILE", verbatim_doc_comment)]
    file: Option<PathBuf>,
    /// The configuration file; only its `samples` is read
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/segue/segue.yaml",
        conflicts_with = "file"
    )]
    config: PathBuf,
    /// How many at most, the latest
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// Those of this route
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Those that ended so
    #[arg(long, value_parser = PossibleValuesParser::new(Outcome::ALL.map(Outcome::name)))]
    outcome: Option<String>,
    /// Print the lines as they are in the file.
    #[arg(long)]
    json: bool,
}

/// Prints; returns 1 when there is nothing to read, or it cannot be read.
pub(super) fn run(args: &Args) -> ExitCode {
    let files = match &args.file {
        Some(file) => vec![file.clone()],
        None => match config::samples_path(&args.config) {
            Ok(Some((path, files))) => files_of(&path, files),
            Ok(None) => return failed("the configuration samples nothing: `samples` is off"),
            Err(errors) => return refused(&errors),
        },
    };
    let wanted = Wanted {
        last: args.last,
        route: args.route.as_deref(),
        outcome: args.outcome.as_deref(),
    };
    let found = match found::read(&files, &wanted) {
        Ok(found) => found,
        Err(message) => return failed(&message),
    };
    if found.unread > 0 {
        warned(&format!("{} lines are no samples", found.unread));
    }
    match print(&found, args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

/// The files that are there, the oldest first; if none is, the newest, for the message.
fn files_of(path: &Path, files: u32) -> Vec<PathBuf> {
    let older = (1..files).rev().map(|number| numbered(path, number));
    let older = older.filter(|file| file.exists());
    older.chain([path.to_owned()]).collect()
}

fn print(found: &Found, args: &Args, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        return found
            .samples
            .iter()
            .try_for_each(|(line, _)| writeln!(out, "{line}"));
    }
    let columns = std::env::var("COLUMNS").ok();
    let width = columns.and_then(|columns| columns.parse().ok());
    show::print(found, width.unwrap_or(WIDTH), out)
}
