//! `segue import`: writes a `segue.yaml` from another gateway's config.

mod account;
mod base;
mod chain;
mod deployment;
mod draft;
mod fields;
mod litellm;
mod measure;
mod notes;
mod place;
mod quote;
mod reading;
mod secrets;
mod settings;
mod tree;
mod vendor;
mod why;
mod write;

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use self::litellm::{Failed, Imported};
use self::tree::{MAX_FILE, Unreadable};
use crate::cli::exit::{failed, unwritten};

/// The command's options.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    source: Source,
}

#[derive(Subcommand)]
enum Source {
    /// From the config of a LiteLLM proxy
    ///
    /// Secrets are never written out: they become variables of the environment.
    /// What cannot be carried over is listed, on standard error and at the end of the file.
    #[command(verbatim_doc_comment)]
    Litellm(Litellm),
}

#[derive(clap::Args)]
struct Litellm {
    /// LiteLLM's config file.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE", verbatim_doc_comment)]
    output: Option<PathBuf>,
    /// Write over a file that is there already.
    #[arg(long, requires = "output")]
    force: bool,
}

/// Imports; returns 1 when the input is no such config, or the output cannot be written.
pub(super) fn run(args: &Args) -> ExitCode {
    let Source::Litellm(args) = &args.source;
    let environment = |name: &str| std::env::var(name).ok();
    let read = read(&args.config);
    let imported = read.and_then(|text| {
        litellm::convert(&text, &environment).map_err(|Failed { error, notes }| {
            report(&notes);
            format!("{}: {error}", args.config.display())
        })
    });
    let Imported { text, notes } = match imported {
        Ok(imported) => imported,
        Err(message) => return failed(&message),
    };
    report(&notes);
    let Some(path) = &args.output else {
        return match io::stdout().lock().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => unwritten(&error),
        };
    };
    let mut options = OpenOptions::new();
    if args.force {
        options.write(true).create(true).truncate(true);
    } else {
        options.write(true).create_new(true);
    }
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => failed(&format!(
            "{} is there already; --force writes over it",
            path.display()
        )),
        Err(error) => failed(&format!("cannot write {}: {error}", path.display())),
    }
}

/// Reads a file, but never more than a config may be.
fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let unread = |error: io::Error| format!("cannot read {shown}: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unread)?;
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("{shown}: {}", Unreadable::TooLarge));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| format!("{shown}: {}", Unreadable::Encoding))?;
    Ok(text)
}

fn report(notes: &[String]) {
    for note in notes {
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(io::stderr(), "segue: {note}");
    }
}
