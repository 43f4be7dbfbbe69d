//! `hedge`: when a second target is asked beside a silent first.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::measure::decimal;
use super::path::quoted;
use super::section::Section;
use super::written::{Written, longer};
use crate::route::{Hedge, HedgeAfter};

const AFTER_RANGE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(1);
/// One exchange in twenty: what a slow tail needs, without a second bill for all the others.
const SHARE: f64 = 0.05;

/// What one place of the file says.
#[derive(Clone, Default)]
pub(super) enum Hedging<'a> {
    #[default]
    Inherited,
    Off,
    On {
        after: Written<'a, HedgeAfter>,
        share: Written<'a, f64>,
        at: Cursor<'a>,
    },
}

impl<'a> Hedging<'a> {
    /// Reads `off` or a map.
    pub(super) fn read(cursor: &Cursor<'a>) -> Read<Self> {
        if cursor.is_text() {
            return cursor.choice(&[("off", ())]).map(|()| Self::Off);
        }
        let mut section = Section::open_or(cursor, "off or a map")?;
        let after = Written::read(&mut section, "after", |cursor| {
            let fixed = cursor.duration_or("p95", &AFTER_RANGE)?;
            Ok(fixed.map_or(HedgeAfter::P95, HedgeAfter::Fixed))
        });
        let share = Written::read(&mut section, "share", share);
        section.close();
        Ok(Self::On {
            after: after?,
            share: share?,
            at: cursor.clone(),
        })
    }

    /// This, and what is inherited where it is silent; `None` also while nobody says `after`.
    pub(super) fn over(&self, inherited: Option<Hedge>) -> Option<Hedge> {
        match self {
            Self::Inherited => inherited,
            Self::Off => None,
            Self::On { after, share, .. } => {
                let after = after
                    .value()
                    .copied()
                    .or(inherited.map(|hedge| hedge.after));
                Some(Hedge {
                    after: after?,
                    share: share.over(&inherited.map_or(SHARE, |hedge| hedge.share)),
                })
            }
        }
    }

    /// What `over` came to, if it is complete and what is written here can come to pass.
    pub(super) fn fit(&self, hedge: Option<Hedge>, deadline: Duration) -> Read<Option<Hedge>> {
        let Self::On { after, at, .. } = self else {
            return Ok(hedge);
        };
        if hedge.is_none() {
            return at.fail_at_key("the key `after` is missing");
        }
        after.check(|after| match after {
            HedgeAfter::Fixed(after) => longer(*after, deadline, "the deadline"),
            HedgeAfter::P95 => None,
        })?;
        Ok(hedge)
    }
}

/// `5%` or `0.05`.
pub(super) fn share(cursor: &Cursor<'_>) -> Read<f64> {
    let text = cursor.scalar("a share such as 5% or 0.05")?;
    let share = match text.strip_suffix('%') {
        Some(percent) => decimal(percent).map(|percent| percent / 100.0),
        // In quotes it is text, here as elsewhere.
        None if cursor.is_text() => None,
        None => decimal(text),
    };
    match share {
        Some(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => cursor.fail(format_args!(
            "{} is not a share: above 0% and at most 100%, such as 5% or 0.05",
            quoted(text)
        )),
    }
}
