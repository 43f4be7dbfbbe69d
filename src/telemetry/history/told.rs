//! An hour as columns of numbers, for who draws it.

use serde::Serialize;

use crate::telemetry::history::hour::{Hour, Slot};
use crate::telemetry::history::kept::millis;
use crate::telemetry::history::reasons::Reasons;
use crate::telemetry::history::sketch::Sketch;
use crate::telemetry::record::Outcome;

/// The last hour: columns of sixty minutes, oldest first, the last one running; and their sum.
#[derive(Debug, Serialize)]
pub struct HourTold {
    /// All that ended.
    pub exchanges: Vec<u64>,
    /// Those that asked a target.
    pub asked: Vec<u32>,
    /// Those that another target answered than the first.
    pub fallbacks: Vec<u32>,
    /// Those that failed, broke or panicked.
    pub failed: Vec<u64>,
    /// Times to the first token.
    pub first_token: TimesTold,
    /// How long the heads of answers were held.
    pub held: TimesTold,
    /// Millionths of a dollar for answers that clients got.
    pub delivered: Vec<u64>,
    /// Millionths of a dollar that were thrown away.
    pub wasted: Vec<u64>,
    /// What went wrong, the most frequent first.
    pub errors: Vec<ErrorTold>,
    /// The hour as one.
    pub sum: SumTold,
}

/// Times, in milliseconds: within which a half, and nineteen in twenty, were.
#[derive(Debug, Serialize)]
pub struct TimesTold {
    /// The median of each minute.
    pub p50: Vec<Option<f64>>,
    /// The 95th percentile of each minute.
    pub p95: Vec<Option<f64>>,
}

/// How often something went wrong.
#[derive(Debug, Serialize)]
pub struct ErrorTold {
    /// What.
    pub reason: &'static str,
    /// How often in each minute.
    pub minutes: Vec<u32>,
    /// How often in the hour.
    pub total: u64,
}

/// The hour as one. Times are milliseconds, costs millionths of a dollar.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "as in the columns")]
pub struct SumTold {
    pub exchanges: u64,
    pub served: u64,
    pub asked: u64,
    pub fallbacks: u64,
    pub failed: u64,
    pub first_token_p50: Option<f64>,
    pub first_token_p95: Option<f64>,
    pub held_p50: Option<f64>,
    pub held_p95: Option<f64>,
    pub delivered: u64,
    pub wasted: u64,
}

impl HourTold {
    pub(super) fn of(hour: &Hour, reasons: &Reasons) -> Self {
        Self {
            exchanges: column(hour, Slot::exchanges),
            asked: column(hour, |slot| slot.asked),
            fallbacks: column(hour, |slot| slot.fallbacks),
            failed: column(hour, failed),
            first_token: TimesTold::of(hour, |slot| &slot.first_token),
            held: TimesTold::of(hour, |slot| &slot.held),
            delivered: column(hour, |slot| slot.delivered.0),
            wasted: column(hour, |slot| slot.wasted.0),
            errors: errors(hour, reasons),
            sum: SumTold::of(hour),
        }
    }
}

impl TimesTold {
    fn of(hour: &Hour, times: impl Fn(&Slot) -> &Sketch) -> Self {
        Self {
            p50: column(hour, |slot| times(slot).quantile(50).map(millis)),
            p95: column(hour, |slot| times(slot).quantile(95).map(millis)),
        }
    }
}

impl SumTold {
    fn of(hour: &Hour) -> Self {
        let mut sum = Slot::default();
        hour.slots().for_each(|slot| sum.merge(slot));
        Self {
            exchanges: sum.exchanges(),
            served: u64::from(sum.of(Outcome::Served)),
            asked: u64::from(sum.asked),
            fallbacks: u64::from(sum.fallbacks),
            failed: failed(&sum),
            first_token_p50: sum.first_token.quantile(50).map(millis),
            first_token_p95: sum.first_token.quantile(95).map(millis),
            held_p50: sum.held.quantile(50).map(millis),
            held_p95: sum.held.quantile(95).map(millis),
            delivered: sum.delivered.0,
            wasted: sum.wasted.0,
        }
    }
}

fn column<T>(hour: &Hour, of: impl Fn(&Slot) -> T) -> Vec<T> {
    hour.slots().map(of).collect()
}

fn failed(slot: &Slot) -> u64 {
    let outcomes = [Outcome::Failed, Outcome::Broken, Outcome::Panicked];
    outcomes.map(|one| u64::from(slot.of(one))).iter().sum()
}

fn errors(hour: &Hour, reasons: &Reasons) -> Vec<ErrorTold> {
    let told = |(number, reason): (usize, &'static str)| {
        let minutes = column(hour, |slot| {
            slot.errors.get(number).copied().unwrap_or_default()
        });
        ErrorTold {
            reason,
            total: minutes.iter().map(|count| u64::from(*count)).sum(),
            minutes,
        }
    };
    let mut errors: Vec<_> = reasons.names().into_iter().map(told).collect();
    errors.retain(|error| error.total > 0);
    errors.sort_by_key(|error| std::cmp::Reverse(error.total));
    errors
}
