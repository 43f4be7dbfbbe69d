//! The tour: every step in turn, and how it all went.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::cli::demo::page::Page;
use crate::cli::demo::scene::{Before, Scene, Unkept};
use crate::cli::demo::stage::{Provider, Stage};
use crate::cli::demo::step::{STEPS, Step};
use crate::cli::demo::truth::Truths;

/// The longest that a step may take: many times what any of them needs.
const LONGEST: Duration = Duration::from_secs(10);

/// How a tour went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As promised, every step.
    Kept,
    /// Not every step.
    Broken,
}

/// Plays every step and shows it. Takes about six seconds.
///
/// # Errors
/// The page cannot be written.
pub(super) async fn run<W: Write>(stage: &Stage, page: &mut Page<W>) -> io::Result<Verdict> {
    let began = Instant::now();
    head(stage, page)?;
    let mut truths = Truths::default();
    let mut kept = 0;
    for (index, step) in STEPS.iter().enumerate() {
        page.step(index.saturating_add(1), step.title)?;
        for (provider, does) in step.providers {
            page.line_of(provider.name(), does)?;
        }
        let (played, took) = play(stage, page, step, &mut truths).await;
        match played {
            Ok(None) => page.kept(step.means, took)?,
            Ok(Some(measured)) => page.kept(&format!("{}, {measured}", step.means), took)?,
            Err(Unkept::Page(error)) => return Err(error),
            Err(unkept) => {
                page.broken(&unkept.to_string(), took)?;
                continue;
            }
        }
        kept += 1;
    }
    let (all, seconds) = (STEPS.len(), began.elapsed().as_secs_f64());
    page.line("")?;
    page.line(&format!(
        "{kept} of {all} steps as promised, in {seconds:.1} s"
    ))?;
    Ok(if kept == all {
        Verdict::Kept
    } else {
        Verdict::Broken
    })
}

fn head<W: Write>(stage: &Stage, page: &mut Page<W>) -> io::Result<()> {
    let [shaky, steady] = [Provider::Shaky, Provider::Steady].map(|one| stage.sim(one).address());
    page.title("segue: a client, the proxy, and two providers, one of which has a bad day")?;
    page.line(&format!(
        "    client -> segue at {} -> shaky at {shaky}, or steady at {steady}",
        stage.address
    ))?;
    page.line("")?;
    page.line("    cost: how much later the client has its first token than in a request that nothing disturbs")?;
    page.line(
        "    to the provider that comes to the rescue (the middle one of three, made just before)",
    )
}

/// Plays one step; tells how it went, and how long it took.
async fn play<W: Write>(
    stage: &Stage,
    page: &mut Page<W>,
    step: &Step,
    truths: &mut Truths,
) -> (Result<Option<String>, Unkept>, Duration) {
    let before = timeout(LONGEST, async {
        let truth = truths.of(stage, step).await?;
        Before::of(stage, step, truth).await
    });
    let before = match before.await {
        Ok(Ok(before)) => before,
        Ok(Err(error)) => return (Err(error.into()), Duration::ZERO),
        Err(_) => return (Err(Unkept::Slow(LONGEST)), LONGEST),
    };
    let began = Instant::now();
    let played = timeout(LONGEST, Scene::new(stage, page, before).play(step)).await;
    (
        played.unwrap_or(Err(Unkept::Slow(LONGEST))),
        began.elapsed(),
    )
}
