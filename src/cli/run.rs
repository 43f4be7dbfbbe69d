//! `segue run`: serves until a signal ends it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::exit::{failed, refused};
use crate::edge::{Action, Drained, Notifier, Phase, Running, SignalStream, Signals};
use crate::telemetry::{self, Metrics};
use crate::{config, dialect};

/// Diagnostics, unless `RUST_LOG` says otherwise.
const DIAGNOSTICS: &str = "info";

/// Serves; returns 0 after a drain that was asked for, 1 when it could not start or was cut short.
pub(super) fn run(path: &Path, signals: Signals) -> ExitCode {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| DIAGNOSTICS.to_owned());
    let metrics = match Metrics::try_new(env!("CARGO_PKG_VERSION")) {
        Ok(metrics) => Arc::new(metrics),
        Err(error) => return failed(&error.to_string()),
    };
    if let Err(error) = telemetry::diagnostics(&filter, metrics.diagnostics_dropped()) {
        return failed(&error.to_string());
    }
    let settings = match config::load(path) {
        Ok(settings) => settings,
        Err(errors) => return refused(&errors),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start the runtime: {error}")),
    };
    let path = path.to_owned();
    let code = runtime.block_on(async {
        let running = match Running::start(settings, loader(path), metrics) {
            Ok(running) => running,
            Err(error) => return failed(&error.to_string()),
        };
        // Estimates of what was taken need it, and no exchange should wait for it.
        tokio::task::spawn_blocking(dialect::load_tokenizer);
        match signals.listen() {
            Ok(signals) => until_stopped(running, signals).await,
            Err(error) => failed(&format!("cannot handle signals: {error}")),
        }
    });
    // What still runs was given its time; a task that hangs must not keep the process.
    runtime.shutdown_background();
    log::logger().flush();
    code
}

fn loader(path: PathBuf) -> Box<dyn Fn() -> Result<crate::edge::Settings, String> + Send + Sync> {
    Box::new(move || config::load(&path).map_err(|errors| errors.to_string()))
}

/// Answers signals until one of them ends the process.
async fn until_stopped(mut running: Running, mut signals: SignalStream) -> ExitCode {
    let notifier = Arc::new(Notifier::from_env());
    let beating = Arc::clone(&notifier);
    let heart = tokio::spawn(async move { beating.heartbeat().await });
    for address in running.addresses() {
        log::info!("listening on {address}");
    }
    if let Some(address) = running.admin_address() {
        log::info!("admin pages on {address}");
    }
    notifier.ready("serving");
    let mut phase = Phase::default();
    let code = loop {
        let action;
        (phase, action) = phase.on(signals.next().await);
        match action {
            Action::Reload => {
                notifier.reloading();
                let said = tokio::task::block_in_place(|| running.reload());
                notifier.ready(&match said {
                    Ok(number) => format!("serving generation {number}"),
                    Err(_) => "serving; the last reload was refused".to_owned(),
                });
            }
            Action::ReopenLog => running.reopen_log(),
            Action::Refuse(why) => log::warn!("{why}"),
            Action::StopNow => break stop_now(&mut running),
            Action::Drain => {
                notifier.stopping(running.drain_deadline(), "draining");
                break match drain(&running, phase, &mut signals).await {
                    Some(Drained::Finished) => ExitCode::SUCCESS,
                    Some(Drained::CutShort) => {
                        log::warn!("the time to drain is over, and not all was finished");
                        ExitCode::FAILURE
                    }
                    None => stop_now(&mut running),
                };
            }
        }
    };
    heart.abort();
    code
}

/// Drains; `None` when a second signal cuts it short.
async fn drain(running: &Running, mut phase: Phase, signals: &mut SignalStream) -> Option<Drained> {
    let drained = running.drain();
    tokio::pin!(drained);
    loop {
        tokio::select! {
            drained = &mut drained => return Some(drained),
            signal = signals.next() => {
                let action;
                (phase, action) = phase.on(signal);
                match action {
                    Action::StopNow => return None,
                    Action::Refuse(why) => log::warn!("{why}"),
                    Action::ReopenLog => running.reopen_log(),
                    Action::Reload | Action::Drain => {}
                }
            }
        }
    }
}

fn stop_now(running: &mut Running) -> ExitCode {
    log::info!("stopping at once");
    running.stop_now();
    ExitCode::FAILURE
}
