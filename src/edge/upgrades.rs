//! What became of the upgrades that this process was asked for.

use parking_lot::Mutex;

/// Counts upgrades; the last word of one is what `/status` and `segue upgrade` tell.
#[derive(Debug, Default)]
pub struct Upgrades(Mutex<Told>);

/// The upgrades of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How many began.
    pub begun: u64,
    /// How many came to nothing.
    pub failed: u64,
    /// Why the last of these did.
    pub why: Option<String>,
}

impl Upgrades {
    /// One begins.
    pub fn begin(&self) {
        self.0.lock().begun += 1;
    }

    /// The one that began last came to nothing; this process serves on.
    pub fn fail(&self, why: &str) {
        let mut told = self.0.lock();
        told.failed += 1;
        told.why = Some(why.to_owned());
    }

    /// How they went. One that is under way has begun and not failed.
    pub fn told(&self) -> Told {
        self.0.lock().clone()
    }
}
