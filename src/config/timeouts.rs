//! `timeouts` of a route, a target or `defaults`: the bounds of one attempt.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::section::Section;
use super::written::Written;
use crate::route::Timeouts;

/// The shortest bound: a round trip to another continent takes longer, one in a rack does not.
pub(super) const LEAST: Duration = Duration::from_millis(10);
/// A day: longer than any answer.
pub(super) const LONGEST: Duration = Duration::from_hours(24);
const TOTAL_RANGE: RangeInclusive<Duration> = LEAST..=LONGEST;
/// TCP gives up by itself after about two minutes.
const CONNECT_RANGE: RangeInclusive<Duration> = LEAST..=Duration::from_mins(2);
/// Reasoning models are silent for minutes, not for hours.
const SILENCE_RANGE: RangeInclusive<Duration> = LEAST..=Duration::from_hours(1);
/// Tokens a second; the fastest hardware writes some thousands.
const RATE_RANGE: RangeInclusive<f64> = 0.0..=10_000.0;

/// The bounds that one place of the file sets.
#[derive(Clone, Default)]
pub(super) struct Bounds<'a> {
    connect: Written<'a, Duration>,
    first_token: Written<'a, Duration>,
    stall: Written<'a, Duration>,
    total: Written<'a, Duration>,
    write: Written<'a, Duration>,
    min_rate: Written<'a, f64>,
}

impl<'a> Bounds<'a> {
    /// Reads a `timeouts` map.
    pub(super) fn read(cursor: &Cursor<'a>) -> Read<Self> {
        let mut section = Section::open(cursor)?;
        let mut time = |key, range| Written::read(&mut section, key, |at| at.duration(range));
        let connect = time("connect", &CONNECT_RANGE);
        let first_token = time("first_token", &SILENCE_RANGE);
        let stall = time("stall", &SILENCE_RANGE);
        let total = time("total", &TOTAL_RANGE);
        let write = time("write", &SILENCE_RANGE);
        let min_rate = Written::read(&mut section, "min_rate", |at| at.decimal(&RATE_RANGE));
        section.close();
        Ok(Self {
            connect: connect?,
            first_token: first_token?,
            stall: stall?,
            total: total?,
            write: write?,
            min_rate: min_rate?,
        })
    }

    /// These bounds, and the inherited ones where there are none; not yet cut to fit.
    pub(super) fn over(&self, inherited: &Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.over(&inherited.connect),
            first_token: self.first_token.over(&inherited.first_token),
            stall: self.stall.over(&inherited.stall),
            total: self.total.over(&inherited.total),
            write: self.write.over(&inherited.write),
            min_rate: self.min_rate.over(&inherited.min_rate),
        }
    }

    /// What `over` came to, held to the deadline and the attempt's total.
    pub(super) fn fit(&self, bounds: &Timeouts, deadline: Duration) -> Read<Timeouts> {
        let total = self.total.within(bounds.total, deadline, "the deadline");
        let (most, what) = match total {
            Ok(total) if total < deadline => (total, "the attempt's total"),
            _ => (deadline, "the deadline"),
        };
        let connect = self.connect.within(bounds.connect, most, what);
        let first_token = self.first_token.within(bounds.first_token, most, what);
        let stall = self.stall.within(bounds.stall, most, what);
        let write = self.write.within(bounds.write, most, what);
        Ok(Timeouts {
            connect: connect?,
            first_token: first_token?,
            stall: stall?,
            total: total?,
            write: write?,
            min_rate: bounds.min_rate,
        })
    }
}
