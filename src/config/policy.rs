//! `deadline` and `timeouts`, as a route, a target or `defaults` sets them.
//!
//! What is written in a place must make sense there. What is inherited is cut to fit instead, so
//! that a route may shorten its deadline without repeating every timeout.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::hint::hint;
use super::measure::show_duration;
use super::path::quoted;
use super::section::{LATER, Section};
use crate::route::{Policy, Timeouts};

const LEAST: Duration = Duration::from_millis(10);
/// A day: longer than any answer.
const DEADLINE_RANGE: RangeInclusive<Duration> = LEAST..=Duration::from_hours(24);
/// TCP gives up by itself after about two minutes.
const CONNECT_RANGE: RangeInclusive<Duration> = LEAST..=Duration::from_mins(2);
/// Reasoning models are silent for minutes, not for hours.
const SILENCE_RANGE: RangeInclusive<Duration> = LEAST..=Duration::from_hours(1);

/// Keys of a route that later versions will have.
const LATER_KEYS: [&str; 8] = [
    "keepalive",
    "retries",
    "breaker",
    "hedge",
    "verdicts",
    "refusals",
    "fail_closed",
    "malformed",
];

/// A bound as written, and where.
type Written<'a> = Option<(Duration, Cursor<'a>)>;

/// The bounds that one place of the file sets.
#[derive(Clone, Default)]
pub(super) struct Layer<'a> {
    deadline: Written<'a>,
    connect: Written<'a>,
    first_token: Written<'a>,
    stall: Written<'a>,
    total: Written<'a>,
    write: Written<'a>,
}

impl<'a> Layer<'a> {
    /// Reads the keys that routes and `defaults` share, all but `tiers`.
    pub(super) fn read(section: &mut Section<'a>) -> Read<Self> {
        section.later(&LATER_KEYS);
        let hold = section.maybe("hold", |cursor| only(cursor, "none", &["none", "all"]));
        let on_break = section.maybe("on_break", |cursor| {
            only(cursor, "error", &["error", "resume"])
        });
        let deadline = bound(section, "deadline", &DEADLINE_RANGE);
        let timeouts = section.maybe("timeouts", Self::timeouts);
        hold?;
        on_break?;
        let deadline = deadline?;
        Ok(Self {
            deadline,
            ..timeouts?.unwrap_or_default()
        })
    }

    /// Reads a `timeouts` map.
    pub(super) fn timeouts(cursor: &Cursor<'a>) -> Read<Self> {
        let mut section = Section::open(cursor)?;
        section.later(&["min_rate"]);
        let connect = bound(&mut section, "connect", &CONNECT_RANGE);
        let first_token = bound(&mut section, "first_token", &SILENCE_RANGE);
        let stall = bound(&mut section, "stall", &SILENCE_RANGE);
        let total = bound(&mut section, "total", &DEADLINE_RANGE);
        let write = bound(&mut section, "write", &SILENCE_RANGE);
        section.close();
        Ok(Self {
            deadline: None,
            connect: connect?,
            first_token: first_token?,
            stall: stall?,
            total: total?,
            write: write?,
        })
    }

    /// These bounds, and `other`'s where there are none.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            deadline: self.deadline.or(other.deadline),
            connect: self.connect.or(other.connect),
            first_token: self.first_token.or(other.first_token),
            stall: self.stall.or(other.stall),
            total: self.total.or(other.total),
            write: self.write.or(other.write),
        }
    }

    /// The policy of a place that sets `self` and inherits `defaults`.
    pub(super) fn resolve(&self, defaults: &Self) -> Read<Policy> {
        let shipped = Policy::default();
        let pick = |own: &Written<'a>, inherited: &Written<'a>, shipped: Duration| match own {
            Some((own, cursor)) => Bound {
                length: *own,
                own: Some(cursor.clone()),
            },
            None => Bound {
                length: value(inherited).unwrap_or(shipped),
                own: None,
            },
        };
        let deadline = value(&self.deadline)
            .or(value(&defaults.deadline))
            .unwrap_or(shipped.deadline);
        let total = pick(&self.total, &defaults.total, shipped.timeouts.total)
            .within(deadline, "the deadline");
        let most = total.unwrap_or(deadline);
        let what = if most < deadline {
            "the attempt's total"
        } else {
            "the deadline"
        };
        let cut = |own, inherited, shipped| pick(own, inherited, shipped).within(most, what);
        let (own, inherited, shipped) = (self, defaults, shipped.timeouts);
        let connect = cut(&own.connect, &inherited.connect, shipped.connect);
        let first_token = cut(
            &own.first_token,
            &inherited.first_token,
            shipped.first_token,
        );
        let stall = cut(&own.stall, &inherited.stall, shipped.stall);
        let write = cut(&own.write, &inherited.write, shipped.write);
        let timeouts = Timeouts {
            connect: connect?,
            first_token: first_token?,
            stall: stall?,
            total: total?,
            write: write?,
            min_rate: shipped.min_rate,
        };
        Ok(Policy {
            deadline,
            timeouts,
            ..Policy::default()
        })
    }
}

/// A bound on its way to be resolved; `own` if it is written in the place itself.
struct Bound<'a> {
    length: Duration,
    own: Option<Cursor<'a>>,
}

impl Bound<'_> {
    fn within(self, most: Duration, what: &str) -> Read<Duration> {
        match self.own {
            Some(cursor) if self.length > most => {
                let (length, most) = (show_duration(self.length), show_duration(most));
                cursor.fail(format_args!("{length} is longer than {what}, {most}"))
            }
            _ => Ok(self.length.min(most)),
        }
    }
}

fn value(written: &Written<'_>) -> Option<Duration> {
    written.as_ref().map(|(length, _)| *length)
}

fn bound<'a>(
    section: &mut Section<'a>,
    key: &'static str,
    range: &RangeInclusive<Duration>,
) -> Read<Written<'a>> {
    section.maybe(key, |cursor| Ok((cursor.duration(range)?, cursor.clone())))
}

/// A choice of which this version knows one; the others come later.
fn only(cursor: &Cursor<'_>, supported: &str, known: &[&str]) -> Read<()> {
    if !cursor.is_text() {
        return cursor.fail(format_args!("{LATER}: only {supported}"));
    }
    let text = cursor.text()?;
    if text == supported {
        return Ok(());
    }
    if known.contains(&text) {
        return cursor.fail(format_args!("{LATER}: only {supported}"));
    }
    cursor.fail(format_args!(
        "{} is unknown; {}",
        quoted(text),
        hint(text, known)
    ))
}
