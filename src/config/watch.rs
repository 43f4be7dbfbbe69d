//! `reload`: whether a change of the files is a reason to read them again.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::section::Section;

/// More often is not worth the look; less often is what HUP is for.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// Reads how often the files are looked at; `None` for never.
pub(super) fn read(cursor: &Cursor<'_>) -> Read<Option<Duration>> {
    let mut section = Section::open(cursor)?;
    let every = section.or("watch", None, |cursor| cursor.duration_or("off", &EVERY));
    section.close();
    every
}
