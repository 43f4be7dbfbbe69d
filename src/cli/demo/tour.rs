//! The tour: every step in turn, and how it all went.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::cli::demo::page::Page;
use crate::cli::demo::scene::{Scene, Unkept};
use crate::cli::demo::stage::Stage;
use crate::cli::demo::step::STEPS;

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

/// Plays every step and shows it. Takes about three seconds.
///
/// # Errors
/// The page cannot be written.
pub(super) async fn run<W: Write>(stage: &Stage, page: &mut Page<W>) -> io::Result<Verdict> {
    let began = Instant::now();
    let provider = stage.sim.address();
    page.title("segue: a client, the proxy, and a provider that has a bad day")?;
    page.line(&format!(
        "    client -> segue at {} -> simulated provider at {provider}",
        stage.address
    ))?;
    let mut kept = 0;
    for (index, step) in STEPS.iter().enumerate() {
        page.step(index.saturating_add(1), step.title)?;
        page.provider(step.provider)?;
        let began = Instant::now();
        let played = timeout(LONGEST, Scene::new(stage, page).play(step)).await;
        let took = began.elapsed();
        match played.unwrap_or(Err(Unkept::Slow(LONGEST))) {
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
