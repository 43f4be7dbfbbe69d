//! `breaker`: when a target is left alone.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::measure::show_duration;
use super::section::Section;
use super::written::Written;
use crate::upstream::BreakerPolicy;

/// 0 would shut every target for good.
const FAILURES_RANGE: RangeInclusive<u32> = 1..=1_000;
const OPEN_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

/// What one place of the file says.
#[derive(Clone, Default)]
pub(super) enum Breaking<'a> {
    #[default]
    Inherited,
    Off,
    On {
        failures: Written<'a, u32>,
        open: Written<'a, Duration>,
        longest: Written<'a, Duration>,
    },
}

impl<'a> Breaking<'a> {
    /// Reads `off` or a map.
    pub(super) fn read(cursor: &Cursor<'a>) -> Read<Self> {
        if cursor.is_text() {
            return cursor.choice(&[("off", ())]).map(|()| Self::Off);
        }
        let mut section = Section::open_or(cursor, "off or a map")?;
        let failures = Written::read(&mut section, "failures", |at| at.number(&FAILURES_RANGE));
        let mut time = |key| Written::read(&mut section, key, |at| at.duration(&OPEN_RANGE));
        let (open, longest) = (time("open"), time("longest"));
        section.close();
        Ok(Self::On {
            failures: failures?,
            open: open?,
            longest: longest?,
        })
    }

    /// This, and what is inherited where it is silent. An inherited `longest` gives way to `open`.
    pub(super) fn over(&self, inherited: Option<&BreakerPolicy>) -> Option<BreakerPolicy> {
        match self {
            Self::Inherited => inherited.cloned(),
            Self::Off => None,
            Self::On {
                failures,
                open,
                longest,
            } => {
                let inherited = inherited.cloned().unwrap_or_default();
                let open = open.over(&inherited.open);
                Some(BreakerPolicy {
                    failures: failures.over(&inherited.failures),
                    open,
                    longest: longest.over(&inherited.longest.max(open)),
                })
            }
        }
    }

    /// What `over` came to, if `longest` as written here is not shorter than `open`.
    pub(super) fn fit(&self, breaker: Option<BreakerPolicy>) -> Read<Option<BreakerPolicy>> {
        if let (Self::On { longest, .. }, Some(BreakerPolicy { open, .. })) = (self, &breaker) {
            longest.check(|longest| {
                let (shown, open_shown) = (show_duration(*longest), show_duration(*open));
                (longest < open).then(|| format!("{shown} is shorter than `open`, {open_shown}"))
            })?;
        }
        Ok(breaker)
    }
}
