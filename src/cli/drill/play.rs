//! Plays one scene: an exchange as it goes while the provider fails, and whether those after it are
//! still held up by it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::cli::drill::cast::Scene;
use crate::cli::drill::clock::Speed;
use crate::cli::drill::fault::{Blame, Fault, Reach};
use crate::cli::drill::seen::{Ask, Form, Seen};
use crate::cli::drill::stage::{Stage, StageError};
use crate::cli::drill::told::{Told, Try};

/// How much longer than its deadline an exchange is waited for.
const GRACE: Duration = Duration::from_secs(20);

/// Exchanges at most that are sent until a breaker should have opened.
const MOST: u32 = 20;

/// How scenes are played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) form: Form,
    pub(super) speed: Speed,
}

/// What came of a scene. Times are those of the config.
#[derive(Clone, Debug)]
pub(super) struct Played {
    pub(super) fault: &'static Fault,
    /// The provider that failed, if it was one.
    pub(super) struck: Option<Arc<str>>,
    /// What the client saw of the first exchange.
    pub(super) seen: Seen,
    /// Who was asked in it.
    pub(super) tries: Vec<Try>,
    /// Who was asked that was well.
    pub(super) others_asked: usize,
    /// Whether anybody was there who was well.
    pub(super) others: Others,
    /// How it went on, where another could be asked.
    pub(super) later: Option<Later>,
}

/// Whether a route has a target at a provider that does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    There,
    None,
}

/// How it went on for the exchanges after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Later {
    /// Exchanges that had met the fault.
    pub(super) before: u32,
    /// What then became of the one that failed.
    pub(super) stance: Stance,
}

/// What becomes of a provider that goes on failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stance {
    /// It is not asked any more.
    LeftAlone,
    /// It is asked as before.
    AskedAgain,
}

/// Plays a scene on its stage.
pub(super) async fn play(
    scene: &Scene,
    stage: Stage,
    manner: Manner,
) -> Result<Played, StageError> {
    let Manner { form, speed } = manner;
    let names = scene.providers.iter();
    let cast: Vec<_> = names.map(|one| Arc::clone(&one.spec.name)).collect();
    let ask = |id| Ask {
        address: stage.address,
        route: &scene.route.name,
        form,
        id,
        patience: speed.shortened(scene.route.policy.deadline) + GRACE,
        cast: &cast,
    };
    let seen = ask("first").seen().await;
    let more = more(scene);
    if let Some(more) = more {
        join_all((0..more).map(|_| ask("more").seen())).await;
        ask("last").seen().await;
    }
    let told = stage.end().await?;
    let (tries, more_time) = tries(&told, "first", speed);
    let failed = |one: &Try| strikes(scene, one);
    let stance = if tries_of(&told, "last").any(failed) {
        Stance::AskedAgain
    } else {
        Stance::LeftAlone
    };
    Ok(Played {
        fault: scene.fault,
        struck: match scene.fault.reach {
            Reach::First => Some(Arc::clone(&scene.first)),
            Reach::All => None,
        },
        seen: seen.timed(|time| time + more_time),
        others_asked: tries.iter().filter(|one| !failed(one)).count(),
        others: if scene.has_somebody_else() {
            Others::There
        } else {
            Others::None
        },
        tries,
        later: more.map(|more| Later {
            before: more.saturating_add(1),
            stance,
        }),
    })
}

/// How many more exchanges are sent until a breaker should have opened; `None` where that makes no
/// difference.
fn more(scene: &Scene) -> Option<u32> {
    let breaker = scene.route.policy.breaker.as_ref()?;
    let matters = scene.fault.blame == Blame::Provider && scene.has_somebody_else();
    matters.then(|| breaker.failures.min(MOST))
}

fn strikes(scene: &Scene, one: &Try) -> bool {
    let provider = one.target.split_once('/').map(|(provider, _)| provider);
    provider.is_some_and(|provider| scene.strikes(provider))
}

fn tries_of<'a>(told: &'a [Told], id: &str) -> impl Iterator<Item = &'a Try> {
    let found = told.iter().find(|told| told.request_id == id);
    found.into_iter().flat_map(|told| &told.attempts)
}

/// The tries of an exchange with times as they are with the config, and how much longer it is with it:
/// what a clock ended took as long as that clock says, and all else as long as it took.
fn tries(told: &[Told], id: &str, speed: Speed) -> (Vec<Try>, Duration) {
    let mut more = Duration::ZERO;
    let timed = tries_of(told, id).cloned().map(|one| {
        if !one.is_timed_out() {
            return one;
        }
        let time = speed.stands_for(one.total());
        more += time.saturating_sub(one.total());
        one.timed(time)
    });
    let tries = timed.collect();
    (tries, more)
}
