//! The life of a process that serves: its signals, its successors, its end.

use std::future::Future;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::future::{Fuse, FusedFuture as _, FutureExt as _};
use tokio::sync::Notify;

use crate::edge::{
    Action, Drained, Notifier, Phase, Predecessor, Program, Running, SignalStream, Successor,
    UpgradeError,
};

/// A future that the loop waits for, if there is one.
type Waited<'a, T> = Fuse<Pin<Box<dyn Future<Output = T> + 'a>>>;

/// Answers signals until one of them ends the process, or a successor has taken its place.
pub(super) async fn serve(
    running: &Running,
    mut signals: SignalStream,
    program: &Program,
    predecessor: Option<Predecessor>,
) -> ExitCode {
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
    let hang_up = Notify::new();
    let mut elder = pin!(elder(running, predecessor, &hang_up).fuse());
    let mut upgrade: Waited<'_, _> = Fuse::terminated();
    let mut phase = Phase::default();
    // A successor may have read the file before it was changed.
    let mut reloaded_meanwhile = false;
    let code = loop {
        let signal = tokio::select! {
            signal = signals.next() => signal,
            () = &mut elder => continue,
            raised = &mut upgrade => {
                let Some(successor) = entrust(running, &notifier, raised).await else {
                    phase = Phase::Running;
                    continue;
                };
                if reloaded_meanwhile {
                    successor.reload();
                }
                heart.abort();
                return retire(running, successor, signals, elder).await;
            }
        };
        let action;
        (phase, action) = phase.on(signal);
        match action {
            Action::Reload => {
                reloaded_meanwhile |= phase == Phase::Upgrading;
                reload(running, &notifier);
            }
            Action::ReopenLog => running.reopen_log(),
            Action::Refuse(why) => log::warn!("{why}"),
            Action::Upgrade => {
                reloaded_meanwhile = false;
                upgrade = raise(running, &notifier, program);
            }
            Action::StopNow => break stop_now(running),
            Action::Drain | Action::HangUp => {
                hang_up.notify_one();
                // One that is on its way is not wanted any more.
                upgrade = Fuse::terminated();
                notifier.stopping(running.drain_deadline(), "draining");
                let ending = ended(running.drain(), elder);
                break finish(running, phase, &mut signals, ending).await;
            }
        }
    };
    heart.abort();
    drop(upgrade);
    code
}

/// Begins to start a successor.
fn raise<'a>(
    running: &'a Running,
    notifier: &Notifier,
    program: &'a Program,
) -> Waited<'a, Result<Successor, UpgradeError>> {
    log::info!("upgrading: starting a successor");
    notifier.status("serving; a successor is on its way");
    running.upgrades().begin();
    let raising: Pin<Box<dyn Future<Output = _>>> = Box::pin(Successor::raise(program, running));
    raising.fuse()
}

/// Lets a successor that serves have the service; `None` if there is none, and this process serves on.
async fn entrust(
    running: &Running,
    notifier: &Notifier,
    raised: Result<Successor, UpgradeError>,
) -> Option<Successor> {
    let failed = |why: String| {
        log::error!("the upgrade came to nothing, and this process serves on: {why}");
        running.upgrades().fail(&why);
        notifier.status("serving; the last upgrade came to nothing");
    };
    let mut successor = match raised {
        Ok(successor) => successor,
        Err(error) => {
            failed(error.to_string());
            return None;
        }
    };
    let pid = successor.pid();
    // The manager must know it before it speaks.
    notifier.hand_over(pid);
    if let Err(error) = successor.entrust().await
        && !notifier.is_heard()
    {
        failed(format!("the successor ended at once: {error}"));
        return None;
    }
    let version = successor.version();
    log::info!("process {pid} serves now, version {version}");
    Some(successor)
}

/// Finishes what is under way, beside a successor that hears of it.
async fn retire(
    running: &Running,
    mut successor: Successor,
    mut signals: SignalStream,
    elder: Pin<&mut Fuse<impl Future<Output = ()>>>,
) -> ExitCode {
    let code = {
        let ending = ended(running.retire(), elder);
        tokio::select! {
            code = finish(running, Phase::Retired, &mut signals, ending) => code,
            () = successor.inform(running) => ExitCode::FAILURE,
        }
    };
    // The last words: what the last exchange took.
    let _ = successor.tell(running).await;
    code
}

/// Waits until an end has come, a signal has cut it short, and the code for either.
async fn finish(
    running: &Running,
    mut phase: Phase,
    signals: &mut SignalStream,
    ending: impl Future<Output = Drained>,
) -> ExitCode {
    let mut ending = pin!(ending);
    loop {
        let signal = tokio::select! {
            drained = &mut ending => return match drained {
                Drained::Finished => ExitCode::SUCCESS,
                Drained::CutShort => {
                    log::warn!("the time to drain is over, and not all was finished");
                    ExitCode::FAILURE
                }
            },
            signal = signals.next() => signal,
        };
        let action;
        (phase, action) = phase.on(signal);
        match action {
            Action::StopNow => return stop_now(running),
            Action::Refuse(why) => log::warn!("{why}"),
            Action::ReopenLog => running.reopen_log(),
            Action::HangUp => running.hang_up(),
            Action::Reload | Action::Drain | Action::Upgrade => {}
        }
    }
}

/// Waits for the end of what is under way here, and of the process before this one: what it still
/// books is to be passed on.
async fn ended(
    drained: impl Future<Output = Drained>,
    elder: Pin<&mut Fuse<impl Future<Output = ()>>>,
) -> Drained {
    let elder = async {
        if !elder.is_terminated() {
            elder.await;
        }
    };
    tokio::join!(drained, elder).0
}

/// Hears what the process before this one still books, until it has ended. Asked to, it tells it to
/// wait no longer for connections that have nothing under way.
async fn elder(running: &Running, predecessor: Option<Predecessor>, hang_up: &Notify) {
    let Some(mut predecessor) = predecessor else {
        return;
    };
    tokio::select! {
        () = predecessor.listen(running) => return,
        () = hang_up.notified() => {}
    }
    predecessor.hang_up().await;
    predecessor.listen(running).await;
}

fn reload(running: &Running, notifier: &Notifier) {
    notifier.reloading();
    let said = tokio::task::block_in_place(|| running.reload());
    notifier.ready(&match said {
        Ok(number) => format!("serving generation {number}"),
        Err(_) => "serving; the last reload was refused".to_owned(),
    });
}

fn stop_now(running: &Running) -> ExitCode {
    log::info!("stopping at once");
    running.stop_now();
    ExitCode::FAILURE
}
