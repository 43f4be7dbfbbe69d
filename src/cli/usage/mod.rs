//! `segue usage`: what was used and what it cost, out of the store of a process that may run on.

mod export;
mod found;
mod span;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use self::found::Usage;
use self::span::Asked;
use crate::account::store::{By, Reader, Sum};
use crate::cli::exit::{failed, refused, unwritten};
use crate::config;

/// The width of a table where the terminal does not say its own.
const WIDTH: usize = 100;

/// The command's options.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration file; only its `accounts.store` is
    /// read
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/segue/segue.yaml",
        verbatim_doc_comment
    )]
    config: PathBuf,
    /// The store itself, instead of the one that the
    /// configuration names
    #[arg(long, value_name = "PATH", verbatim_doc_comment)]
    db: Option<PathBuf>,
    /// What to tell apart, divided by commas: key, route,
    /// target, day, month; and as long as single exchanges
    /// are kept: hour, outcome, fallback, endpoint, variant,
    /// session, user
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "route",
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    by: Vec<By>,
    /// The first day, 2026-11-01, or how long ago: 7d (today
    /// and the six days before, of UTC), 12h, 30m
    #[arg(long, value_name = "WHEN", default_value = "7d", verbatim_doc_comment)]
    since: String,
    /// The last day, or how long ago [default: now]
    #[arg(long, value_name = "WHEN", verbatim_doc_comment)]
    until: Option<String>,
    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values.
    #[arg(long)]
    csv: bool,
}

impl ValueEnum for By {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Prints; returns 1 when there is nothing to read, or it cannot be read.
pub(super) fn run(args: &Args) -> ExitCode {
    let asked = match Asked::parse(&args.since, args.until.as_deref(), SystemTime::now()) {
        Ok(asked) => asked,
        Err(message) => return failed(&message),
    };
    let named;
    let path = match &args.db {
        Some(path) => path,
        None => match config::store_path(&args.config) {
            Ok(Some(path)) => {
                named = path;
                &named
            }
            Ok(None) => return failed("the configuration keeps no usage: `accounts.store` is off"),
            Err(errors) => return refused(&errors),
        },
    };
    let usage = match read(path, asked, &args.by) {
        Ok(usage) => usage,
        Err(message) => return failed(&message),
    };
    match print(&usage, args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unwritten(&error),
    }
}

fn read(path: &Path, asked: Asked, by: &[By]) -> Result<Usage, String> {
    let mut names: Vec<By> = Vec::new();
    for by in by {
        if !names.contains(by) {
            names.push(*by);
        }
    }
    let sums = Reader::open(path).and_then(|reader| reader.sums(&asked.span, &names));
    let mut sums = sums.map_err(|error| error.to_string())?;
    // Times in their order, anything else by what it costs.
    if !names.first().is_some_and(|by| by.is_time()) {
        let weight = |sum: &Sum| {
            let (delivered, wasted) = (&sum.delivered, &sum.wasted);
            (
                delivered.cost + wasted.cost,
                delivered.usage.output,
                sum.exchanges,
            )
        };
        sums.sort_by_key(|sum| std::cmp::Reverse(weight(sum)));
    }
    Ok(Usage {
        asked,
        by: names,
        sums,
    })
}

fn print(usage: &Usage, args: &Args, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        return export::json(usage, out);
    }
    if args.csv {
        return export::csv(usage, out);
    }
    let columns = std::env::var("COLUMNS").ok();
    let width = columns.and_then(|columns| columns.parse().ok());
    table::print(usage, width.unwrap_or(WIDTH), out)
}
