//! The one task that keeps the line open and tells what happened.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::account::now::Now;
use crate::account::period::Period;
use crate::account::shared::inner::Inner;
use crate::account::shared::link::Line;
use crate::account::shared::outbox::Told;
use crate::account::shared::words::{self, Act, LEASE};
use crate::units::MicroUsd;

/// How long a Redis that failed is left alone, and by how much more at most: several machines do
/// not come back at once.
const PAUSE: Duration = Duration::from_secs(1);
const JITTER_MS: u64 = 250;

/// What was posted and not answered: posted again under its number, it counts once.
#[derive(Default)]
struct Poster {
    born: Option<String>,
    number: u64,
    batch: Vec<Told>,
}

/// Runs until its task is ended.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut poster = Poster::default();
    let mut is_told = false;
    loop {
        match poster.serve(&inner).await {
            Ok(()) => is_told = false,
            Err(error) if !is_told => {
                log::warn!("the shared counts are out of reach, local ones hold: {error}");
                is_told = true;
            }
            Err(_) => {}
        }
        inner.link.close();
        inner.meters.up.set(0);
        sleep(PAUSE + Duration::from_millis(random() % JITTER_MS)).await;
    }
}

impl Poster {
    /// Connects, tells what waits, lets exchanges on, and tells what happens until the line falls:
    /// an error if it never was open.
    async fn serve(&mut self, inner: &Inner) -> Result<(), String> {
        let offered = format!("{:016x}", random());
        let (line, born) = inner.link.connect(&offered).await?;
        if self.born.as_ref().is_some_and(|before| *before != born) {
            log::warn!("the shared counts were lost: what was spent here is told anew");
            self.batch.clear();
            lost(inner);
        }
        self.born = Some(born);
        while !self.is_idle(inner) {
            self.post(inner, &line).await?;
        }
        inner.link.open(&line);
        inner.meters.up.set(1);
        log::info!("the shared counts hold");
        while inner.link.is_open() {
            if self.is_idle(inner) {
                inner.idle.notify_waiters();
                tokio::select! {
                    () = inner.news.notified() => {}
                    () = inner.link.fallen.notified() => {}
                    () = sleep(LEASE / 9) => inner.outbox.lock().renew(Instant::now()),
                }
            } else if let Err(error) = self.post(inner, &line).await {
                log::warn!("the shared counts are out of reach, local ones hold: {error}");
                break;
            }
        }
        Ok(())
    }

    fn is_idle(&self, inner: &Inner) -> bool {
        self.batch.is_empty() && inner.outbox.lock().is_empty()
    }

    async fn post(&mut self, inner: &Inner, line: &Line) -> Result<(), String> {
        if self.batch.is_empty() {
            let mut outbox = inner.outbox.lock();
            outbox.renew(Instant::now());
            self.batch = outbox.batch();
            self.number += 1;
        }
        let born = self.born.as_deref().unwrap_or_default();
        let letter = (&*inner.node, born, self.number);
        let build = |script: &str, root: &str| words::post(script, root, letter, &self.batch);
        if inner.link.post(line, build).await? != 1 {
            return Err("it is another Redis than before".to_owned());
        }
        self.batch.clear();
        Ok(())
    }
}

/// Puts what was spent here in the place of what was to be told.
fn lost(inner: &Inner) {
    let today = Now::read().day();
    // While nothing is booked: what is booked later is told later.
    let book = inner.book.lock();
    let rows = book.iter().flat_map(|(owner, meter)| {
        let key = words::key(&inner.prefix, owner);
        let day = meter.spending.day(today);
        let row = move |per: Period| {
            let amount = meter.spending.spent(per, day);
            let act = Act::Restore(amount, per, per.start(day));
            (amount != MicroUsd(0)).then(|| (Arc::clone(&key), act))
        };
        Period::ALL.into_iter().filter_map(row)
    });
    let there_was = rows.collect();
    inner.outbox.lock().lost(there_was);
}

/// For names that nobody has to guess, and times that nobody agrees on.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()))
}
