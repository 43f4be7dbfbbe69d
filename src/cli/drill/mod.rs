//! `segue drill`: what a config does on a bad day, found out by having one: simulators stand in for
//! its providers, and each of its routes is led through a list of faults, over real sockets.

mod cast;
mod clock;
mod fault;
mod folder;
mod html;
mod play;
mod rehearse;
mod report;
mod seen;
mod stage;
mod text;
mod told;
mod truth;
mod warnings;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use crate::cli::drill::cast::Form;
use crate::cli::drill::clock::Speed;
use crate::cli::drill::fault::{FAULTS, Fault, named};
use crate::cli::drill::folder::Folder;
use crate::cli::drill::play::Manner;
use crate::cli::drill::rehearse::{Progress, RehearseError, rehearse};
use crate::cli::drill::report::{Report, seconds};
use crate::cli::exit::{failed, refused, told_to_end, unwritten, warned};
use crate::config;
use crate::edge::{Settings, Signals};
use crate::telemetry::{self, DiagnosticsError, Metrics, Timestamp};

/// Diagnostics, unless `RUST_LOG` says otherwise: what goes wrong is meant to.
const DIAGNOSTICS: &str = "off";

/// Variables that a config reads and that are no secrets.
const NO_SECRETS: [&str; 1] = ["STATE_DIRECTORY"];

/// A scene that takes longer than this is announced.
const LONG: Duration = Duration::from_secs(20);

/// What follows the options in the help.
const EXAMPLES: &str = "\
Examples:
  segue drill -c segue.yaml --html drill.html
  segue drill -c segue.yaml --route support --fault hang --speed 10

Nothing leaves this machine, and no credential is used. docs/operations.md
tells how to read the report.";

/// The arguments of `segue drill`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The configuration file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "/etc/segue/segue.yaml"
    )]
    config: PathBuf,
    /// Write the report to this file as well, as a page
    /// of HTML that needs nothing else
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    html: Option<PathBuf>,
    /// Only this route; may be repeated
    #[arg(long = "route", value_name = "NAME")]
    routes: Vec<String>,
    /// Only this fault; may be repeated. `list` names
    /// them all
    #[arg(long = "fault", value_name = "NAME", verbatim_doc_comment)]
    faults: Vec<String>,
    /// Ask for whole answers instead of streams
    #[arg(long)]
    whole: bool,
    /// Let the clocks of the file run so many times as
    /// fast, 1 to 100
    #[arg(
        long,
        value_name = "FACTOR",
        default_value = "1",
        value_parser = Speed::parse,
        verbatim_doc_comment
    )]
    speed: Speed,
    /// End with exit code 1 if there are warnings
    #[arg(long)]
    strict: bool,
}

/// Why there is no drill.
#[derive(Debug, thiserror::Error)]
enum DrillError {
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Diagnostics(#[from] DiagnosticsError),
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot handle signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot make a folder for the log: {0}")]
    Folder(#[source] io::Error),
    #[error(transparent)]
    Rehearse(#[from] RehearseError),
    #[error("interrupted")]
    Interrupted,
}

/// Drills; returns 0 if no client saw what it must never see, and with `--strict` if there are no
/// warnings either.
pub(super) fn run(args: &Args, signals: Signals) -> ExitCode {
    if args.faults.iter().any(|name| name == "list") {
        return list();
    }
    let faults = match faults(&args.faults) {
        Ok(faults) => faults,
        Err(name) => return failed(&format!("there is no fault {name:?}; try --fault list")),
    };
    let (settings, stand_ins) = match load(&args.config) {
        Ok(loaded) => loaded,
        Err(errors) => return refused(&errors),
    };
    let missing = |name: &&String| settings.routes.get(name).is_none();
    if let Some(name) = args.routes.iter().find(missing) {
        return failed(&format!("there is no route {name:?}"));
    }
    let drilled = drill(args, &settings, &faults, stand_ins, signals);
    log::logger().flush();
    match drilled {
        Ok(report) => told(args, &report),
        Err(error) => failed(&error.to_string()),
    }
}

/// Writes the report, and says what exit code it comes to.
fn told(args: &Args, report: &Report) -> ExitCode {
    if let Err(error) = text::write(report, &mut io::stdout().lock()) {
        return unwritten(&error);
    }
    if let Some(path) = &args.html
        && let Err(error) = fs::write(path, html::page(report))
    {
        return failed(&format!("{}: {error}", path.display()));
    }
    match (report.garbled(), report.warnings()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) if !args.strict => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Reads the config. A secret of the environment that is not set here has a stand-in, for none is used:
/// the names of those come back beside it.
fn load(path: &Path) -> Result<(Settings, Vec<String>), config::Errors> {
    let missing = RefCell::new(BTreeSet::new());
    let environment = |name: &str| {
        std::env::var(name).ok().or_else(|| {
            if NO_SECRETS.contains(&name) {
                return None;
            }
            missing.borrow_mut().insert(name.to_owned());
            Some(format!("stand-in-of-the-drill-for-{name}"))
        })
    };
    let settings = config::load_with(path, &environment)?;
    Ok((settings, missing.into_inner().into_iter().collect()))
}

/// The faults of these names, or all; an unknown name is the error.
fn faults(names: &[String]) -> Result<Vec<&'static Fault>, &str> {
    if names.is_empty() {
        return Ok(FAULTS.iter().collect());
    }
    let found = names.iter();
    found.map(|name| named(name).ok_or(name.as_str())).collect()
}

fn list() -> ExitCode {
    let mut out = io::stdout().lock();
    for fault in &FAULTS {
        if let Err(error) = writeln!(out, "{:<12} {}", fault.name, fault.words) {
            return unwritten(&error);
        }
    }
    ExitCode::SUCCESS
}

fn drill(
    args: &Args,
    settings: &Settings,
    faults: &[&'static Fault],
    stand_ins: Vec<String>,
    signals: Signals,
) -> Result<Report, DrillError> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| DIAGNOSTICS.to_owned());
    let metrics = Metrics::try_new(env!("CARGO_PKG_VERSION"))?;
    telemetry::diagnostics(Some(&filter), metrics.diagnostics_dropped())?;
    let forms = Form::all(settings, &args.routes);
    announce(&forms, args.speed);
    let manner = Manner {
        form: if args.whole {
            seen::Form::Whole
        } else {
            seen::Form::Stream
        },
        speed: args.speed,
    };
    let folder = Folder::make().map_err(DrillError::Folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DrillError::Runtime)?;
    let began = Instant::now();
    let progress = Progress::of_stderr();
    let sections = runtime.block_on(async {
        let mut signals = signals.listen().map_err(DrillError::Signals)?;
        tokio::select! {
            sections = rehearse(&forms, settings, faults, manner, &folder, progress) => {
                sections.map_err(DrillError::from)
            }
            () = told_to_end(&mut signals) => Err(DrillError::Interrupted),
        }
    });
    // Whatever still hangs must not keep the process.
    runtime.shutdown_background();
    Ok(Report {
        config: args.config.display().to_string(),
        date: Timestamp(SystemTime::now()).to_string(),
        speed: args.speed,
        took: began.elapsed(),
        stand_ins,
        sections: sections?,
    })
}

/// Says so if it will take long.
fn announce(forms: &[Form], speed: Speed) {
    let longest = forms.iter().map(rehearse::longest).max();
    let longest = speed.shortened(longest.unwrap_or_default());
    if longest > LONG {
        warned(&format!(
            "this may take {}: providers are silent for as long as the file waits for them. \
             --speed makes its clocks run faster",
            seconds(longest)
        ));
    }
}
