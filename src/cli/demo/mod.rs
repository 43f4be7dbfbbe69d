//! `segue demo`: the proxy between a client and two providers, one of which fails in every way, to
//! look at.

mod calm;
mod invite;
mod page;
mod scene;
mod sides;
mod stage;
mod step;
mod tour;
mod truth;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::address;
use crate::cli::demo::page::{Page, Paint};
use crate::cli::demo::stage::{CONFIG, Listen, Stage, StageError};
use crate::cli::demo::tour::Verdict;
use crate::cli::exit::{failed, told_to_end, unwritten};
use crate::edge::Signals;
use crate::telemetry::{self, DiagnosticsError, Metrics};

/// Diagnostics, unless `RUST_LOG` says otherwise: the terminal belongs to the tour.
const DIAGNOSTICS: &str = "warn";

/// The arguments of `segue demo`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Args {
    /// Where the proxy listens, on loopback
    /// [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDRESS", value_parser = loopback, verbatim_doc_comment)]
    listen: Option<SocketAddr>,
    /// End after the tour: with exit code 0 if all went
    /// as promised, else with 1
    #[arg(long, verbatim_doc_comment)]
    tour: bool,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Diagnostics(#[from] DiagnosticsError),
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error("cannot handle signals: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Page(#[from] io::Error),
}

/// Shows the tour and stays up; returns 0 unless something did not go as promised.
pub(super) fn run(args: Args, signals: Signals) -> ExitCode {
    let ended = start(args, signals);
    log::logger().flush();
    match ended {
        Ok(Verdict::Kept) => ExitCode::SUCCESS,
        // The tour has said what.
        Ok(Verdict::Broken) => ExitCode::FAILURE,
        Err(DemoError::Page(error)) => unwritten(&error),
        Err(error) => failed(&error.to_string()),
    }
}

fn start(args: Args, signals: Signals) -> Result<Verdict, DemoError> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| DIAGNOSTICS.to_owned());
    let metrics = Arc::new(Metrics::try_new(env!("CARGO_PKG_VERSION"))?);
    telemetry::diagnostics(Some(&filter), metrics.diagnostics_dropped())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DemoError::Runtime)?;
    let ended = runtime.block_on(show(args, signals, metrics));
    // Whatever still hangs must not keep the process.
    runtime.shutdown_background();
    ended
}

/// Shows the tour; then waits for a signal, unless only the tour was asked for.
async fn show(args: Args, signals: Signals, metrics: Arc<Metrics>) -> Result<Verdict, DemoError> {
    let mut signals = signals.listen().map_err(DemoError::Signals)?;
    let listen = args.listen.map_or(Listen::Usual, Listen::At);
    let stage = Stage::set(CONFIG, listen, metrics).await?;
    let mut page = Page::new(io::stdout(), Paint::of_stdout());
    let verdict = tokio::select! {
        verdict = tour::run(&stage, &mut page) => Some(verdict?),
        () = told_to_end(&mut signals) => None,
    };
    if args.tour
        && let Some(verdict) = verdict
    {
        return Ok(verdict);
    }
    if verdict.is_some() {
        invite::invite(&stage, &mut page)?;
        told_to_end(&mut signals).await;
    }
    // The shell's prompt goes below the `^C`.
    page.line("")?;
    Ok(verdict.unwrap_or(cut_short(args)))
}

/// A tour that was asked for and not finished has proved nothing.
fn cut_short(args: Args) -> Verdict {
    if args.tour {
        Verdict::Broken
    } else {
        Verdict::Kept
    }
}

/// An address that only this machine can reach: the demo asks for no key.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = address::parse(text)?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address: the demo asks for no key".to_owned())
    }
}
