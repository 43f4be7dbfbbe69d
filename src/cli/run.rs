//! `segue run`: reads the config, and serves until a signal ends it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::watch;

use crate::cli::exit::{failed, refused};
use crate::cli::serve::serve;
use crate::cli::watch::{Watched, follow};
use crate::config::{self, Errors};
use crate::edge::{Birth, Cradle, Program, Running, Settings, Signals, Sockets, deliver};
use crate::telemetry::{self, Metrics};

/// Serves; returns 0 when everything was finished, 1 when it could not start or work was left undone.
pub(super) fn run(path: &Path, signals: Signals) -> ExitCode {
    // First of all: it changes the environment, which no other thread may read meanwhile.
    let birth = Birth::from_env();
    if matches!(birth, Ok(Birth::Midwife)) {
        return match deliver() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&format!("cannot start the successor: {error}")),
        };
    }
    let program = Program::current();
    // The environment has the last word, for the process's whole life.
    let fixed = std::env::var("RUST_LOG").ok();
    let metrics = match Metrics::try_new(env!("CARGO_PKG_VERSION")) {
        Ok(metrics) => Arc::new(metrics),
        Err(error) => return failed(&error.to_string()),
    };
    if let Err(error) = telemetry::diagnostics(fixed.as_deref(), metrics.diagnostics_dropped()) {
        return failed(&error.to_string());
    }
    let (sockets, cradle) = match birth {
        Ok(Birth::Heir(cradle, sockets)) => (sockets, Some(cradle)),
        Ok(Birth::Own(sockets)) => (sockets, None),
        Ok(Birth::Midwife) => return ExitCode::SUCCESS,
        Err(error) => return failed(&error.to_string()),
    };
    match program {
        Ok(program) => live(path, signals, &program, metrics, sockets, cradle),
        Err(error) => failed(&format!("cannot know what is running: {error}")),
    }
}

fn live(
    path: &Path,
    signals: Signals,
    program: &Program,
    metrics: Arc<Metrics>,
    mut sockets: Sockets,
    cradle: Option<Cradle>,
) -> ExitCode {
    let watched = Arc::new(watch::Sender::default());
    let settings = match load(path, &watched) {
        Ok(settings) => settings,
        Err(errors) => {
            if let Some(cradle) = cradle {
                cradle.refuse(&errors.to_string());
            }
            return refused(&errors);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start the runtime: {error}")),
    };
    runtime.spawn(follow(watched.subscribe()));
    let path = path.to_owned();
    let loader = Box::new(move || load(&path, &watched).map_err(|errors| errors.to_string()));
    let code = runtime.block_on(async {
        match Running::prepare(settings, loader, metrics, &mut sockets) {
            Ok(running) => begin(running, cradle, signals, program).await,
            Err(error) => {
                if let Some(cradle) = cradle {
                    cradle.refuse(&error.to_string());
                }
                failed(&error.to_string())
            }
        }
    });
    // What still runs was given its time; a task that hangs must not keep the process.
    runtime.shutdown_background();
    log::logger().flush();
    code
}

/// Reads the configuration, and tells what is to be looked at for a change. A file that is refused
/// leaves it as it was how often.
fn load(path: &Path, watched: &watch::Sender<Watched>) -> Result<Settings, Errors> {
    let (settings, seen) = config::load_seen(path);
    watched.send_modify(|watched| {
        watched.seen = seen;
        if let Ok(settings) = &settings {
            watched.every = settings.watch;
        }
    });
    settings
}

/// Begins to serve, in the place of a predecessor if there is one.
async fn begin(
    mut running: Running,
    cradle: Option<Cradle>,
    signals: Signals,
    program: &Program,
) -> ExitCode {
    let signals = match signals.listen() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot handle signals: {error}")),
    };
    let Some(cradle) = cradle else {
        return match running.open() {
            Ok(()) => serve(&running, signals, program, None).await,
            Err(error) => failed(&error.to_string()),
        };
    };
    match cradle.succeed(&mut running).await {
        Ok(predecessor) => serve(&running, signals, program, Some(predecessor)).await,
        Err(error) => {
            log::error!("not taking over: {error}");
            running.drain().await;
            ExitCode::FAILURE
        }
    }
}
