//! Plays all scenes of a drill, several at a time: they wait far more than they work.

use std::io::{self, IsTerminal as _, Write as _};
use std::iter::repeat_n;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::cli::drill::cast::{Form, Scene};
use crate::cli::drill::fault::{CALM, Fault};
use crate::cli::drill::folder::Folder;
use crate::cli::drill::play::{Manner, Played, play};
use crate::cli::drill::report::Section;
use crate::cli::drill::stage::{Stage, StageError};
use crate::cli::drill::warnings;
use crate::edge::Settings;

/// Why a drill was not played to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum RehearseError {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("a scene was not played to its end")]
    Lost,
}

/// Scenes at a time. Each has some thirty descriptors, and a process 1,024 of them.
const AT_ONCE: usize = 20;

/// Whether a terminal is told how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Shown,
    Silent,
}

impl Progress {
    /// Shown where standard error is a terminal.
    pub(super) fn of_stderr() -> Self {
        if io::stderr().is_terminal() {
            Self::Shown
        } else {
            Self::Silent
        }
    }

    fn tell(self, done: usize, of: usize) {
        if self == Self::Shown {
            // Nobody is left to tell if standard error is gone.
            let _ = write!(io::stderr(), "\r{done} of {of} scenes");
            if done == of {
                let _ = write!(io::stderr(), "\r\x1b[K");
            }
        }
    }
}

/// Plays a good day of each form, and then every fault of those that got through it.
pub(super) async fn rehearse(
    forms: &[Form],
    settings: &Settings,
    faults: &[&'static Fault],
    manner: Manner,
    folder: &Folder,
    progress: Progress,
) -> Result<Vec<Section>, RehearseError> {
    let mut log = Logs::new(folder);
    let calm = forms.iter().enumerate();
    let calm = calm.flat_map(|(form, one)| one.scenes(&CALM).into_iter().map(move |it| (form, it)));
    let mut played = all(calm.collect(), settings, manner, &mut log, Progress::Silent).await?;
    let is_well = |form: usize| {
        let mut own = played.iter().filter(|(of, _)| *of == form);
        own.all(|(_, played)| played.seen.is_answer())
    };
    let well = forms.iter().enumerate().filter(|(form, _)| is_well(*form));
    let scenes = well.flat_map(|(form, one)| {
        let faults = faults.iter();
        faults.flat_map(move |fault| one.scenes(fault).into_iter().map(move |it| (form, it)))
    });
    let scenes = scenes.collect();
    played.extend(all(scenes, settings, manner, &mut log, progress).await?);
    let mut sections: Vec<Vec<Played>> = forms.iter().map(|_| Vec::new()).collect();
    for (form, scene) in played {
        if let Some(section) = sections.get_mut(form) {
            section.push(scene);
        }
    }
    let told = forms.iter().zip(sections);
    Ok(told
        .map(|(form, scenes)| section(form, settings, scenes))
        .collect())
}

fn section(form: &Form, settings: &Settings, scenes: Vec<Played>) -> Section {
    let tiers = form.route.tiers.iter();
    let names = tiers.map(|tier| {
        let targets = tier.targets.iter();
        targets.map(|target| target.name.to_string()).collect()
    });
    Section {
        title: form.title.clone(),
        tiers: names.collect(),
        warnings: warnings::of(form, settings, &scenes),
        scenes,
    }
}

/// Plays scenes of forms; they come back in the order given. No stage is set while others play, for that
/// takes the processor for longer than some waits last.
async fn all(
    scenes: Vec<(usize, Scene)>,
    base: &Settings,
    manner: Manner,
    logs: &mut Logs,
    progress: Progress,
) -> Result<Vec<(usize, Played)>, RehearseError> {
    let count = scenes.len();
    let mut scenes: Vec<_> = scenes.into_iter().enumerate().collect();
    // The slow ones together: a batch is as slow as its slowest.
    scenes.sort_by_key(|(_, (_, scene))| !scene.fault.is_silent());
    let mut scenes = scenes.into_iter();
    let mut done = Vec::with_capacity(count);
    while done.len() < count {
        let mut set = Vec::with_capacity(AT_ONCE);
        for (place, (form, scene)) in scenes.by_ref().take(AT_ONCE) {
            let stage = Stage::set(&scene, base, manner.speed, logs.next()).await?;
            set.push((place, form, scene, stage));
        }
        let mut tasks = JoinSet::new();
        for (place, form, scene, stage) in set {
            tasks.spawn(async move { (place, form, play(&scene, stage, manner).await) });
        }
        while let Some(ended) = tasks.join_next().await {
            let (place, form, played) = ended.map_err(|_| RehearseError::Lost)?;
            done.push((place, form, played?));
            progress.tell(done.len(), count);
        }
    }
    done.sort_by_key(|(place, ..)| *place);
    Ok(done.into_iter().map(|(_, form, it)| (form, it)).collect())
}

/// A file for each scene's access log.
struct Logs {
    folder: PathBuf,
    made: usize,
}

impl Logs {
    fn new(folder: &Folder) -> Self {
        Self {
            folder: folder.path().to_owned(),
            made: 0,
        }
    }

    fn next(&mut self) -> PathBuf {
        self.made += 1;
        self.folder.join(format!("{}.log", self.made))
    }
}

/// About the longest that a scene of this form takes: silence, met as often as it may be, and then once
/// more for those who come after.
pub(super) fn longest(form: &Form) -> Duration {
    let policy = &form.route.policy;
    let most = usize::try_from(policy.retries.max_attempts).unwrap_or(usize::MAX);
    let again = usize::try_from(policy.retries.same_target).unwrap_or(usize::MAX);
    let targets = form.route.targets();
    let waits: Vec<Duration> = targets.map(|target| target.timeouts.first_token).collect();
    let first = waits.first().copied().unwrap_or_default();
    let last = waits.last().copied().unwrap_or_default();
    let others = waits.len() > 1;
    let chain = waits.into_iter().chain(repeat_n(last, again.min(8)));
    let silence: Duration = chain.take(most).sum();
    let all = silence.min(policy.deadline);
    let twice = first
        .saturating_mul(2)
        .min(policy.deadline.saturating_mul(2));
    if others { all.max(twice) } else { all }
}
