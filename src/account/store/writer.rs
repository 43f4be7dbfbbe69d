//! The store as a request sees it, and the one thread that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use prometheus::{IntCounter, IntGauge};

use super::entry::Entry;
use super::file::{Check, Cure, File, StoreError, move_aside};
use super::prune::{self, Rest};
use super::queue::{Numbered, Patience, Pushed, Queue};
use super::settings::StoreSettings;
use super::write;
use crate::account::spent::Spent;
use crate::units::{Day, millis};

/// The first wait after a failure; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The time between two looks for what is too old.
const PRUNE_EVERY: Duration = Duration::from_secs(10);

/// How old a period of a budget can be that still runs, in days: a month, and a clock that is off.
const LONGEST_PERIOD: i64 = 32;

/// What operators see of the store.
#[derive(Clone, Debug)]
pub struct Meters {
    /// 1 while it fails.
    pub failing: IntGauge,
    /// Exchanges written.
    pub written: IntCounter,
    /// Exchanges that found no room, or were given up.
    pub lost: IntCounter,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// Since when it fails and why, if it does.
    pub failing: Option<(SystemTime, String)>,
    /// Entries that wait to be written.
    pub waiting: usize,
    /// Entries lost since the start.
    pub lost: u64,
}

/// The way into the store. Dropped without [`Store::close`], it writes what waits in the background.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    spent: Vec<Spent>,
}

#[derive(Debug)]
struct Shared {
    settings: StoreSettings,
    queue: Queue,
    meters: Meters,
    is_failing: AtomicBool,
    failing: Mutex<Option<(SystemTime, String)>>,
    /// Entries have found no room since the store last worked.
    is_losing: AtomicBool,
    retention_ms: AtomicU64,
}

impl Store {
    /// Opens the file and starts the writer. `capacity` is the number of entries that may wait.
    ///
    /// # Errors
    /// What only a person can mend: a folder that is not there, a file that belongs to a newer
    /// version or to another program. A disk that is full or fails is tried again instead.
    pub fn start(
        settings: StoreSettings,
        capacity: usize,
        meters: Meters,
    ) -> Result<Self, StoreError> {
        let retention = AtomicU64::new(as_millis(settings.retention));
        let shared = Arc::new(Shared {
            settings,
            queue: Queue::new(capacity),
            meters,
            is_failing: AtomicBool::new(false),
            failing: Mutex::new(None),
            is_losing: AtomicBool::new(false),
            retention_ms: retention,
        });
        let mut writer = Writer {
            shared: Arc::clone(&shared),
            boot: boot(SystemTime::now()),
            file: None,
            check: Check::Quick,
            prune_at: Instant::now(),
        };
        let mut spent = Vec::new();
        match writer.reach().and_then(|file| {
            let first = Day::of(SystemTime::now()).before(LONGEST_PERIOD);
            Ok(write::spent(&file.connection, first)?)
        }) {
            Ok(read) => spent = read,
            Err(error) if error.cure() == Cure::Person => return Err(error),
            Err(error) => writer.suffer(&error),
        }
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run())
            .map_err(StoreError::Thread)?;
        Ok(Self { shared, spent })
    }

    /// Hands over an exchange that has ended. Never waits.
    pub fn write(&self, entry: Entry) {
        if self.shared.queue.push(Box::new(entry)) == Pushed::Queued {
            return;
        }
        self.shared.meters.lost.inc();
        if !self.shared.is_losing.swap(true, Ordering::Relaxed) {
            log::error!("the store's queue is full: exchanges are served and not booked");
        }
    }

    /// Whether it fails just now.
    pub fn is_failing(&self) -> bool {
        self.shared.is_failing.load(Ordering::Relaxed)
    }

    /// How it is.
    pub fn state(&self) -> StoreState {
        StoreState {
            failing: self.shared.failing.lock().clone(),
            waiting: self.shared.queue.len(),
            lost: self.shared.meters.lost.get(),
        }
    }

    /// Where it is and how it was opened.
    pub fn settings(&self) -> &StoreSettings {
        &self.shared.settings
    }

    /// Changes how long exchanges are kept.
    pub fn set_retention(&self, retention: Duration) {
        self.shared
            .retention_ms
            .store(as_millis(retention), Ordering::Relaxed);
    }

    /// What budgets had spent, in periods that may still run, when the file was opened.
    pub fn spent(&self) -> &[Spent] {
        &self.spent
    }

    /// Writes what waits and ends the writer. It blocks, `at_most` so long: for the end of the
    /// process.
    pub fn close(&self, at_most: Duration) {
        self.shared.queue.close(at_most);
    }

    /// Waits until what was handed over is written; whether it is.
    #[cfg(test)]
    pub(super) fn flush(&self) -> bool {
        self.shared.queue.flush(Duration::from_secs(20))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.queue.close(Duration::ZERO);
    }
}

struct Writer {
    shared: Arc<Shared>,
    boot: i64,
    file: Option<File>,
    check: Check,
    prune_at: Instant,
}

impl Writer {
    fn run(mut self) {
        // Its Drop says that nobody writes any more, also if we panic.
        let _end = End(Arc::clone(&self.shared));
        if self.file.is_none() {
            self.settle(&[]);
        }
        loop {
            let work = self.shared.queue.gather(PRUNE_EVERY);
            if !work.batch.is_empty() {
                self.settle(&work.batch);
            }
            if work.is_last {
                break;
            }
            self.prune();
        }
        // The last connection to a file tidies its log away.
        self.file = None;
    }

    /// Writes a batch, however long it takes; gives it up when the process ends before.
    fn settle(&mut self, batch: &[Numbered]) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.write(batch) {
                Ok(()) => {
                    self.shared.meters.written.inc_by(as_u64(batch.len()));
                    self.recover();
                    break;
                }
                Err(error) if error.cure() == Cure::Nothing => {
                    let number = batch.len();
                    log::error!("the store cannot take {number} exchanges: {error}");
                    self.shared.meters.lost.inc_by(as_u64(number));
                    break;
                }
                Err(error) => self.suffer(&error),
            }
            if self.shared.queue.pause(wait) == Patience::Over {
                self.shared.meters.lost.inc_by(as_u64(batch.len()));
                break;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        self.shared.queue.finish(batch.len());
    }

    fn write(&mut self, batch: &[Numbered]) -> Result<(), StoreError> {
        let boot = self.boot;
        let file = self.reach()?;
        file.is_in_place()?;
        write::batch(&mut file.connection, boot, batch)?;
        Ok(())
    }

    /// The open file, opened now if need be.
    fn reach(&mut self) -> Result<&mut File, StoreError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        Ok(self.file.insert(file))
    }

    /// Opens the file; one that is damaged makes way for a new one.
    fn open(&mut self) -> Result<File, StoreError> {
        let path = &self.shared.settings.path;
        let file = match File::open(path, self.check) {
            Err(error) if error.cure() == Cure::Replace => {
                log::error!("the store cannot be used: {error}");
                let moved = move_aside(path, SystemTime::now());
                let aside = moved.map_err(|source| StoreError::File {
                    path: path.clone(),
                    source,
                })?;
                log::error!("it is {} now, and a new one is begun", aside.display());
                File::open(path, Check::None)?
            }
            other => other?,
        };
        // Once is enough: a file of gigabytes is not read again after each hiccup of its disk.
        self.check = Check::None;
        Ok(file)
    }

    /// Notes a failure: said once, until it works again.
    fn suffer(&mut self, error: &StoreError) {
        match error.cure() {
            Cure::Again | Cure::Nothing => {}
            Cure::Reopen | Cure::Person => self.file = None,
            // The check tells for sure, and opening it then moves it aside.
            Cure::Replace => (self.file, self.check) = (None, Check::Quick),
        }
        let shared = &self.shared;
        let why = error.to_string();
        if !shared.is_failing.swap(true, Ordering::Relaxed) {
            let (path, on_failure) = (&shared.settings.path, shared.settings.on_failure.name());
            log::error!(
                "the store {} fails (on_failure: {on_failure}): {why}",
                path.display()
            );
        }
        let mut failing = shared.failing.lock();
        let since = failing
            .as_ref()
            .map_or_else(SystemTime::now, |(since, _)| *since);
        *failing = Some((since, why));
        drop(failing);
        // Last: whoever sees the metric finds the reason.
        shared.meters.failing.set(1);
    }

    fn recover(&self) {
        let shared = &self.shared;
        shared.is_losing.store(false, Ordering::Relaxed);
        if !shared.is_failing.swap(false, Ordering::Relaxed) {
            return;
        }
        shared.meters.failing.set(0);
        let since = shared.failing.lock().take();
        let time = since.and_then(|(since, _)| since.elapsed().ok());
        let lost = shared.meters.lost.get();
        log::warn!(
            "the store works again after {} s; {lost} exchanges were lost since the start",
            time.unwrap_or_default().as_secs()
        );
    }

    /// Takes away what is too old, a step of it, when it is time.
    fn prune(&mut self) {
        if Instant::now() < self.prune_at {
            return;
        }
        self.prune_at = Instant::now() + PRUNE_EVERY;
        let retention = self.shared.retention_ms.load(Ordering::Relaxed);
        let Some(file) = &mut self.file else { return };
        let retention = Duration::from_millis(retention);
        match prune::step(&mut file.connection, retention, SystemTime::now()) {
            Ok(Rest::Nothing) => {}
            // On with it behind the next batch.
            Ok(Rest::More) => self.prune_at = Instant::now(),
            Err(error) => log::warn!("what is too old stays in the store for now: {error}"),
        }
    }
}

/// Ends the queue when the writer ends, however that is.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let left = self.0.queue.end();
        self.0.meters.lost.inc_by(as_u64(left));
        if thread::panicking() {
            self.0.is_failing.store(true, Ordering::Relaxed);
            self.0.meters.failing.set(1);
        }
        let lost = self.0.meters.lost.get();
        if lost > 0 {
            log::error!("the store ends; {lost} exchanges were not booked");
        }
    }
}

/// Tells a process from all others: its first moment, and chance.
fn boot(now: SystemTime) -> i64 {
    // Without chance, two processes that start in one millisecond would be one.
    let chance = getrandom::u32().unwrap_or_else(|_| std::process::id());
    (millis(now) << 21) | i64::from(chance & 0x1f_ffff)
}

fn as_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
