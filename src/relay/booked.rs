//! The attempts of an exchange, booked as they end. It is kept by whoever has the exchange carried:
//! what is booked outlives a carrying that is dropped or panics.

use parking_lot::Mutex;

use crate::telemetry::Attempt;

/// The attempts that have ended so far, in that order.
#[derive(Debug, Default)]
pub struct Booked(Mutex<Vec<Attempt>>);

impl Booked {
    /// Takes all of them out.
    pub fn take(&self) -> Vec<Attempt> {
        std::mem::take(&mut self.0.lock())
    }

    pub(super) fn push(&self, attempt: Attempt) {
        self.0.lock().push(attempt);
    }

    /// Looks at them.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Vec<Attempt>) -> T) -> T {
        look(&mut self.0.lock())
    }
}
