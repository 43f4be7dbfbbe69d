//! A value that a place of the file may set, and where it does.
//!
//! What is written in a place must make sense there. What is inherited is cut to fit instead, so
//! that a route may shorten its deadline without repeating all that depends on it.

use std::time::Duration;

use super::cursor::{Cursor, Read};
use super::measure::show_duration;
use super::section::Section;

/// A value as written, and where; nothing if it is inherited.
#[derive(Clone)]
pub(super) struct Written<'a, T>(Option<(T, Cursor<'a>)>);

impl<T> Default for Written<'_, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'a, T: Clone> Written<'a, T> {
    /// Reads a key that may be absent.
    pub(super) fn read(
        section: &mut Section<'a>,
        key: &'static str,
        read: impl FnOnce(&Cursor<'a>) -> Read<T>,
    ) -> Read<Self> {
        section
            .maybe(key, |cursor| Ok((read(cursor)?, cursor.clone())))
            .map(Self)
    }

    /// The value, or the one that is inherited.
    pub(super) fn over(&self, inherited: &T) -> T {
        self.value().unwrap_or(inherited).clone()
    }

    /// The value, if it is written here.
    pub(super) fn value(&self) -> Option<&T> {
        self.0.as_ref().map(|(value, _)| value)
    }

    /// Notes a mistake if it is written here and `rule` has something against it.
    pub(super) fn check(&self, rule: impl FnOnce(&T) -> Option<String>) -> Read<()> {
        match &self.0 {
            Some((value, cursor)) => rule(value).map_or(Ok(()), |rule| cursor.fail(rule)),
            None => Ok(()),
        }
    }
}

impl Written<'_, Duration> {
    /// `value`, which is this one or inherited, within `most`: a mistake, or a cut.
    pub(super) fn within(&self, value: Duration, most: Duration, what: &str) -> Read<Duration> {
        self.check(|own| longer(*own, most, what))?;
        Ok(value.min(most))
    }
}

/// What is wrong with a wait that is longer than `most`.
pub(super) fn longer(wait: Duration, most: Duration, what: &str) -> Option<String> {
    let (shown, most_shown) = (show_duration(wait), show_duration(most));
    (wait > most).then(|| format!("{shown} is longer than {what}, {most_shown}"))
}
